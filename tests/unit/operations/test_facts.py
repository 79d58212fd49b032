"""From measures to facts: what was not measured can never pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from day2.inventory.model import Database, DeclaredEmpty
from day2.operations.database_backup import facts
from day2.operations.database_backup.job import Place
from day2.repository import points
from day2.repository.folder import FolderStore
from day2.validation import run
from tests.unit.operations.jobs import LOCK, job, repository
from tests.unit.repository.builders import NOW, commit

VAULT = repository("vault", region="eu-central-1", object_lock=LOCK)
LOCKED = {"expected": True, "verified": True}
TAKEN = {"point": "p", "stored_bytes": 5000, "snapshot_at": "2026-11-23T02:00:00+00:00", "lock": {"verified": False}}
COPIED = {"copies": [{"repository": "vault", "verified": True, "lock": LOCKED}]}
TESTED = {
    "objects_expected": 1, "objects_verified": 1, "encrypted": True, "restore_ran": True, "restore_started": True,
    "restore_seconds": 3.0, "amcheck_errors": 0, "page_checksum_errors": 0, "tables_expected": 4, "tables_compared": 4,
    "tables_equal": 4, "fingerprints_pinned_share": 1.0, "schema_equal": True, "extensions_equal": True,
    "roles_equal": True, "sequences_equal": True, "watermark_expected": True, "watermark_found": True,
    "differences_total": 0, "scratch_removed": True,
}  # fmt: skip
MEASURED = {"back_up": TAKEN, "copy": COPIED, "restore_test": TESTED}


@pytest.fixture
def orders(store, tmp_path):
    return job(store, Place(VAULT, FolderStore(tmp_path / "vault")), repository_is=repository("primary"))


def row(made, measured, now=NOW):
    return facts.database_row(made, measured, now=now)


def judged(made, measured) -> set[str]:
    return {check.id for check in run([row(made, measured)], facts.SUITE).checks if not check.passed}


def test_a_run_in_which_everything_was_measured_and_good_passes(orders):
    assert judged(orders, MEASURED) == set()
    assert row(orders, MEASURED)["score_3_2_1_1_0"] == "3-2-1-1-0"


@pytest.mark.parametrize(
    ("measured", "failing"),
    [
        ({}, {"committed", "point_named", "not_empty", "copies", "lock", "score_ok", "objects", "restore_ran", "rpo"}),
        (
            {"back_up": TAKEN},
            {"copies", "lock", "score_ok", "objects", "restore_ran", "restore_started", "tables_equal"},
        ),
        (
            {"back_up": TAKEN, "copy": COPIED},
            {"restore_ran", "score_ok", "watermark", "scratch_removed", "schema_equal"},
        ),
        ({"copy": COPIED, "restore_test": TESTED}, {"committed", "not_empty", "rpo"}),
    ],
)
def test_a_step_that_did_not_run_fails_its_checks(orders, measured, failing):
    assert failing <= judged(orders, measured)


@pytest.mark.parametrize(
    "missing", [name for name in TESTED if name not in {"watermark_expected", "differences_total"}]
)
def test_a_restore_test_that_did_not_get_to_a_measure_fails(orders, missing):
    tested = {name: value for name, value in TESTED.items() if name != missing}
    found = row(orders, MEASURED | {"restore_test": tested})
    assert found[missing] in (None, False)


def test_the_size_is_compared_with_earlier_verified_points_only(store, orders):
    sizes = {}
    for days, size, verified in ((4, 1000, True), (3, 3000, True), (2, 9, False), (1, 9, None)):
        point = commit(store, at=NOW - timedelta(days=days), objects={"dump.zst": b"x" * size})
        sizes[point.id] = size
        if verified is not None:
            points.attest(store, point, passed=verified, at=NOW, content={})
    this = commit(store, at=NOW, objects={"dump.zst": b"x" * 999_999})
    points.attest(store, this, passed=True, at=NOW, content={})
    assert facts.previous_median(orders, this.id) == 2000
    found = row(orders, MEASURED | {"back_up": TAKEN | {"point": this.id, "stored_bytes": 500}})
    assert (found["previous_median_bytes"], found["size_ratio"]) == (2000, 0.25)


def test_the_first_point_has_nothing_to_be_compared_with(orders):
    found = row(orders, MEASURED)
    assert (found["previous_median_bytes"], found["size_ratio"]) == (None, 1.0)


def test_a_point_too_old_or_of_the_future_is_seen(orders):
    assert row(orders, MEASURED, now=datetime(2026, 11, 24, 5, tzinfo=UTC))["recovery_point_age_seconds"] == 27 * 3600
    assert row(orders, MEASURED, now=datetime(2026, 11, 23, 1, tzinfo=UTC))["recovery_point_age_seconds"] == -3600


@pytest.mark.parametrize(
    ("taken", "copied", "tested", "score"),
    [
        ({}, [], {}, "1-1-0-0-1"),
        (TAKEN, [], TESTED, "2-2-0-0-0"),
        (TAKEN, COPIED["copies"], TESTED, "3-2-1-1-0"),
        (TAKEN, COPIED["copies"], {}, "3-2-1-1-1"),
        (TAKEN, COPIED["copies"], TESTED | {"amcheck_errors": 2, "differences_total": 1}, "3-2-1-1-3"),
        (TAKEN, COPIED["copies"], TESTED | {"scratch_removed": False}, "3-2-1-1-1"),
        (TAKEN, [{"repository": "vault", "verified": False, "lock": LOCKED}], TESTED, "2-2-0-1-0"),
        (TAKEN | {"lock": LOCKED}, COPIED["copies"], TESTED, "3-2-1-2-0"),
    ],
)
def test_three_two_one_one_zero(orders, taken, copied, tested, score):
    assert facts.three_two_one(orders, taken, copied, tested) == score


@pytest.mark.parametrize(
    ("score", "required", "enough"),
    [
        ("3-2-1-1-0", "3-2-1-1-0", True),
        ("4-3-2-2-0", "3-2-1-1-0", True),
        ("12-2-1-1-0", "3-2-1-1-0", True),
        ("2-2-1-1-0", "3-2-1-1-0", False),
        ("3-1-1-1-0", "3-2-1-1-0", False),
        ("3-2-0-1-0", "3-2-1-1-0", False),
        ("3-2-1-0-0", "3-2-1-1-0", False),
        ("9-9-9-9-1", "3-2-1-1-0", False),
    ],
)
def test_a_score_reaches_the_required_one_in_every_place(score, required, enough):
    assert facts.meets(score, required) is enough


def test_a_lock_expected_in_two_places_is_needed_in_both(store, tmp_path):
    both = job(
        store, Place(VAULT, FolderStore(tmp_path / "vault")), repository_is=repository("primary", object_lock=LOCK)
    )
    assert row(both, MEASURED)["lock_verified"] is False
    assert row(both, MEASURED | {"back_up": TAKEN | {"lock": LOCKED}})["lock_verified"] is True


def table(**more):
    return {
        "table": "public.returns", "expected_rows": 3, "restored_rows": 3, "expected_fingerprint": "7",
        "restored_fingerprint": "7", "pinned": True, "equal": True, "reason": "",
        "partition": False,
    } | more  # fmt: skip


def test_an_empty_table_is_fine_only_while_it_is_declared_empty(store):
    declared = DeclaredEmpty(table="public.returns", reason="not used yet", until=date(2026, 11, 23))
    database = Database(name="orders", connection="c", region="eu-west-1", declared_empty=(declared,))
    made = job(store, database=database)
    store.put("orders/p/e.json", points.seal({"tables": [table(expected_rows=0, restored_rows=0), table()]}))
    measured = {"restore_test": {"evidence": "orders/p/e.json"}}
    on = facts.table_rows(made, measured, today=date(2026, 11, 23))
    after = facts.table_rows(made, measured, today=date(2026, 11, 24))
    assert [each["empty_ok"] for each in on] == [True, True]
    assert [each["empty_ok"] for each in after] == [False, True]
    assert on[0]["target"] == "orders public.returns"


def test_a_partition_may_be_empty():
    assert facts.table_row("orders", table(expected_rows=0, restored_rows=0, partition=True), set())["empty_ok"]


def test_a_table_that_was_not_pinned_is_not_judged_by_its_count():
    found = facts.table_row("orders", table(pinned=False, expected_rows=3, restored_rows=9), set())
    assert (found["expected_rows"], found["restored_rows"]) == (9, 9)


def test_a_restore_test_without_evidence_has_no_tables(orders):
    assert facts.table_rows(orders, {}, today=date(2026, 11, 23)) == []
