"""Every rule of the verdict, and what must hold for any facts at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.ledger.verdict import Approval, Check, Facts, Try, covers, decide

GOOD = Facts(
    act_steps=("backup",),
    targets=("orders", "billing"),
    tries=(
        Try(step="backup", target="orders", outcome="succeeded"),
        Try(step="backup", target="billing", outcome="succeeded"),
    ),
    checks=(Check(target="orders", passed=True), Check(target="billing/public.items", passed=True)),
    left_by=frozenset({"plan", "approve", "lock", "validate"}),
    approvals=(Approval(decision="approved"),),
    task_states={
        "plan": "success",
        "approve": "success",
        "lock": "success",
        "backup[orders]": "success",
        "backup[billing]": "success",
        "validate": "success",
        "record": "running",
    },
)


def states(**changed: str) -> dict[str, str]:
    """GOOD's states with some changed: `backup__orders` is the mapped task `backup[orders]`."""
    named = {f"{step}[{index}]" if index else step: state for (step, _, index), state in _split(changed)}
    return dict(GOOD.task_states) | named


def _split(changed: dict[str, str]) -> list[tuple[tuple[str, str, str], str]]:
    return [(task.partition("__"), state) for task, state in changed.items()]


def without(target: str) -> tuple[Try, ...]:
    return tuple(each for each in GOOD.tries if each.target != target)


def verdict(**changed: Any) -> str:
    return decide(replace(GOOD, **changed)).verdict


def test_everything_verified_is_passed() -> None:
    ruling = decide(GOOD)
    assert (ruling.verdict, ruling.overrides) == ("PASSED", ())
    assert ruling.targets == {"orders": "succeeded", "billing": "succeeded"}


def test_some_targets_verified_is_partial_and_none_is_failed() -> None:
    failed = Try(step="backup", target="orders", outcome="failed")
    some = decide(replace(GOOD, tries=(*without("orders"), failed), task_states=states(backup__orders="failed")))
    assert (some.verdict, some.targets["orders"], some.targets["billing"]) == ("PARTIAL", "failed", "succeeded")
    assert "orders" in some.reason
    assert verdict(targets=("orders",), tries=(failed,), task_states=states(backup__orders="failed")) == "FAILED"


def test_every_act_step_is_needed() -> None:
    assert verdict(act_steps=("backup", "copy")) == "FAILED"


def test_a_target_nobody_touched_is_not_attempted() -> None:
    ruling = decide(replace(GOOD, tries=without("orders"), task_states=states(backup__orders="skipped")))
    assert (ruling.verdict, ruling.targets["orders"]) == ("PARTIAL", "not_attempted")


def test_an_intent_without_an_outcome_fails_its_target() -> None:
    cut = Try(step="backup", target="orders", outcome="interrupted")
    assert decide(replace(GOOD, tries=(*without("orders"), cut), task_states={})).targets["orders"] == "failed"


def test_a_later_try_heals_an_earlier_one_and_the_other_way_round() -> None:
    cut = Try(step="backup", target="orders", outcome="interrupted")
    assert verdict(tries=(cut, *GOOD.tries)) == "PASSED"
    assert verdict(tries=(*GOOD.tries, cut), task_states={}) == "PARTIAL"


def test_a_target_without_checks_is_not_verified() -> None:
    assert decide(replace(GOOD, checks=GOOD.checks[:1])).targets == {"orders": "succeeded", "billing": "failed"}
    assert verdict(checks=()) == "FAILED"


def test_a_failed_critical_check_fails_its_target_and_a_warning_does_not() -> None:
    assert verdict(checks=(*GOOD.checks, Check(target="orders/public.t", passed=False))) == "PARTIAL"
    assert verdict(checks=(*GOOD.checks, Check(target="orders", passed=False, critical=False))) == "PASSED"


def test_a_failed_check_of_the_whole_run_fails_the_run() -> None:
    assert verdict(checks=(*GOOD.checks, Check(target="", passed=False))) == "FAILED"


@pytest.mark.parametrize("task", ["validate", "lock", "plan", "unlock", "prune", "approve"])
def test_a_failed_task_is_never_passed_whatever_the_entries_say(task: str) -> None:
    assert verdict(task_states=states(**{task: "failed"})) == "FAILED"


def test_a_task_that_failed_after_its_outcome_fails_its_target() -> None:
    assert verdict(task_states=states(backup__orders="failed")) == "PARTIAL"


@pytest.mark.parametrize("task", ["validate", "lock", "plan", "backup[orders]"])
def test_skipped_is_never_passed(task: str) -> None:
    assert verdict(task_states=dict(GOOD.task_states) | {task: "skipped"}) in ("FAILED", "PARTIAL")


def test_a_skipped_undo_is_as_it_should_be() -> None:
    assert verdict(task_states=states(undo="skipped")) == "PASSED"


def test_the_steps_that_judge_are_not_judged() -> None:
    assert verdict(task_states=states(record="failed", close="upstream_failed")) == "PASSED"


@pytest.mark.parametrize("tries", [(), (Try(step="backup", target="orders", outcome="failed"),)])
def test_a_green_act_without_a_good_outcome_is_an_override(tries: tuple[Try, ...]) -> None:
    ruling = decide(replace(GOOD, tries=(*without("orders"), *tries), checks=GOOD.checks[1:]))
    assert (ruling.verdict, ruling.overrides) == ("OVERRIDDEN", ("backup[orders]",))
    assert ruling.targets["orders"] != "succeeded"


def test_a_green_act_of_all_targets_in_one_task_without_outcomes_is_an_override() -> None:
    ruling = decide(replace(GOOD, tries=(), checks=(), task_states={"acts.backup": "success"}))
    assert (ruling.verdict, ruling.overrides) == ("OVERRIDDEN", ("acts.backup",))


@pytest.mark.parametrize("step", ["approve", "lock"])
def test_a_green_step_that_left_no_entry_is_an_override(step: str) -> None:
    ruling = decide(replace(GOOD, left_by=GOOD.left_by - {step}))
    assert (ruling.verdict, ruling.overrides) == ("OVERRIDDEN", (step,))


def test_a_green_validate_without_checks_is_an_override() -> None:
    ruling = decide(replace(GOOD, left_by=GOOD.left_by - {"validate"}, checks=()))
    assert (ruling.verdict, ruling.overrides) == ("OVERRIDDEN", ("validate",))
    assert set(ruling.targets.values()) == {"failed"}


def test_an_override_does_not_hide_a_failure_elsewhere() -> None:
    failed = Try(step="backup", target="billing", outcome="failed")
    marked = replace(GOOD, tries=(failed,), task_states=states(backup__billing="failed"))
    assert (decide(marked).verdict, decide(marked).overrides) == ("FAILED", ("backup[orders]",))
    assert verdict(left_by=frozenset({"plan"}), task_states=states(unlock="failed")) == "FAILED"


def test_an_override_does_not_excuse_a_check_that_failed() -> None:
    failed = (Check(target="orders", passed=False), GOOD.checks[1])
    ruling = decide(replace(GOOD, tries=without("orders"), checks=failed))
    assert (ruling.verdict, ruling.overrides) == ("PARTIAL", ("backup[orders]",))


def test_an_override_of_one_step_does_not_excuse_another() -> None:
    two = replace(GOOD, act_steps=("backup", "copy"), targets=("orders",), task_states={"copy[orders]": "success"})
    failed = Try(step="backup", target="orders", outcome="failed")
    assert decide(two).verdict == "OVERRIDDEN"
    assert decide(replace(two, tries=(failed,))).verdict == "FAILED"


@pytest.mark.parametrize("decision", ["rejected", "expired", "refused"])
def test_without_an_approval_the_run_is_cancelled(decision: str) -> None:
    stopped = {"tries": (), "checks": (), "approvals": (Approval(decision=decision),)}
    assert verdict(**stopped, task_states={"approve": "success", "backup[orders]": "skipped"}) == "CANCELLED"


def test_one_rejection_among_approvals_cancels_and_one_refused_approver_does_not() -> None:
    given_, rejected, refused = (Approval(decision=each) for each in ("approved", "rejected", "refused"))
    assert verdict(tries=(), approvals=(rejected, given_)) == "CANCELLED"
    assert verdict(approvals=(refused, given_)) == "PASSED"


def test_an_approval_of_a_later_attempt_replaces_an_earlier_rejection() -> None:
    assert verdict(approvals=(Approval(decision="rejected"), Approval(decision="approved", attempt=2))) == "PASSED"


@pytest.mark.parametrize("decision", ["rejected", "expired", "refused"])
def test_acting_against_a_decision_is_failed(decision: str) -> None:
    assert verdict(approvals=(Approval(decision=decision),)) == "FAILED"


def test_a_normal_change_needs_an_approval_on_file() -> None:
    assert verdict(change="normal") == "PASSED"
    assert verdict(change="normal", approvals=()) == "FAILED"
    assert verdict(change="emergency", approvals=()) == "PASSED"


def test_a_refused_plan_is_failed_with_the_refusal() -> None:
    ruling = decide(replace(GOOD, targets=(), tries=(), refusal="2 hosts exceed the blast radius of 1"))
    assert (ruling.verdict, ruling.reason) == ("FAILED", "2 hosts exceed the blast radius of 1")


def test_a_dry_run_is_its_own_verdict_unless_it_touched_something_or_broke() -> None:
    dry = {"dry_run": True, "checks": (), "task_states": {"plan": "success", "backup[orders]": "skipped"}}
    assert verdict(**dry, tries=()) == "DRY_RUN"
    assert verdict(**dry) == "FAILED"
    assert verdict(**dry | {"task_states": {"prune": "failed"}}, tries=()) == "FAILED"
    assert verdict(**dry, tries=(), refusal="no") == "FAILED"


@pytest.mark.parametrize("dry_run", [False, True])
def test_no_target_is_failed(dry_run: bool) -> None:
    assert verdict(targets=(), tries=(), dry_run=dry_run) == "FAILED"
    assert verdict(excused=frozenset(GOOD.targets), dry_run=dry_run) == "FAILED"


def test_an_excused_target_is_not_applicable_and_needs_nothing() -> None:
    ruling = decide(replace(GOOD, excused=frozenset({"orders"}), tries=without("orders"), task_states={}))
    assert (ruling.verdict, ruling.targets["orders"]) == ("PASSED", "not_applicable")


def test_a_slot_that_never_ran_is_missed_unless_somebody_suppressed_it() -> None:
    assert verdict(ran=False) == "MISSED"
    assert verdict(ran=False, suppressed_by="CHG-12") == "SUPPRESSED"
    assert verdict(suppressed_by="CHG-12", tries=()) == "SUPPRESSED"
    assert verdict(suppressed_by="CHG-12") == "PASSED", "what acted was not suppressed"


@pytest.mark.parametrize(
    ("checked", "covered"),
    [
        ("orders", True),
        ("orders/public.t", True),
        ("orders: t", True),
        ("orders-old", False),
        ("billing", False),
        ("", False),
    ],
)
def test_a_check_of_a_part_is_about_its_target(checked: str, covered: bool) -> None:
    assert covers("orders", checked) is covered


TASKS = st.sampled_from(["plan", "approve", "lock", "validate", "undo", "close", "backup", "backup[orders]"])


def mostly(good: Any, *bad: Any) -> st.SearchStrategy[Any]:
    """Runs are mostly well: otherwise hardly a random one would pass, and the properties would be empty."""
    return st.sampled_from([good] * 12 + list(bad))


@st.composite
def runs(draw: st.DrawFn) -> Facts:
    targets = draw(mostly(("orders", "billing"), (), ("orders",), ("orders", "billing", "web-01")))
    steps = draw(mostly(("backup",), ("backup", "copy")))
    pairs = [(step, target) for target in targets for step in steps]
    outcomes = mostly(["succeeded"], [], ["failed"], ["interrupted"], ["failed", "succeeded"], ["succeeded", "failed"])
    checks = mostly(
        [(True, True)], [], [(False, True)], [(False, False)], [(True, False)], [(True, True), (False, True)]
    )
    state = mostly("success", "failed", "skipped", "upstream_failed", "removed")
    tasks = ["plan", "lock", "validate", *(f"{step}[{target}]" for step, target in pairs)]
    return Facts(
        act_steps=steps,
        targets=targets,
        excused=draw(mostly(frozenset(), frozenset({"orders"}), frozenset(targets))),
        tries=tuple(Try(step=step, target=each, outcome=end) for step, each in pairs for end in draw(outcomes)),
        checks=tuple(Check(target=each, passed=ok, critical=hard) for each in targets for ok, hard in draw(checks)),
        left_by=frozenset(draw(mostly(["plan", "approve", "lock", "validate"], ["plan"], []))),
        approvals=tuple(Approval(decision=each) for each in draw(mostly(["approved"], [], ["rejected"], ["expired"]))),
        task_states={task: draw(state) for task in draw(mostly(tasks, []))},
        refusal=draw(mostly("", "refused")),
        change=draw(mostly("standard", "normal", "emergency")),
        dry_run=draw(mostly(False, True)),
    )


FACTS = runs()


@settings(deadline=None)
@given(FACTS)
def test_passed_means_that_each_target_is_proven_and_nothing_speaks_against_it(facts: Facts) -> None:
    ruling = decide(facts)
    if ruling.verdict != "PASSED":
        return
    due = [target for target in facts.targets if target not in facts.excused]
    assert due
    for target in due:
        for step in facts.act_steps:
            assert [t.outcome for t in facts.tries if (t.step, t.target) == (step, target)][-1] == "succeeded"
        checks = [check for check in facts.checks if check.target == target]
        assert checks
        assert all(check.passed for check in checks if check.critical)
    judged = {task: state for task, state in facts.task_states.items() if task not in ("record", "close")}
    assert not set(judged.values()) & {"failed", "upstream_failed"}
    assert not any((ruling.overrides, facts.refusal, facts.dry_run))


@settings(deadline=None)
@given(FACTS)
def test_a_verdict_fits_what_it_says_of_its_targets(facts: Facts) -> None:
    ruling = decide(facts)
    due = [status for status in ruling.targets.values() if status != "not_applicable"]
    assert set(ruling.targets) == set(facts.targets)
    assert ruling.reason
    if ruling.verdict == "PASSED":
        assert set(due) == {"succeeded"}
    if ruling.verdict == "PARTIAL":
        assert "succeeded" in due
        assert set(due) != {"succeeded"}
    if ruling.verdict == "OVERRIDDEN":
        assert ruling.overrides
    if ruling.verdict == "DRY_RUN":
        assert set(due) == {"not_attempted"}


@settings(deadline=None)
@given(FACTS, TASKS)
def test_marking_a_task_green_never_makes_a_run_pass(facts: Facts, task: str) -> None:
    bare = replace(facts, tries=(), task_states=dict(facts.task_states) | {task: "success"})
    assert decide(bare).verdict != "PASSED"


@settings(deadline=None)
@given(FACTS)
def test_losing_a_check_or_an_outcome_never_makes_a_run_pass(facts: Facts) -> None:
    if decide(facts).verdict != "PASSED":
        assert decide(replace(facts, checks=())).verdict != "PASSED"
        assert decide(replace(facts, tries=())).verdict != "PASSED"
