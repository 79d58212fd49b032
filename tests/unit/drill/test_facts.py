"""From a drill's measures to facts: what was not measured never passes, what does not apply is said."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill import facts
from day2.validation import run
from day2.validation.suite import load

POLICY = DrillPolicy(rto="PT1M", rpo="PT10S", verify_writes=3)
REBUILD = DrillPolicy(rto="PT1H", rpo="P1D", verify_writes=3, strategy="restore")
STATE = {"state": "orders is stopped; …", "safe_to_abort": False}
WHOLE: dict[str, dict[str, Any]] = {
    "declare": {"declared_at": "2026-11-23T06:00:00+00:00", "readiness_red": 0},
    "fence": {"proof": "its host says stopped", "seconds": 1.0},
    "replay": {"already": False, "lag_bytes": 0, "last_commit": "2026-11-23T05:59:59.9Z"},
    "promote": {"already": False, "old_timeline": 1, "timeline": 2},
    "route": {"kind": "multi_host", "simulated": False},
    "verify": {
        "outside_writes": 3, "timeline": 2, "previous_timeline": 1, "rto_seconds": 9.5, "rpo_seconds": 0.0, "lost": 0,
        "rpo_method": "markers", "lost_after_recovery": 0, "assertions": [{"ok": True}], "health": [],
    },
    "rejoin": {"means": "rewind", "timeline": 2},
    "switch_back": {
        "outage_seconds": 0.4, "streams": True, "outside_writes_after_failback": 3, "lost_by_failback": 0,
    },
    "watch": {"beats_checked": 99, "split_brain": 0, "silences": []},
    "clear_up": {"leftovers": [], "whole": True},
}  # fmt: skip
BACK = ("rejoin", "switch_back")
LIVE = {name: told for name, told in WHOLE.items() if name not in BACK}
FAILBACK = {name: WHOLE[name] for name in ("rejoin", "switch_back", "watch", "clear_up")}
REBUILT = LIVE | {
    "fence": {"proven": True, "needed": False},
    "promote": {"restore_tables_expected": 4, "restore_tables_equal": 4, "timeline": None},
    "verify": WHOLE["verify"] | {"lost": None, "rpo_seconds": 7200.0, "rpo_method": "recovery point", "timeline": 1},
}
CASES = [(WHOLE, POLICY, "drill"), (LIVE, POLICY, "live"), (FAILBACK, POLICY, "failback"), (REBUILT, REBUILD, "drill")]
IDS = ["drill", "live", "failback", "rebuild"]


# One change to a whole drill, and the one check that must see it.
GAPS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("declare", {"readiness_red": 2}, {"readiness"}),
    ("fence", {"proof": "", "proven": False}, {"fence"}),
    ("promote", {"old_timeline": 2}, {"timeline"}),
    ("verify", {"rto_seconds": 60.5}, {"rto"}),
    ("verify", {"rpo_seconds": 11.0, "lost": 4}, {"rpo", "lost"}),
    ("verify", {"outside_writes": 2}, {"outside_writes"}),
    ("verify", {"assertions": [{"ok": True}, {"ok": False}]}, {"assertions"}),
    ("verify", {"health": [{"ok": False}]}, {"health"}),
    ("verify", {"lost_after_recovery": 1}, {"lost_after_recovery"}),
    ("switch_back", {"lost_by_failback": 1}, {"lost_by_failback"}),
    ("switch_back", {"streams": False}, {"redundant"}),
    ("watch", {"split_brain": 1}, {"split_brain"}),
    ("watch", {"silences": [{}]}, {"probe_gaps"}),
    ("watch", {"beats_checked": 3}, {"beats"}),
    ("clear_up", {"leftovers": ["slot day2_peer"]}, {"leftovers"}),
]
# What these do is proven by what the outside probe saw; a step that failed is a failed run in any case.
SEEN_FROM_OUTSIDE = {"replay", "route", "promote"}
NOT_ASKED = {"live": {"declare"}, "rebuild": {"fence"}}


def _stories() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every story these tests judge: Great Expectations judges all of them at once."""
    for (measured, policy, mode), name in zip(CASES, IDS, strict=True):
        yield name, facts.row(name, measured, policy, mode=mode)
        yield f"{name}, nothing", facts.row(f"{name}, nothing", {}, policy, mode=mode)
        for step in measured:
            # As a step that never ran leaves it, and as a failed try does: only the state.
            absent = {other: told for other, told in measured.items() if other != step}
            for how, told in (("absent", absent), ("failed", measured | {step: STATE})):
                called = f"{name}, {step} {how}"
                yield called, facts.row(called, told, policy, mode=mode)
    for number, (step, change, _) in enumerate(GAPS):
        yield f"gap {number}", facts.row(f"gap {number}", WHOLE | {step: WHOLE[step] | change}, POLICY, mode="drill")


@cache
def _judged() -> dict[str, set[str]]:
    rows = dict(_stories())
    result = run(list(rows.values()), facts.SUITE)
    return {name: {each.id for each in result.checks if each.target == name and not each.passed} for name in rows}


@pytest.mark.parametrize("name", IDS)
def test_a_whole_run_of_each_mode_passes(name):
    assert _judged()[name] == set()


@pytest.mark.parametrize(("measured", "policy", "mode"), CASES, ids=IDS)
def test_every_fact_of_the_suite_is_there_and_no_other(measured, policy, mode):
    columns = {column for each in load(facts.SUITE).expectations for column in each.columns}
    assert facts.row("orders", measured, policy, mode=mode).keys() == columns


@pytest.mark.parametrize("how", ["absent", "failed"])
@pytest.mark.parametrize(("case", "name"), zip(CASES, IDS, strict=True), ids=IDS)
def test_a_step_that_failed_or_never_ran_fails_checks(case, name, how):
    asked = set(case[0]) - SEEN_FROM_OUTSIDE - NOT_ASKED.get(name, set())
    assert {step for step in asked if not _judged()[f"{name}, {step} {how}"]} == set()


@pytest.mark.parametrize("name", IDS)
def test_nothing_measured_fails_and_names_what_is_missing(name):
    missing = {each for each in _judged()[f"{name}, nothing"] if each.startswith("measured.")}
    assert {"measured.leftovers", "measured.split_brain", "measured.probe_gaps"} <= missing


@pytest.mark.parametrize("number", range(len(GAPS)), ids=["-".join(sorted(caught)) for _, _, caught in GAPS])
def test_each_gap_is_caught_by_its_own_check(number):
    assert _judged()[f"gap {number}"] == GAPS[number][2]


@pytest.mark.parametrize(
    ("lost", "seconds", "rpo", "beyond"),
    [(0, 0.0, "PT0S", 0), (3, 2.0, "PT10S", 0), (3, 12.0, "PT10S", 3), (3, 2.0, "PT0S", 3), (3, 0.0, "PT10S", 3)],
)
def test_lost_commits_are_allowed_within_the_rpo_only(lost, seconds, rpo, beyond):
    told = WHOLE | {"verify": WHOLE["verify"] | {"lost": lost, "rpo_seconds": seconds}}
    policy = DrillPolicy(rpo=rpo)
    assert facts.row("orders", told, policy, mode="drill")["lost_beyond_policy"] == beyond


def test_what_does_not_apply_is_named_with_its_reason():
    told = facts.row("orders", LIVE, POLICY, mode="live")["not_applicable"]
    assert "switched_back: an emergency stays in the recovery region until a failback" in told
    assert "rto_seconds" not in told
    assert (
        "rto_seconds: a failback recovers nothing"
        in facts.row("o", FAILBACK, POLICY, mode="failback")["not_applicable"]
    )


def test_commits_that_could_not_be_counted_are_said_so():
    verified = WHOLE["verify"] | {"lost": None, "rpo_method": "last replayed commit"}
    told = facts.row("orders", LIVE | {"verify": verified}, POLICY, mode="live")
    assert "lost: the RPO was measured from the last replayed commit, without markers" in told["not_applicable"]
