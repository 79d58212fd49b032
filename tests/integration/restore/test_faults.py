"""Restores that cannot succeed: one clear error, and nothing half-made left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time

import pyrage
import pytest

from day2.errors import Corrupt, StepFailed
from day2.operations.database_restore import data_directory, destinations, order, preflight
from day2.postgres.server import rows
from day2.repository import points
from day2.repository.folder import FolderStore
from tests.integration.conftest import PASSWORD
from tests.integration.restore.conftest import OTHERS
from tests.integration.restore.making import (
    DATABASE,
    INSTALLED,
    NAME,
    OWNER,
    READER,
    back_up,
    databases,
    maintenance,
    new_server,
    seed,
)
from tests.integration.restore.shell import CLEAN, kept_variables

NEW = "wieder da"


@pytest.fixture
def copied(kept, tmp_path):
    """The repository once more, to damage."""
    store = FolderStore(tmp_path / "repository")
    shutil.copytree(kept.store.root, store.root)
    return dataclasses.replace(kept, store=store)


def path_of(kept, engine: str, role: str):
    described = kept.order(engine, None).origin.described
    name = next(each.name for each in described.objects if each.role == role)
    return kept.store.root / DATABASE / described.point / name


def flip(path, *, at: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(len(data) * at)] ^= 1
    path.write_bytes(data)


def attempt(ordered, target, error: type[Exception], match: str) -> None:
    measures = order.blank(ordered, target="orders", destination="new_database")
    with pytest.raises(error, match=match):
        destinations.new_database(ordered, target, measures=measures)
    assert databases_of(target) == OTHERS
    with target.server.connect() as connection:
        roles = {each["name"] for each in rows(connection, "roles")}
    assert roles == {"postgres"}, "roles it created are gone again"


def databases_of(target) -> set[str]:
    with target.server.connect() as connection:
        found = connection.execute("select datname from pg_database where not datistemplate").fetchall()
    return {each[0] for each in found}


@pytest.mark.parametrize("at", [0.01, 0.5, 0.999])
def test_one_flipped_bit_is_named_and_nothing_is_left(copied, target, scratch, at):
    damaged = path_of(copied, "logical", "dump")
    flip(damaged, at=at)
    attempt(copied.order("logical", scratch), target(NEW), Corrupt, rf"{damaged.name}: stored bytes are not")


def test_a_flipped_bit_in_a_physical_copy_is_named_and_nothing_is_left(copied, target, scratch):
    damaged = path_of(copied, "physical", "base")
    flip(damaged, at=0.7)
    attempt(copied.order("physical", scratch), target(NEW), Corrupt, rf"{damaged.name}: stored bytes are not")


@pytest.mark.parametrize("there_before", [True, False])
def test_a_data_folder_is_empty_again_after_a_failure(copied, servers_folder, scratch, there_before):
    path = servers_folder / f"failing-{there_before}"
    if there_before:
        path.mkdir()
    flip(path_of(copied, "physical", "base"), at=0.7)
    ordered = copied.order("physical", scratch)
    with pytest.raises(Corrupt, match="stored bytes are not"):
        data_directory.into_folder(ordered, path, measures=order.blank(ordered, target="orders", destination="folder"))
    assert path.exists() == there_before
    assert not there_before or not list(path.iterdir())


def test_a_cut_object_is_seen_before_anything_is_touched(copied, target, scratch):
    cut = path_of(copied, "logical", "dump")
    cut.write_bytes(cut.read_bytes()[:-100])
    ordered = copied.order("logical", scratch)
    assert "bytes stored" in " ".join(
        preflight.inspect(ordered, destination="new_database", target=target(NEW)).problems
    )
    attempt(ordered, target(NEW), Corrupt, "stored bytes are not")


def test_a_changed_manifest_is_no_manifest(copied):
    flip(copied.store.root / DATABASE / copied.logical / points.MANIFEST, at=0.5)
    with pytest.raises(Corrupt, match=points.MANIFEST):
        copied.order("logical", None)


def test_a_wrong_or_missing_key_is_said_before_anything_is_touched(kept):
    point = points.find(kept.store, DATABASE, kept.logical)
    other = str(pyrage.x25519.Identity.generate())
    with pytest.raises(StepFailed, match="the identity belongs to age1.*nothing was touched"):
        order.origin(kept.store, point, identity=other)
    with pytest.raises(StepFailed, match="encrypted and no identity was given"):
        order.origin(kept.store, point, identity=None)
    with pytest.raises(StepFailed, match="not an AGE-SECRET-KEY") as caught:
        order.origin(kept.store, point, identity="AGE-SECRET-KEY-1NONSENSE")
    assert "NONSENSE" not in str(caught.value)


def test_a_name_that_is_taken_is_refused(kept, target, scratch):
    ordered = kept.order("logical", scratch)
    placed = target("bystander")
    assert "already" in " ".join(preflight.inspect(ordered, destination="new_database", target=placed).problems)
    attempt(ordered, placed, StepFailed, "a restore never overwrites")


def test_roles_that_are_there_keep_their_rights_and_passwords(kept, shared, target, scratch):
    """The dump sets the password of its own `postgres`: ours must not change by a restore."""
    with shared.connect() as connection:
        before = connection.execute("select rolpassword from pg_authid where rolname = 'postgres'").fetchone()
    ordered = kept.order("logical", scratch, logins=True)
    measures = order.blank(ordered, target="orders", destination="new_database")
    destinations.new_database(ordered, target(NEW), measures=measures)
    with shared.connect() as connection:
        after = connection.execute("select rolpassword from pg_authid where rolname = 'postgres'").fetchone()
        assert after == before


def test_roles_are_made_without_login_unless_asked(kept, shared, target, scratch):
    ordered = kept.order("logical", scratch)
    seen = preflight.inspect(ordered, destination="new_database", target=target(NEW))
    assert seen.facts["roles_missing"] == [OWNER, READER]
    measures = order.blank(ordered, target="orders", destination="new_database")
    destinations.new_database(ordered, target(NEW), measures=measures)
    with shared.connect() as connection:
        may = connection.execute("select rolname, rolcanlogin, rolpassword from pg_authid where oid > 16383").fetchall()
        assert sorted(may) == [(OWNER, False, None), (READER, False, None)]
        assert f"{OWNER}, {READER}" in " ".join(measures["notes"])


def test_a_database_called_postgres_is_proven_like_any_other(kept, source, scratch, tmp_path):
    store = FolderStore(tmp_path)
    point = back_up(source, store, key=kept.key, engine="logical", dbname="postgres")
    ordered = dataclasses.replace(kept, store=store, logical=point).order("logical", scratch)
    measures = order.blank(ordered, target="orders", destination="scratch")
    destinations.into_scratch(ordered, measures=measures)
    assert (measures["differences"], measures["schema_equal"]) == ([], True)


@pytest.mark.skipif(len(INSTALLED) < 2, reason="this machine has one PostgreSQL version only")
def test_a_dump_goes_to_a_newer_server_and_never_to_an_older_one(
    kept, shared, servers_folder, target, scratch, tmp_path
):
    old = new_server(servers_folder, "restore-old", INSTALLED[-1])
    try:
        seed(old)
        store = FolderStore(tmp_path)
        point = back_up(old, store, key=kept.key, engine="logical")
        ordered = dataclasses.replace(kept, store=store, logical=point).order("logical", scratch)
        measures = order.blank(ordered, target="orders", destination="new_database")
        destinations.new_database(ordered, target(NEW), measures=measures)
        assert (measures["differences"], measures["schema_equal"], measures["sequences_equal"]) == ([], True, True)
        backwards = dataclasses.replace(target(NEW), server=maintenance(old))
        seen = preflight.inspect(kept.order("logical", scratch), destination="new_database", target=backwards)
        assert "same version or a newer one" in " ".join(seen.problems)
    finally:
        old.kill()


def test_what_a_killed_restore_left_is_dropped_by_the_next_one(kept, shared, target, scratch, tmp_path):
    identity = tmp_path / "identity"
    identity.write_text(kept.key)
    command = [
        sys.executable, "-m", "day2.cli", "restore", kept.logical, "--database", DATABASE,
        "--repository", kept.store.url, "--identity", str(identity),
        "--to-server", f"host=127.0.0.1 port={shared.port} user=postgres",
    ]  # fmt: skip
    env = CLEAN | kept_variables() | {"PGPASSWORD": PASSWORD}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while databases(shared) == OTHERS and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    half = databases(shared) - OTHERS
    assert len(half) == 1, "killed while it was building"
    assert "_day2_" in half.pop()
    ended(shared)
    ordered = kept.order("logical", scratch)
    measures = order.blank(ordered, target="orders", destination="new_database")
    destinations.new_database(ordered, target(NAME), measures=measures)
    assert databases(shared) == OTHERS | {NAME}


def ended(server) -> None:
    """Until the server has noticed that the killed process is gone."""
    deadline = time.monotonic() + 30
    with contextlib.closing(server.connect()) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(
                "select count(*) from pg_stat_activity where application_name like 'day2-restore-%'"
            ).fetchone()
            if row == (0,):
                return
            time.sleep(0.05)
    raise AssertionError("the session of a killed process is still there")
