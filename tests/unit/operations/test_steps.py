"""Commit, discard, copy and expire, in a folder: what a crash or a failing store leaves behind."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from day2.errors import StepFailed, Unavailable
from day2.inventory.model import Retention
from day2.operations.database_backup import copy, expire, take
from day2.operations.database_backup.job import Place, Taken, Upload
from day2.operations.database_backup.job import store as store_stream
from day2.repository import points
from day2.repository.folder import FolderStore
from tests.unit.operations.jobs import LOCK, job, repository
from tests.unit.repository.builders import NOW, SOURCE, commit

KEEP_ONE = Retention(daily=0, weekly=0, monthly=0, yearly=0, minimum=1)


class Dying(FolderStore):
    """Locks nothing, fails when asked to, and dies after so many deletions."""

    deletions = 0

    def lock(self, key, *, mode, until):
        raise Unavailable(f"{key}: the line is dead")

    def delete(self, key):
        if not self.deletions:
            raise SystemExit("killed")
        self.deletions -= 1
        super().delete(key)


def engine(made, prefix) -> Taken:
    """An engine that stores two objects."""
    import io

    stored = [
        store_stream(made, Upload(prefix, name, "dump", compress=True, expected_bytes=9), io.BytesIO(b"data"))
        for name in ("base", "zoo")
    ]
    return Taken(SOURCE, "test 1", NOW, "0/1", "0/2", tuple(stored), (), (), False, None)


@pytest.mark.parametrize("deletions", range(6))
def test_dying_while_a_failed_attempt_is_discarded_leaves_no_point_without_its_objects(store, monkeypatch, deletions):
    monkeypatch.setitem(take.ENGINES, "physical", engine)
    dying = Dying(store.root)
    dying.deletions = deletions
    made = job(dying, repository_is=repository("primary", object_lock=LOCK))
    with suppress(SystemExit, Unavailable):
        take.back_up(made)
    for point in points.points(store, "orders"):
        assert points.verify_objects(store, point, points.manifest(store, point)) == []
    points.sweep(store, "orders")
    assert len(points.points(store, "orders")) == (1 if deletions == 0 else 0)


def test_an_engine_that_fails_leaves_nothing(store, monkeypatch):
    def failing(made, prefix):
        engine(made, prefix)
        raise StepFailed("the source failed")

    monkeypatch.setitem(take.ENGINES, "physical", failing)
    with pytest.raises(StepFailed, match="the source failed"):
        take.back_up(job(store))
    assert list(store.items("")) == []


def test_a_committed_point_is_what_its_measures_say(store, monkeypatch):
    monkeypatch.setitem(take.ENGINES, "physical", engine)
    made = job(store)
    taken = take.back_up(made)
    point = points.find(store, "orders", taken["point"])
    described = points.manifest(store, point)
    assert taken["stored_bytes"] == described.stored_bytes
    assert described.run == made.run
    by_uri = {each["uri"].rsplit("/", 1)[1]: each for each in taken["artefacts"]}
    with store.open(point.key("manifest.json")) as file:
        data = file.read()
    assert by_uri["manifest.json"]["sha256"] == points.unpack.__globals__["sha256"](data)
    assert set(by_uri) == {"base.zst", "zoo.zst", "manifest.json"}


def test_a_store_that_keeps_less_than_it_was_sent_is_found(store, monkeypatch):
    class Short(FolderStore):
        def write(self, key, source, *, expected_bytes):
            super().write(key, source, expected_bytes=expected_bytes)
            path = self.root / key
            path.write_bytes(path.read_bytes()[:-1])

    monkeypatch.setitem(take.ENGINES, "physical", engine)
    with pytest.raises(StepFailed, match="bytes were sent and .* are stored"):
        take.back_up(job(Short(store.root)))
    assert list(store.items("")) == []


@pytest.fixture
def vault(tmp_path):
    return Place(repository("vault", region="eu-central-1"), FolderStore(tmp_path / "vault"))


def test_a_copy_is_the_same_point_and_can_be_made_twice(store, vault):
    point = commit(store)
    made = job(store, vault)
    for _ in range(2):
        done = copy.copy(made, point.id)
    assert [each["verified"] for each in done["copies"]] == [True]
    assert points.manifest(vault.store, points.find(vault.store, "orders", point.id)) == points.manifest(store, point)


def test_a_copy_that_reads_differently_is_no_point(store, vault, monkeypatch):
    point = commit(store)
    write = vault.store.write

    def damaging(key, source, *, expected_bytes):
        write(key, source, expected_bytes=expected_bytes)
        (vault.store.root / key).write_bytes(b"other")

    monkeypatch.setattr(vault.store, "write", damaging)
    with pytest.raises(StepFailed, match="a copy is not what was sent: .*dump.pgdump.zst"):
        copy.copy(job(store, vault), point.id)
    assert points.points(vault.store, "orders") == []


def verified(store, days: int):
    point = commit(store, at=NOW - timedelta(days=days))
    points.attest(store, point, passed=True, at=NOW, content={})
    return point


def test_expiry_goes_oldest_first_and_dying_half_way_keeps_the_newer_ones(store):
    made = [verified(store, days) for days in (4, 3, 2, 1)]
    dying = Dying(store.root)
    dying.deletions = 5  # each point is four objects: the first point and one more
    with pytest.raises(SystemExit):
        expire.expire(job(dying, retention=KEEP_ONE), timezone="UTC", now=NOW)
    assert [each.id for each in points.points(store, "orders")] == [each.id for each in made[2:]]


def test_every_repository_is_expired_by_itself(store, vault):
    old, new = verified(store, 2), verified(store, 1)
    lone = verified(vault.store, 9)
    done = expire.expire(job(store, vault, retention=KEEP_ONE), timezone="UTC", now=NOW)
    assert done == {"removed": [f"{store.url}/{old.prefix}"], "kept": 2}
    assert [each.id for each in points.points(store, "orders")] == [new.id]
    assert [each.id for each in points.points(vault.store, "orders")] == [lone.id], "its only point stays, however old"


def test_a_verdict_is_written_beside_every_copy_there_is(store, vault, caplog):
    point = commit(store)
    made = job(store, vault)
    with caplog.at_level("WARNING", logger="day2"):
        expire.attest(made, point.id, passed=True, summary={})
    assert "vault has no copy" in caplog.text
    copy.copy(made, point.id)
    expire.attest(made, point.id, passed=False, summary={})
    assert [points.find(each, "orders", point.id).verified for each in (store, vault.store)] in (
        [False, False],
        [True, False],
    )


def test_days_are_those_of_the_environments_time_zone(store):
    point = commit(store, at=datetime(2026, 11, 22, 23, 30, tzinfo=UTC))
    made = job(store)
    assert f"{expire.candidate(made, made.primary, point, 'Europe/Berlin').taken_at:%Y-%m-%d}" == "2026-11-23"
