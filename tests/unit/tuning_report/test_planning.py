"""The plan of a tuning run: what is tried, in which order, what is put off, and what an approver reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from day2 import inventory
from day2.control.freezes import Freeze
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.inventory import TuningPolicy
from day2.operations.performance_tuning import briefing, planning
from day2.operations.performance_tuning.model import Advice, Change, NotPossible, Recommendation
from day2.operations.performance_tuning.planning import Looked, Request
from tests.unit.tuning_report.runs import INDEX, other

NOW = datetime(2027, 3, 7, 2, 30, tzinfo=UTC)
ALWAYS = "lab-always-open"
MODERATE = replace(INDEX, risk="moderate")
HERE = next(each for each in inventory.environments() if each.name == "production")
WORK_MEM = other(
    change=Change("ALTER SYSTEM SET work_mem = '8MB'", "ALTER SYSTEM RESET work_mem", "none"),
    risk="moderate",
    score=0.4,
)
FOR_PEOPLE = other("long_transaction", "pid 4711", change=None, risk="none", to_do="ask its owner", score=0.9)


def environment(**changes: Any) -> Any:
    """Production with other windows, or another policy."""
    return HERE.model_copy(update=changes)


def policy(**changes: Any) -> TuningPolicy:
    return HERE.tuning_policy(HERE.database("billing")).model_copy(update=changes)


def looked(*found: Recommendation, **fields: Any) -> Looked:
    return Looked(Advice("billing", NOW.isoformat(), found), **fields)


def made(*found: Recommendation, here: Any = HERE, freezes: Any = (), dry_run: bool = False, **fields: Any) -> Any:
    request = Request(
        here, (here.database("billing"),), Trigger("manual", "op", "make it faster", ""), dry_run, "policy-hash"
    )
    return planning.make(request, {"billing": looked(*found, **fields)}, freezes=freezes, now=NOW)


def test_a_database_comes_first_and_its_changes_best_first_after_it():
    planned = made(FOR_PEOPLE, MODERATE, WORK_MEM)
    assert [each["name"] for each in planned["targets"]] == [
        "billing", f"{MODERATE.key} in billing", "setting:work_mem in billing",
    ]  # fmt: skip
    assert planned["change"] == "normal", "somebody has to approve"
    assert all(each["database"] == "billing" for each in planned["targets"])


def test_with_nothing_to_change_nobody_is_asked_and_no_window_is_needed():
    planned = made(FOR_PEOPLE, here=environment(windows=closed()))
    assert planned["change"] == "standard"
    assert len(planned["targets"]) == 1


def test_outside_of_a_window_nothing_is_changed():
    with pytest.raises(PlanRefused, match="no window for performance_tuning is open"):
        made(MODERATE, here=environment(windows=closed()))
    assert made(MODERATE, here=environment(windows=closed()), dry_run=True)["dry_run"]


def test_in_a_freeze_nothing_is_changed():
    sale = Freeze("sale", NOW - timedelta(days=1), NOW + timedelta(days=1))
    with pytest.raises(PlanRefused, match="the freeze 'sale' lasts until"):
        made(MODERATE, freezes=(sale,))


def test_what_an_earlier_run_left_in_the_middle_is_a_change_too():
    with pytest.raises(PlanRefused, match="no window"):
        made(here=environment(windows=closed()), unfinished=("setting:work_mem",))
    told = "\n".join(briefing.lines(made(unfinished=("setting:work_mem",))))
    assert "first what an earlier run left in the middle: setting:work_mem" in told


def test_one_run_tries_as_many_as_the_policy_says():
    found = [settings(f"work_mem{n}", score=1 - n / 100) for n in range(4)]
    rules = policy(max_changes=2, allow=policy().allow.model_copy(update={"settings": ("*",)}))
    chosen = planning.choose(looked(*found), rules, now=NOW)
    assert [each.object for each in chosen.changes] == ["work_mem0", "work_mem1"]
    assert [why for _, why in chosen.put_off] == ["the policy lets one run try 2 changes, best first"] * 2


def test_of_two_changes_of_one_object_the_first_is_tried():
    again = replace(WORK_MEM, kind="changed_by_hand", score=0.1)
    rules = policy(allow=policy().allow.model_copy(update={"kinds": ("setting", "changed_by_hand")}))
    chosen = planning.choose(looked(WORK_MEM, again), rules, now=NOW)
    assert chosen.changes == (WORK_MEM,)
    assert chosen.put_off[0][1] == "setting:work_mem changes the same object, and comes first"


def test_soon_after_a_patch_nothing_is_tried():
    found = looked(MODERATE, patched=NOW - timedelta(hours=2))
    chosen = planning.choose(found, policy(after_patch=timedelta(hours=3)), now=NOW)
    assert chosen.changes == ()
    assert "its server was patched; not before 1 h" in chosen.put_off[0][1]
    assert planning.choose(found, policy(after_patch=timedelta(hours=1)), now=NOW).changes == (MODERATE,)


@pytest.mark.parametrize(
    ("rehearse", "rehearsed"), [("never", [False, False]), ("moderate", [False, True]), ("always", [True, True])]
)
def test_what_is_first_tried_on_a_copy(rehearse: str, rehearsed: list[bool]):
    rules = HERE.policies.model_copy(
        update={"performance_tuning": HERE.policies.performance_tuning.model_copy(update={"rehearse": rehearse})}
    )
    planned = made(INDEX, WORK_MEM, here=environment(policies=rules))
    assert [each["rehearsed"] for each in planned["targets"][1:]] == rehearsed


def test_a_database_that_could_not_be_looked_at_stays_in_the_plan():
    request = Request(HERE, (HERE.database("billing"),), Trigger("scheduled", "", "", ""), False, "hash")
    planned = planning.make(request, {"billing": Looked(None, "it refuses connections")}, freezes=(), now=NOW)
    assert planned["targets"][0]["blocked"] == "it refuses connections"
    assert "billing: COULD NOT BE LOOKED AT: it refuses connections" in briefing.lines(planned)


def test_no_change_begins_that_would_not_end_in_time():
    planned = {"deadline": {"at": "2027-03-07T03:00:00Z", "why": "the cut-off of window 'night'"}}
    assert planning.too_late(planned, timedelta(minutes=30), NOW) == ""
    told = planning.too_late(planned, timedelta(minutes=31), NOW)
    assert told == "it would not end before 2027-03-07T03:00:00Z, the cut-off of window 'night'"
    assert planning.too_late({"deadline": None}, timedelta(days=1), NOW) == ""


def test_an_approver_reads_each_statement_and_what_undoes_it():
    hidden = NotPossible(("unused_index",), "uses are counted for 2 days", "wait")
    request = Request(HERE, (HERE.database("billing"),), Trigger("manual", "op", "faster", "CHG-1"), False, "hash")
    advice = Advice("billing", NOW.isoformat(), (MODERATE,), (hidden,))
    told = "\n".join(briefing.lines(planning.make(request, {"billing": Looked(advice)}, freezes=(), now=NOW)))
    for text in (
        "try 1 change on 1 database(s) of production, one at a time",
        "ticket: CHG-1",
        "changes up to moderate risk are made once a person approved them; payments stands on it",
        "does: CREATE INDEX CONCURRENTLY day2_x",
        "undone by: DROP INDEX CONCURRENTLY shop.day2_x",
        "locks: none; takes no space; first tried on a restored copy",
        "NOT SEEN: unused_index: uses are counted for 2 days; what helps: wait",
    ):
        assert text in told


def test_a_plan_is_bound_to_what_it_would_do():
    assert made(MODERATE)["digest"] != made(MODERATE, WORK_MEM)["digest"]
    assert made(MODERATE)["digest"] == made(MODERATE)["digest"]


def closed() -> Any:
    """Production's windows without the one that makes demos possible at any hour, on a weekday."""
    night = next(each for each in HERE.windows if each.name != ALWAYS)
    return (night.model_copy(update={"start": "0 1 * * 3"}),)


def settings(name: str, **changes: Any) -> Recommendation:
    change = Change(f"ALTER SYSTEM SET {name} = '8MB'", f"ALTER SYSTEM RESET {name}", "none")
    return other(name=name, change=change, **changes)
