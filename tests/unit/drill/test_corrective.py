"""Gaps become actions; actions stay open, are carried from drill to drill, and are closed with a note."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from day2.errors import PlanRefused
from day2.operations.dr_drill import actions, card, corrective
from day2.operations.dr_drill.actions import Gap
from tests.unit.drill.drills import NORMAL, READINESS, Drill, whole

DUE = date(2026, 12, 15)


def gaps(drill: Drill) -> dict[str, Gap]:
    return {each.name: each for each in corrective.gaps(card.gather(drill.entries, drill.run))}


def opened(gap: str = "rto_missed", run: str = "dr_drill.production/manual__1") -> actions.Action:
    return actions.opened(Gap("orders", gap, "late"), environment="production", run=run, owner="shop-team", due=DUE)


def told(drill: Drill, action: actions.Action) -> Drill:
    body = action.body(drill.attempt)
    return drill.tell("corrective_action", **body)


def test_a_drill_that_went_well_leaves_nothing_to_do() -> None:
    assert gaps(whole()) == {}


def test_a_failed_check_is_a_gap() -> None:
    (gap,) = gaps(whole(fence_proven=False)).values()
    assert gap.name == "check:fence_proven"
    assert gap.target == "orders"
    assert "observed no" in gap.text


def test_a_missed_objective_is_one_gap_and_not_also_a_failed_check() -> None:
    drill = Drill().plan().approval().lock()
    drill.step("verify", 2.0, rto_seconds=75.0, rpo_seconds=9.5, lost=12).checks(rto=75.0, rpo=9.5)
    found = gaps(drill)
    assert sorted(found) == ["rpo_missed", "rto_missed"]
    assert found["rto_missed"].text == "recovery took 1 min 15 s, the RTO is 1 min 00 s"


def test_what_the_measures_say_is_a_gap_each() -> None:
    drill = Drill().plan().approval().lock()
    drill.step("declare", 0.1, readiness=[READINESS[0], READINESS[2] | {"ok": False, "observed": "1 GB free"}])
    drill.step("promote", 0.1, passed_over=[{"point": "p9", "why": "sha256 differs"}])
    drill.step("route", 0.1, simulated=True, kind="route53").step("rejoin", 9, means="reclone", streams=True)
    drill.step("switch_back", 3, redundant=False).step("clear_up", 1, leftovers=["slot day2_peer on orders-standby"])
    drill.step("watch", 1, split_brain=2)
    found = gaps(drill)
    assert sorted(found) == [
        "damaged:p9",
        "left_behind:slot day2_peer on orders-standby",
        "readiness:room for a clone",
        "recloned",
        "redundancy_lost",
        "route_simulated",
        "split_brain",
    ]
    warnings = {name for name, gap in found.items() if gap.severity == "warning"}
    assert warnings == {"readiness:room for a clone", "recloned", "route_simulated"}


def test_a_step_that_failed_and_then_succeeded_is_no_gap() -> None:
    drill = Drill().plan().approval().lock().step("fence", 1, failed="it still runs", state=NORMAL)
    assert gaps(drill)["step_failed:fence"].text == "the step fence failed: it still runs"
    assert gaps(drill.step("fence", 1, proven=True)) == {}


def test_a_manual_step_that_nobody_did_is_a_gap_and_one_that_was_done_later_is_not() -> None:
    drill = Drill().plan().approval().lock().manual("tell-the-shop", 60, "timed_out")
    assert gaps(drill)["manual_step:tell-the-shop"].text.endswith("nobody did it in time")
    assert gaps(drill.manual("tell-the-shop", 5)) == {}


def test_a_manual_step_whose_run_ended_before_the_answer_is_a_gap() -> None:
    asked = {"asked_at": "2026-11-15T06:30:00+00:00", "answered_at": None, "who": "", "result": "asked"}
    assert "manual_step:call" in gaps(Drill().plan().tell("manual_step", name="call", target="", **asked))


def test_the_same_gap_is_carried_and_not_opened_twice() -> None:
    first = told(whole(1), opened())
    known = actions.every(first.entries)
    (again,) = actions.carried([opened(run="dr_drill.production/manual__2")], known)
    assert (again.id, again.due, again.seen) == (known[0].id, DUE, 2)
    (other,) = actions.carried([opened("rpo_missed", run="dr_drill.production/manual__2")], known)
    assert other.seen == 1
    assert other.id != known[0].id


def test_how_often_it_was_found_counts_drills_and_not_tries() -> None:
    first = told(told(whole(1), opened()), opened())
    assert actions.every(first.entries)[0].seen == 1
    second = told(whole(2, seq=first.seq), opened())
    assert actions.every(first.entries + second.entries)[0].seen == 2


def test_a_closed_action_is_no_longer_open_and_the_gap_opens_a_new_one() -> None:
    drill = told(whole(1), opened())
    (action,) = actions.open_actions(drill.entries)
    drill.tell("corrective_action_closed", **actions.closing(action, who="ines", when="2026-11-20", note="more RAM"))
    assert actions.open_actions(drill.entries) == []
    (closed,) = actions.every(drill.entries)
    assert (closed.closed_by, closed.note, closed.state(DUE)) == ("ines", "more RAM", "closed 2026-11-20")
    (new,) = actions.carried([opened(run="dr_drill.production/manual__2")], [closed])
    assert new.id != closed.id


@pytest.mark.parametrize("note", ["", "  ", "ok"])
def test_closing_needs_a_note(note: str) -> None:
    with pytest.raises(PlanRefused, match="needs a note"):
        actions.closing(opened(), who="ines", when="2026-11-20", note=note)


def test_an_action_is_closed_once() -> None:
    drill = told(whole(1), opened())
    (action,) = actions.open_actions(drill.entries)
    drill.tell("corrective_action_closed", **actions.closing(action, who="ines", when="2026-11-20", note="more RAM"))
    with pytest.raises(PlanRefused, match="was closed on 2026-11-20 by ines"):
        actions.closing(actions.every(drill.entries)[0], who="jo", when="2026-11-21", note="again")


def test_after_its_due_date_an_action_is_overdue() -> None:
    action = opened()
    assert action.state(DUE) == "open"
    assert action.state(DUE + timedelta(days=3)) == "OVERDUE by 3 days"


def test_open_actions_come_soonest_due_first() -> None:
    drill = whole(1)
    for name, days in (("rto_missed", 3), ("rpo_missed", 1), ("split_brain", 2)):
        gap, due = Gap("orders", name, name), DUE + timedelta(days=days)
        told(drill, actions.opened(gap, environment="production", run=drill.run, owner="o", due=due))
    assert [each.gap for each in actions.open_actions(drill.entries)] == ["rpo_missed", "split_brain", "rto_missed"]
