"""Every check of every suite of ours, judged for real: true facts pass, each lie is caught by its own check."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from day2.validation import SuiteResult, run
from day2.validation.suite import NOT_NULL, OURS, load

SUITES = sorted(path.stem for path in OURS.glob("*.json"))

GOOD: dict[str, dict[str, Any]] = {
    "database_backup": {
        "target": "orders",
        "engine": "physical",
        "point_id": "20261123T020000Z-orders",
        "committed": True,
        "stored_bytes": 900_000_000,
        "minimum_bytes": 1_000_000,
        "previous_median_bytes": 1_000_000_000,
        "size_change_percent_allowed": 30,
        "size_ratio": 0.9,
        "objects_verified": 4,
        "objects_expected": 4,
        "copies_expected": 1,
        "copies_verified": 1,
        "lock_expected": True,
        "lock_verified": True,
        "score_3_2_1_1_0": "3-2-1-1-0",
        "score_ok": True,
        "encrypted": True,
        "encryption_expected": True,
        "restore_ran": True,
        "restore_started": True,
        "restore_seconds": 12.5,
        "rto_seconds": 3600,
        "amcheck_errors": 0,
        "page_checksum_errors": 0,
        "watermark_expected": True,
        "watermark_found": True,
        "tables_expected": 10,
        "tables_compared": 10,
        "tables_equal": 10,
        "fingerprints_pinned_share": 0.8,
        "schema_equal": True,
        "extensions_equal": True,
        "roles_equal": True,
        "sequences_equal": True,
        "recovery_point_age_seconds": 60.0,
        "rpo_seconds": 93_600,
        "scratch_removed": True,
    },
    "database_backup_tables": {
        "target": "orders public.order_line",
        "database": "orders",
        "table": "public.order_line",
        "expected_rows": 5,
        "restored_rows": 5,
        "expected_fingerprint": "9b1c",
        "restored_fingerprint": "9b1c",
        "pinned": True,
        "fingerprint_equal": True,
        "empty": False,
        "declared_empty": False,
        "empty_ok": True,
    },
    "database_restore": {
        "target": "orders",
        "destination": "in place",
        "restore_finished": True,
        "tables_expected": 10,
        "tables_compared": 10,
        "tables_equal": 10,
        "schema_equal": True,
        "sequences_equal": True,
        "old_data_kept": True,
        "safety_point_verified": True,
        "server_writable": True,
    },
    "dr_drill": {
        "target": "orders",
        "mode": "drill",
        "strategy": "failover",
        "not_applicable": "restored_equal: nothing is restored, a standby takes over",
        "readiness_red": 0,
        "fence_proven": True,
        "beats_checked": 400,
        "beats_required": 10,
        "split_brain": 0,
        "probe_gaps": 0,
        "promoted_timeline": 2,
        "previous_timeline": 1,
        "restored_equal": True,
        "outside_writes": 7,
        "outside_writes_required": 5,
        "rto_seconds": 12.5,
        "rto_objective_seconds": 300.0,
        "rpo_seconds": 0.4,
        "rpo_objective_seconds": 60.0,
        "lost": 2,
        "lost_beyond_policy": 0,
        "lost_after_recovery": 0,
        "assertions_failed": 0,
        "health_failed": 0,
        "rejoined": True,
        "switched_back": True,
        "outside_writes_after_failback": 6,
        "lost_by_failback": 0,
        "redundant": True,
        "leftovers": 0,
    },
    "scale_resource": {
        "target": "workers",
        "size_decided": "3",
        "size_present": "3",
        "in_service": True,
        "use_needed": True,
        "use_known": True,
        "sizes_moved": 1,
        "sizes_at_once": 1,
        "out_of_bounds": 0,
        "out_of_bounds_allowed": 0,
        "cost_an_hour": 1.5,
        "cost_allowed": 1.5,
        "cooldown_left_seconds": 0.0,
    },
    "security_patching": {
        "target": "web-01",
        "scanned_after": True,
        "rolled_back": False,
        "frozen_digest": "5e" * 32,
        "installed_digest": "5e" * 32,
        "packages_meant": 3,
        "packages_running": 3,
        "pending_reboot": 0,
        "packages_besides": 0,
        "stale_services": 0,
        "audit_clean": True,
        "reboot_expected": True,
        "rebooted": True,
        "healthy": True,
        "in_service": True,
        "late_updates": 0,
        "postgres_servers": 2,
        "postgres_as_before": 2,
        "postgres_databases_unseen": 0,
        "postgres_collations_changed": 0,
        "postgres_extensions_failed": 0,
        "postgres_extensions_left": 0,
    },
    "capacity_review": {
        "target": "host/web-01",
        "series": 5,
        "answered": 5,
        "disordered": 0,
        "too_far": 0,
        "coverage": 0.8,
        "inconsistent": 0,
        "judged_otherwise": 0,
        "evidence_equal": True,
        "last_read": True,
        "comparable": 4,
        "compared": 4,
        "pressing": 2,
        "asked_for": 2,
    },
    "performance_tuning": {
        "target": "billing",
        "looked_at": True,
        "not_possible": 0,
        "changes_tried": 3,
        "changes_allowed": 5,
        "interrupted": 1,
        "put_in_order": 1,
        "invalid_indexes": 0,
        "restarted": False,
        "pending_restart": 0,
    },
    "performance_tuning_changes": {
        "target": "missing_index:bazaar.orders (customer_id) in billing",
        "outcome": "kept",
        "allowed": True,
        "done": True,
        "measured": True,
        "kept": True,
        "gain_shown": True,
        "guards_worse": 0,
        "way_back": True,
        "needs_restart": False,
        "as_meant": True,
    },
}

# What is changed in facts that pass, and the checks that must fail for it: these and no other.
LIES: dict[str, list[tuple[dict[str, Any], set[str]]]] = {
    "database_backup": [
        ({"committed": False}, {"committed"}),
        ({"point_id": ""}, {"point_named"}),
        ({"stored_bytes": 0, "minimum_bytes": 0}, {"not_empty"}),
        ({"stored_bytes": 999_999}, {"size_floor"}),
        ({"size_ratio": 0.69}, {"size_shrink"}),
        ({"size_ratio": 1.31}, {"size_growth"}),
        ({"size_change_percent_allowed": 5}, {"size_shrink"}),
        ({"objects_verified": 0, "objects_expected": 0}, {"objects_listed"}),
        ({"objects_verified": 3}, {"objects"}),
        ({"copies_verified": -1, "copies_expected": -1}, {"copies_counted"}),
        ({"copies_verified": 0}, {"copies"}),
        ({"lock_verified": False}, {"lock"}),
        ({"score_3_2_1_1_0": "good"}, {"score_form"}),
        ({"score_ok": False}, {"score_ok"}),
        ({"encrypted": False}, {"encryption"}),
        ({"restore_ran": False}, {"restore_ran"}),
        ({"restore_started": False}, {"restore_started"}),
        ({"restore_seconds": -1}, {"restore_duration"}),
        ({"restore_seconds": 3601}, {"rto"}),
        ({"amcheck_errors": 1}, {"amcheck_errors"}),
        ({"page_checksum_errors": 1}, {"page_checksum_errors"}),
        ({"watermark_found": False}, {"watermark"}),
        ({"tables_expected": 0, "tables_compared": 0, "tables_equal": 0}, {"tables_present"}),
        ({"tables_compared": 9}, {"tables_compared"}),
        ({"tables_equal": 9}, {"tables_equal"}),
        ({"tables_expected": 11}, {"tables_compared", "tables_equal"}),
        ({"fingerprints_pinned_share": 1.1}, {"fingerprints_pinned_share"}),
        ({"schema_equal": False}, {"schema_equal"}),
        ({"extensions_equal": False}, {"extensions_equal"}),
        ({"roles_equal": False}, {"roles_equal"}),
        ({"sequences_equal": False}, {"sequences_equal"}),
        ({"recovery_point_age_seconds": 93_601}, {"rpo"}),
        ({"recovery_point_age_seconds": -1}, {"clock"}),
        ({"scratch_removed": False}, {"scratch_removed"}),
    ],
    "database_backup_tables": [
        ({"expected_rows": -1, "restored_rows": -1}, {"rows_counted"}),
        ({"restored_rows": 4}, {"rows"}),
        ({"fingerprint_equal": False}, {"fingerprint_equal"}),
        ({"empty_ok": False}, {"empty_ok"}),
    ],
    "database_restore": [
        ({"destination": ""}, {"destination"}),
        ({"restore_finished": False}, {"restore_finished"}),
        ({"tables_expected": 0, "tables_compared": 0, "tables_equal": 0}, {"tables_present"}),
        ({"tables_compared": 9}, {"tables_compared"}),
        ({"tables_equal": 9}, {"tables_equal"}),
        ({"schema_equal": False}, {"schema_equal"}),
        ({"sequences_equal": False}, {"sequences_equal"}),
        ({"old_data_kept": False}, {"old_data_kept"}),
        ({"safety_point_verified": False}, {"safety_point_verified"}),
        ({"server_writable": False}, {"server_writable"}),
    ],
    "dr_drill": [
        ({"mode": "rehearsal"}, {"mode"}),
        ({"strategy": "hope"}, {"strategy"}),
        ({"not_applicable": ""}, {"not_applicable"}),
        ({"readiness_red": 1}, {"readiness"}),
        ({"fence_proven": False}, {"fence"}),
        ({"beats_checked": 9}, {"beats"}),
        ({"split_brain": 1}, {"split_brain"}),
        ({"probe_gaps": 1}, {"probe_gaps"}),
        ({"promoted_timeline": 1}, {"timeline"}),
        ({"restored_equal": False}, {"restored_equal"}),
        ({"outside_writes": 4}, {"outside_writes"}),
        ({"rto_seconds": -1}, {"rto_possible"}),
        ({"rto_seconds": 300.1}, {"rto"}),
        ({"rpo_seconds": -1}, {"rpo_possible"}),
        ({"rpo_seconds": 60.1}, {"rpo"}),
        ({"lost": -1}, {"lost_counted"}),
        ({"lost_beyond_policy": 1}, {"lost"}),
        ({"lost_after_recovery": 1}, {"lost_after_recovery"}),
        ({"assertions_failed": 1}, {"assertions"}),
        ({"health_failed": 1}, {"health"}),
        ({"rejoined": False}, {"rejoined"}),
        ({"switched_back": False}, {"switched_back"}),
        ({"outside_writes_after_failback": 4}, {"outside_writes_after_failback"}),
        ({"outside_writes_required": 7}, {"outside_writes_after_failback"}),
        ({"lost_by_failback": 1}, {"lost_by_failback"}),
        ({"redundant": False}, {"redundant"}),
        ({"leftovers": 1}, {"leftovers"}),
    ],
    "scale_resource": [
        ({"size_present": "2"}, {"size"}),
        ({"in_service": False}, {"in_service"}),
        ({"use_known": False}, {"use"}),
        ({"sizes_moved": 2}, {"step"}),
        ({"out_of_bounds": 1}, {"bounds"}),
        ({"cost_an_hour": 1.51}, {"budget"}),
        ({"cooldown_left_seconds": 0.5}, {"cooldown"}),
    ],
    "security_patching": [
        ({"scanned_after": False}, {"scanned_after"}),
        ({"frozen_digest": "", "installed_digest": ""}, {"frozen"}),
        ({"installed_digest": "ab" * 32}, {"same_set"}),
        ({"packages_meant": -1, "packages_running": -1}, {"packages_meant"}),
        ({"packages_running": 2}, {"running"}),
        ({"rolled_back": True}, {"not_rolled_back"}),
        ({"stale_services": 1}, {"no_old_code"}),
        ({"pending_reboot": 1}, {"no_pending_reboot"}),
        ({"rebooted": False}, {"rebooted"}),
        ({"audit_clean": False}, {"audit_clean"}),
        ({"healthy": False}, {"healthy"}),
        ({"in_service": False}, {"in_service"}),
        ({"late_updates": 1}, {"nothing_late"}),
        ({"packages_besides": 1}, {"nothing_newer"}),
        ({"postgres_as_before": 1}, {"postgres_as_before"}),
        ({"postgres_databases_unseen": 1}, {"postgres_databases_seen"}),
        ({"postgres_collations_changed": 2}, {"postgres_collations"}),
        ({"postgres_extensions_failed": 1}, {"postgres_extensions"}),
        ({"postgres_extensions_left": 1}, {"postgres_extensions_left"}),
    ],
    "capacity_review": [
        ({"series": 0, "answered": 0}, {"has_series"}),
        ({"answered": 4}, {"answered"}),
        ({"disordered": 1}, {"intervals"}),
        ({"too_far": 1}, {"horizon"}),
        ({"coverage": 1.0}, {"coverage"}),
        ({"inconsistent": 1}, {"exhaustion"}),
        ({"judged_otherwise": 1}, {"judged_again"}),
        ({"evidence_equal": False}, {"evidence"}),
        ({"last_read": False}, {"last_read"}),
        ({"compared": 3}, {"back_tested"}),
        ({"asked_for": 1}, {"asked"}),
    ],
    "performance_tuning": [
        ({"looked_at": False}, {"looked_at"}),
        ({"not_possible": 1}, {"all_seen"}),
        ({"changes_tried": -1}, {"counted"}),
        ({"changes_tried": 6}, {"blast_radius"}),
        ({"interrupted": -1, "put_in_order": -1}, {"interrupted_counted"}),
        ({"put_in_order": 0}, {"put_in_order"}),
        ({"invalid_indexes": 1}, {"no_invalid_index"}),
        ({"restarted": True}, {"not_restarted"}),
        ({"pending_restart": 1}, {"no_pending_restart"}),
    ],
    "performance_tuning_changes": [
        ({"outcome": "forgotten"}, {"outcome"}),
        ({"allowed": False}, {"allowed"}),
        ({"done": False}, {"done"}),
        ({"measured": False}, {"measured"}),
        ({"gain_shown": False}, {"gain"}),
        ({"guards_worse": 1}, {"guards"}),
        ({"way_back": False}, {"way_back"}),
        ({"needs_restart": True}, {"no_restart"}),
        ({"as_meant": False}, {"as_meant"}),
    ],
}

Failed = dict[str, set[str]]


def _rows(suite: str) -> dict[str, dict[str, Any]]:
    """The good row, a row for each lie and one for each required fact that is null, by target."""
    lies = {f"lie {number}": lie for number, (lie, _) in enumerate(LIES[suite])}
    nulls = {f"no {column}": {column: None} for column in load(suite).required - {"target"}}
    changes = {"good": {}} | lies | nulls
    return {target: GOOD[suite] | {"target": target} | change for target, change in changes.items()}


@cache
def _judged(suite: str) -> SuiteResult:
    return run(list(_rows(suite).values()), suite)


def _failed(result: SuiteResult, target: str) -> set[str]:
    return {each.id for each in result.checks if each.target == target and not each.passed}


def _cases() -> list[Any]:
    return [
        pytest.param(suite, f"lie {number}", caught, id=f"{suite}-{number}-{'-'.join(sorted(caught))}")
        for suite, lies in LIES.items()
        for number, (_, caught) in enumerate(lies)
    ]


def test_each_suite_is_judged_here():
    assert SUITES == sorted(GOOD) == sorted(LIES)


@pytest.mark.parametrize("suite", SUITES)
def test_true_facts_pass_every_check(suite: str):
    result = run([GOOD[suite]], suite)
    assert [each.line() for each in result.checks if not each.passed] == []
    assert {each.id for each in result.checks} == {each.meta.id for each in load(suite).expectations}


@pytest.mark.parametrize(("suite", "target", "caught"), _cases())
def test_a_lie_is_caught_by_its_own_check(suite: str, target: str, caught: set[str]):
    assert _failed(_judged(suite), target) == caught


@pytest.mark.parametrize("suite", SUITES)
def test_other_targets_are_not_blamed(suite: str):
    assert _failed(_judged(suite), "good") == set()


@pytest.mark.parametrize("suite", SUITES)
def test_every_check_of_a_target_can_fail(suite: str):
    caught = {check for _, checks in LIES[suite] for check in checks}
    per_target = {each.meta.id for each in load(suite).expectations if each.type != "expect_column_to_exist"}
    assert {name for name in per_target if not name.startswith("measured.")} - caught == {"targets.once"}


@pytest.mark.parametrize("suite", SUITES)
def test_a_fact_that_was_not_measured_fails_and_so_does_all_that_reads_it(suite: str):
    loaded = load(suite)
    for column in loaded.required - {"target"}:
        read = {column} | {name for name, derived in loaded.derived.items() if derived.column == column}
        readers = {each.meta.id for each in loaded.expectations if read & set(each.columns)}
        assert _failed(_judged(suite), f"no {column}") == readers
        assert f"measured.{column}" in readers


@pytest.mark.parametrize("suite", SUITES)
def test_the_same_target_twice_is_caught_on_both_rows(suite: str):
    result = run([GOOD[suite], GOOD[suite]], suite)
    assert [each.id for each in result.failures()] == ["targets.once", "targets.once"]


@pytest.mark.parametrize("suite", SUITES)
def test_facts_without_a_target_are_blamed_by_their_row(suite: str):
    result = run([GOOD[suite], GOOD[suite] | {"target": None}], suite)
    assert _failed(result, "row 2") == {"targets.once", "measured.target"}
    assert not result.passed


@pytest.mark.parametrize("suite", SUITES)
def test_every_column_that_is_compared_is_also_required(suite: str):
    loaded = load(suite)
    compared = {column for each in loaded.expectations if "exist" not in each.type for column in each.columns}
    sources = {loaded.derived[name].column if name in loaded.derived else name for name in compared}
    assert sources <= {each.kwargs["column"] for each in loaded.expectations if each.type == NOT_NULL}


@pytest.mark.parametrize("suite", SUITES)
def test_every_column_of_the_facts_is_looked_at(suite: str):
    assert GOOD[suite].keys() == {column for each in load(suite).expectations for column in each.columns} - load(
        suite
    ).derived.keys() | {each.column for each in load(suite).derived.values()}


@pytest.mark.parametrize(
    ("suite", "column", "check"),
    [
        ("database_backup", "previous_median_bytes", "size_history"),
        ("database_backup_tables", "expected_fingerprint", "fingerprint_of_source"),
        ("database_backup_tables", "restored_fingerprint", "fingerprint_of_restored"),
    ],
)
def test_a_column_that_may_be_null_must_still_be_there(suite: str, column: str, check: str):
    assert run([GOOD[suite] | {column: None}], suite).passed
    without = {name: value for name, value in GOOD[suite].items() if name != column}
    assert [(each.id, each.target) for each in run([without], suite).failures()] == [(check, "*")]


def test_a_policy_that_asks_for_nothing_is_met_by_nothing():
    nothing = dict.fromkeys(("lock_verified", "lock_expected", "encrypted", "encryption_expected"), False)
    none = {"copies_expected": 0, "copies_verified": 0, "watermark_expected": False, "watermark_found": False}
    assert run([GOOD["database_backup"] | nothing | none], "database_backup").passed


def test_growth_a_missed_rto_what_waits_for_a_patch_and_what_may_not_be_seen_do_not_fail_a_run_and_all_else_does():
    mild = {(name, each.meta.id) for name in SUITES for each in load(name).expectations if each.severity != "critical"}
    assert mild == {
        ("database_backup", "size_growth"),
        ("database_backup", "rto"),
        ("performance_tuning", "all_seen"),
        ("security_patching", "nothing_late"),
        ("security_patching", "nothing_newer"),
        ("security_patching", "postgres_databases_seen"),
        ("security_patching", "postgres_extensions_left"),
    }
    for suite, lie, told in (
        ("database_backup", {"size_ratio": 2, "restore_seconds": 4000}, {"size_growth", "rto"}),
        ("performance_tuning", {"not_possible": 2}, {"all_seen"}),
        ("security_patching", {"late_updates": 4, "packages_besides": 1}, {"nothing_late", "nothing_newer"}),
    ):
        result = run([GOOD[suite] | lie], suite)
        assert result.passed
        assert _failed(result, GOOD[suite]["target"]) == told


def test_a_host_that_needed_no_reboot_and_one_for_which_nothing_was_meant_pass():
    nothing = {"reboot_expected": False, "rebooted": False, "packages_meant": 0, "packages_running": 0}
    unasked = {"target": "web-02", "reboot_expected": False}
    assert run([GOOD["security_patching"] | nothing, GOOD["security_patching"] | unasked], "security_patching").passed


def test_a_change_that_was_reverted_and_showed_no_gain_passes():
    row = GOOD["performance_tuning_changes"] | {"outcome": "reverted", "kept": False, "gain_shown": False}
    assert run([row], "performance_tuning_changes").passed


def test_a_resource_that_stays_needs_no_step_and_one_by_hand_no_measured_use():
    staying = {"sizes_moved": 0}
    by_hand = {"target": "spool", "use_needed": False, "use_known": False}
    assert run([GOOD["scale_resource"] | staying, GOOD["scale_resource"] | by_hand], "scale_resource").passed
