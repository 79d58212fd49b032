"""What became of a run: one verdict, decided from evidence, never from a task's colour alone.

A success means verified: every planned target has a succeeded outcome for each act step and passed its
critical checks, and no task says otherwise. Skipped is never passed. A task that is green without having
left its entry was marked by hand: that is an override.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Verdict = Literal["PASSED", "FAILED", "PARTIAL", "SUPPRESSED", "MISSED", "OVERRIDDEN", "CANCELLED", "DRY_RUN"]
Status = Literal["succeeded", "failed", "not_attempted", "not_applicable"]
Step = Literal["plan", "approve", "lock", "validate"]

BAD_STATES = frozenset({"failed", "upstream_failed"})
UNJUDGED = frozenset({"record", "close"})  # they run after the verdict, or because of it


@dataclass(frozen=True, kw_only=True)
class Try:
    """One try of an act step on a target. An intent without an outcome is `interrupted`."""

    step: str
    target: str
    attempt: int = 1
    outcome: Literal["succeeded", "failed", "interrupted"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. Its target is a planned target, a part of one (`orders/public.items`), or the run as a whole."""

    target: str
    passed: bool
    critical: bool = True


@dataclass(frozen=True, kw_only=True)
class Approval:
    attempt: int = 1
    decision: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a verdict depends on. `tries` are in the order they happened.

    `task_states` are Airflow's, by task id, or `task id[target]` for mapped tasks. `left_by` names the
    steps that wrote the entry they must write. `excused` targets need nothing, for a reason that holds.
    """

    act_steps: tuple[str, ...]
    targets: tuple[str, ...] = ()
    excused: frozenset[str] = frozenset()
    tries: tuple[Try, ...] = ()
    checks: tuple[Check, ...] = ()
    left_by: frozenset[Step] = frozenset()
    approvals: tuple[Approval, ...] = ()
    task_states: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""
    change: str = "standard"
    dry_run: bool = False
    ran: bool = True
    suppressed_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The verdict, why, what became of each target, and the tasks that were marked by hand."""

    verdict: Verdict
    reason: str
    targets: dict[str, Status]
    overrides: tuple[str, ...]


def decide(facts: Facts) -> Ruling:
    """Decide the verdict of a run or of a slot that never ran."""
    statuses = {target: _status(target, facts) for target in facts.targets}
    overrides = tuple(sorted(task for task, state in facts.task_states.items() if _by_hand(task, state, facts)))
    verdict, reason = _not_acting(facts) or _acted(facts, statuses, overrides)
    return Ruling(verdict=verdict, reason=reason, targets=statuses, overrides=overrides)


def covers(target: str, checked: str) -> bool:
    """Whether a check of `checked` is about this target: the target itself or a part of it."""
    return checked == target or checked.startswith(tuple(target + sign for sign in "/:. "))


def _not_acting(facts: Facts) -> tuple[Verdict, str] | None:
    """The verdicts of runs that were stopped before they acted, as they should have been."""
    if not facts.ran:
        return ("SUPPRESSED", facts.suppressed_by) if facts.suppressed_by else ("MISSED", "the slot never ran")
    acted = bool(facts.tries)
    if facts.suppressed_by and not acted:
        return "SUPPRESSED", facts.suppressed_by
    if facts.refusal:
        return "FAILED", facts.refusal
    if stopped := _stopped(facts):
        return stopped
    if not _due(facts):
        return "FAILED", "no target was planned"
    if facts.dry_run and (wrong := ["a dry run touched its targets"] if acted else _broken(facts)):
        return "FAILED", ", ".join(wrong)
    if facts.dry_run:
        return "DRY_RUN", "nothing was touched"
    return None


def _stopped(facts: Facts) -> tuple[Verdict, str] | None:
    latest = max((each.attempt for each in facts.approvals), default=0)
    decisions = {each.decision for each in facts.approvals if each.attempt == latest}
    acted = any(each.attempt >= latest for each in facts.tries)
    for decision in ("rejected", "expired", *(() if "approved" in decisions else ("refused",))):
        if decision in decisions:
            told = f"the approval was {decision}" if decision != "expired" else "the approval expired"
            return ("FAILED", f"{told}, and the run acted nevertheless") if acted else ("CANCELLED", told)
    if facts.change == "normal" and "approved" not in decisions and facts.tries:
        return "FAILED", "the run acted without an approval"
    return None


def _acted(facts: Facts, statuses: Mapping[str, Status], overrides: tuple[str, ...]) -> tuple[Verdict, str]:
    due = _due(facts)
    succeeded = [target for target in due if statuses[target] == "succeeded"]
    by_hand = {target for target in due if _marked(target, overrides, facts)}
    rest = [target for target in due if target not in succeeded and target not in by_hand]
    if rest:
        return ("PARTIAL" if succeeded else "FAILED"), f"not succeeded: {', '.join(rest)}"
    if overrides and not (broken := _broken(facts)):
        return "OVERRIDDEN", f"marked successful by hand: {', '.join(overrides)}"
    if overrides:
        return "FAILED", f"marked successful by hand: {', '.join(overrides)}; and {', '.join(broken)}"
    if contradictions := _contradictions(facts):
        return "FAILED", f"every target succeeded, and yet: {', '.join(contradictions)}"
    return "PASSED", f"{len(succeeded)} of {len(due)} targets verified"


def _due(facts: Facts) -> list[str]:
    return [target for target in facts.targets if target not in facts.excused]


def _status(target: str, facts: Facts) -> Status:
    if target in facts.excused:
        return "not_applicable"
    latest = _latest(target, facts)
    if not latest:
        return "not_attempted"
    acted = all(latest.get(step) == "succeeded" for step in facts.act_steps)
    return "succeeded" if acted and _agreed(target, facts) and _verified(target, facts) else "failed"


def _latest(target: str, facts: Facts) -> dict[str, str]:
    """How the last try of each step on this target ended."""
    return {each.step: each.outcome for each in facts.tries if each.target == target}


def _agreed(target: str, facts: Facts) -> bool:
    """No task that acted on this target is anything but green."""
    return all(state == "success" for task, state in facts.task_states.items() if _acts_on(task, target, facts))


def _verified(target: str, facts: Facts) -> bool:
    checks = [check for check in facts.checks if covers(target, check.target)]
    return bool(checks) and all(check.passed for check in checks if check.critical)


def _parts(task: str) -> tuple[str, str]:
    """`group.backup[orders]` is the step `backup` on the target `orders`."""
    step, _, index = task.partition("[")
    return step.rpartition(".")[2], index.removesuffix("]")


def _acts_on(task: str, target: str, facts: Facts) -> bool:
    step, index = _parts(task)
    return step in facts.act_steps and index in ("", target)


def _by_hand(task: str, state: str, facts: Facts) -> bool:
    """A task is green without the entry that it writes before it turns green."""
    step, index = _parts(task)
    if state != "success" or facts.dry_run:
        return False
    if step in facts.act_steps:
        targets = [index] if index else _due(facts)
        return any(_latest(target, facts).get(step) != "succeeded" for target in targets)
    return step in ("plan", "approve", "lock", "validate") and step not in facts.left_by


def _marked(target: str, overrides: tuple[str, ...], facts: Facts) -> bool:
    """Whether everything that this target lacks was marked by hand, and nothing of it failed."""
    latest = _latest(target, facts)
    gaps = [step for step in facts.act_steps if latest.get(step) != "succeeded"]
    marked = {_parts(task)[0] for task in overrides if _acts_on(task, target, facts)}
    refuted = any(covers(target, check.target) and check.critical and not check.passed for check in facts.checks)
    unchecked_by_hand = any(_parts(task)[0] == "validate" for task in overrides)
    return _agreed(target, facts) and not refuted and marked >= set(gaps) and (bool(gaps) or unchecked_by_hand)


def _contradictions(facts: Facts) -> list[str]:
    """What speaks against a run whose targets all succeeded."""
    told = [f"{task} is {state}" for task, state in sorted(facts.task_states.items()) if _against(task, state, facts)]
    loose = [check.target for check in facts.checks if check.critical and not check.passed]
    return told + [f"a critical check of {target or 'the run'} failed" for target in loose if not _owned(target, facts)]


def _broken(facts: Facts) -> list[str]:
    states = sorted(facts.task_states.items())
    return [f"{task} is {state}" for task, state in states if state in BAD_STATES and _parts(task)[0] not in UNJUDGED]


def _against(task: str, state: str, facts: Facts) -> bool:
    step, _ = _parts(task)
    if step in UNJUDGED:
        return False
    # A standing approval is written down, and nobody is asked: that approval may be skipped, nothing else.
    needed = step in ("plan", "lock", "validate") or step in facts.act_steps
    return state != "success" if needed else state in BAD_STATES


def _owned(checked: str, facts: Facts) -> bool:
    return any(covers(target, checked) for target in facts.targets)
