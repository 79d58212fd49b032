"""A database rebuilt in another region from the repository alone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from day2.errors import StepFailed
from day2.inventory.model import DrillPolicy
from day2.operations.database_restore.staged import Target
from day2.operations.dr_drill.rebuild import Rebuild
from day2.postgres import binaries
from day2.repository import points
from day2.repository.folder import FolderStore
from lab.postgres import Server as Running
from lab.postgres import reachable_temporary_folder
from tests.integration.restore.making import DATABASE, NAME, back_up, dumped, maintenance, new_server, seed

CALLED = "orders_drill_0a1b2c3d"


@pytest.fixture(scope="module")
def source(servers_folder: Path) -> Iterator[Running]:
    server = new_server(servers_folder, "drill-source")
    seed(server)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def recovery(servers_folder: Path) -> Iterator[Running]:
    server = new_server(servers_folder, "drill-recovery")
    yield server
    server.kill()


@pytest.fixture
def scratch() -> Iterator[Path]:
    folder = reachable_temporary_folder(binaries.unprivileged())
    yield folder
    left = [each.name for each in folder.iterdir()]
    shutil.rmtree(folder)
    assert left == []


@pytest.fixture(scope="module")
def made(source: Running, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[str]]:
    """Two verified points, the older a copy of the server and the newer a dump of the database."""
    key, folder = str(pyrage.x25519.Identity.generate()), tmp_path_factory.mktemp("made")
    store, ids = FolderStore(folder), list[str]()
    for engine in ("physical", "logical"):
        ids.append(back_up(source, store, key=key, engine=engine))
        verdict(store, ids[-1], passed=True)
        time.sleep(1.05)  # a point's id is as exact as a second
    return folder, key, ids


@pytest.fixture
def kept(made: tuple[Path, str, list[str]], tmp_path: Path) -> tuple[FolderStore, str, list[str]]:
    """The same in a repository of the test's own."""
    folder, key, ids = made
    shutil.copytree(folder, tmp_path / "repository")
    return FolderStore(tmp_path / "repository"), key, ids


def verdict(store: FolderStore, point: str, *, passed: bool) -> None:
    found = points.find(store, DATABASE, point)
    points.attest(store, found, passed=passed, at=found.taken_at, content={})


@pytest.fixture
def rebuild(kept: tuple[FolderStore, str, list[str]], recovery: Running, scratch: Path) -> Iterator[Rebuild]:
    store, key, _ = kept
    made = Rebuild(
        name=DATABASE,
        policy=DrillPolicy(strategy="restore"),
        mode="drill",
        store=store,
        identity=key,
        target=Target(maintenance(recovery), CALLED),
        max_age=timedelta(hours=1),
        run="dr_drill.test/1",
        scratch=scratch,
        missing_roles=(),
        move=lambda server: {},
    )
    made = replace(made, missing_roles=tuple(made.planned()["missing_roles"]))
    yield made
    made.clear_up()


def red(made: Rebuild) -> list[str]:
    return [each.name for each in made.readiness() if not each.ok]


def test_it_equals_the_source_by_an_independent_dump(rebuild: Rebuild, source: Running, recovery: Running) -> None:
    assert red(rebuild) == []
    measures = rebuild.promote()
    assert measures["restore_tables_equal"] == measures["restore_tables_expected"] > 0
    assert dumped(maintenance(recovery), CALLED) == dumped(maintenance(source), NAME)


def test_it_leaves_nothing_behind_not_even_roles(rebuild: Rebuild, recovery: Running) -> None:
    def everything() -> set[str]:
        with recovery.connect() as connection:
            names = "select datname from pg_database union all select 'role ' || rolname from pg_roles"
            return {each for (each,) in connection.execute(names).fetchall()}

    before = everything()
    assert rebuild.missing_roles, "the recovery server lacks the source's roles"
    rebuild.promote()
    assert everything() > before
    assert rebuild.clear_up()["leftovers"] == []
    assert everything() == before


def test_a_damaged_point_is_passed_over_and_said(rebuild: Rebuild, kept: tuple[FolderStore, str, list[str]]) -> None:
    store, _, (older, newer) = kept
    damage(store, newer)
    measures = rebuild.promote()
    assert measures["point"] == older
    assert [each["point"] for each in measures["passed_over"]] == [newer]


def test_an_unverified_or_failed_point_is_never_taken(
    rebuild: Rebuild, kept: tuple[FolderStore, str, list[str]], source: Running
) -> None:
    store, key, (_, newer) = kept
    back_up(source, store, key=key, engine="logical")
    failed = back_up(source, store, key=key, engine="logical")
    verdict(store, failed, passed=False)
    assert rebuild.promote()["point"] == newer


def test_nothing_whole_is_left(rebuild: Rebuild, kept: tuple[FolderStore, str, list[str]]) -> None:
    store, _, ids = kept
    for each in ids:
        damage(store, each)
    with pytest.raises(StepFailed, match="no recovery point in .* could be restored") as failed:
        rebuild.promote()
    assert "not there; production is untouched" in failed.value.left


def test_a_server_that_fails_is_not_blamed_on_the_point(rebuild: Rebuild, recovery: Running) -> None:
    with recovery.connect() as connection:
        connection.execute("create role may_nothing login password 'x'")
    try:
        server = replace(rebuild.target.server, user="may_nothing", password="x")
        with pytest.raises(StepFailed, match="permission denied"):
            replace(rebuild, target=Target(server, CALLED), missing_roles=()).promote()
    finally:
        with recovery.connect() as connection:
            connection.execute("drop role may_nothing")


def test_without_the_key_readiness_is_red(rebuild: Rebuild) -> None:
    assert red(replace(rebuild, identity=None)) == ["rebuild possible"]
    other = str(pyrage.x25519.Identity.generate())
    assert red(replace(rebuild, identity=other)) == ["rebuild possible"]


def test_a_dead_recovery_server_is_red(rebuild: Rebuild) -> None:
    gone = replace(rebuild.target.server, port=1)
    assert red(replace(rebuild, target=Target(gone, CALLED))) == ["rebuild possible"]


def test_an_old_point_is_red(rebuild: Rebuild) -> None:
    assert red(replace(rebuild, max_age=timedelta(microseconds=1))) == ["recovery point"]


def test_a_killed_try_is_done_again(rebuild: Rebuild, source: Running, recovery: Running) -> None:
    rebuild.promote()
    with recovery.connect(CALLED) as connection:
        connection.execute("create table of_the_killed_try ()")
    rebuild.promote()
    assert dumped(maintenance(recovery), CALLED) == dumped(maintenance(source), NAME)


def test_an_emergency_keeps_what_it_rebuilt(rebuild: Rebuild) -> None:
    live = replace(rebuild, mode="live")
    live.promote()
    assert live.clear_up()["leftovers"] == []
    assert "is there" in live.where()
    assert not live.safe_to_abort()


def damage(store: FolderStore, point: str) -> None:
    """One flipped bit in its largest object."""
    folder = Path(store.url.removeprefix("file://")) / DATABASE / point
    path = max((each for each in folder.rglob("*") if each.is_file()), key=lambda each: each.stat().st_size)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_the_damage_is_one_bit(kept: tuple[FolderStore, str, list[str]]) -> None:
    store, _, ids = kept
    damage(store, ids[1])
    found = points.find(store, DATABASE, ids[1])
    assert len(points.verify_objects(store, found, points.manifest(store, found))) == 1
