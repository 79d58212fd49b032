"""Which point `latest`, an id or a time means, and what is said when there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from day2.errors import StepFailed
from day2.operations.database_restore.choose import choose
from day2.repository import points
from day2.repository.folder import FolderStore
from day2.repository.manifest import pack
from tests.unit.repository.builders import NOW, manifest

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path) -> FolderStore:
    return FolderStore(tmp_path)


def commit(store: FolderStore, begun: datetime, *, snapshot: datetime | None = None, passed: bool | None = None) -> str:
    point_id = points.new_id(begun)
    described = manifest(point_id, snapshot_at=snapshot or begun)
    store.put(f"orders/{point_id}/{points.MANIFEST}", pack(described))
    if passed is not None:
        points.attest(store, points.find(store, "orders", point_id), passed=passed, at=begun, content={})
    return point_id


def test_latest_is_the_newest_that_is_not_known_to_be_bad(store):
    commit(store, NOW, passed=True)
    untested = commit(store, NOW + HOUR)
    bad = commit(store, NOW + 2 * HOUR, passed=False)
    assert choose(store, "orders", "latest").id == untested
    assert choose(store, "orders", bad).id == bad, "named, it is meant"


def test_a_time_means_the_newest_snapshot_at_or_before_it(store):
    first = commit(store, NOW)
    second = commit(store, NOW + HOUR, snapshot=NOW + 2 * HOUR)
    assert choose(store, "orders", (NOW + 2 * HOUR).isoformat()).id == second
    just_before = (NOW + 2 * HOUR - timedelta(seconds=1)).isoformat()
    assert choose(store, "orders", just_before).id == first, "begun before the time, but its snapshot is after it"
    assert choose(store, "orders", "2026-11-23T03:15:00+01:00").id == first, "02:15 UTC"


def test_before_the_first_point_there_is_nothing(store):
    commit(store, NOW)
    with pytest.raises(StepFailed, match=r"at or before 2026-11-23T02:14:59Z .*there is no recovery between points"):
        choose(store, "orders", "2026-11-23T02:14:59Z")


def test_a_time_without_a_zone_is_not_guessed(store):
    commit(store, NOW)
    with pytest.raises(StepFailed, match="does not say its time zone"):
        choose(store, "orders", "2026-11-23T02:15:00")


def test_words_are_not_times(store):
    with pytest.raises(StepFailed, match="neither `latest`, nor a recovery point's id, nor a time"):
        choose(store, "orders", "yesterday")


def test_no_points_at_all_is_said_as_that(store):
    with pytest.raises(StepFailed, match="has no recovery point of orders"):
        choose(store, "orders", "latest")


def test_points_that_all_failed_their_restore_test_are_not_latest(store):
    commit(store, datetime(2026, 1, 1, tzinfo=UTC), passed=False)
    with pytest.raises(StepFailed, match="the restore test of all 1 failed"):
        choose(store, "orders", "latest")
