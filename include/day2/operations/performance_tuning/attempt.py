"""One recommendation tried on a living database: baseline, apply, measure, undo, measure again, keep or not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from day2.errors import Day2Error, PlanRefused, StepFailed
from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning import effect, goals, target
from day2.operations.performance_tuning.apply import NotUndone, apply, revert, state
from day2.operations.performance_tuning.effect import Effect, Trial, Verdict
from day2.operations.performance_tuning.measure import NotMeasurable, measure, old_sessions, texts
from day2.operations.performance_tuning.model import Change, Outcome, Recommendation
from day2.operations.performance_tuning.ready import Deferred, Host, require_ready
from day2.operations.performance_tuning.samples import Block
from day2.operations.performance_tuning.session import steadily
from day2.operations.performance_tuning.tried import measured, named, tried
from day2.postgres.server import Server

log = logging.getLogger("day2")

# Told before each step that changes something, so that a rerun knows where this one ended. Must be durable.
Note = Callable[[str, Mapping[str, Any]], None]
OUTCOMES: Mapping[Verdict, Outcome] = {"keep": "kept", "revert": "reverted", "unmeasured": "unmeasured"}
# Building an index twice more than this is not worth a second look without it.
TOGGLE_BYTES = 256_000_000


@dataclass(frozen=True)
class Attempt:
    """Where, what, and by which rules."""

    server: Server
    recommendation: Recommendation
    policy: TuningPolicy
    host: Host
    note: Note

    @property
    def change(self) -> Change:
        if self.recommendation.change is None:
            raise StepFailed("there is nothing to change here: it is for people", target=self.recommendation.object)
        return self.recommendation.change

    @property
    def toggles(self) -> bool:
        """Whether it can be undone and redone cheaply: then there is a second look without it."""
        if self.recommendation.kind in goals.NOT_FOR_STATEMENTS or not target.reversible(self.change):
            return False
        return self.change.takes_space <= TOGGLE_BYTES

    def watch(self, name: str) -> Block:
        """A block of time, as long as the policy says."""
        return measure(self.server, name, self.policy.measure.block, own=self.change.measured_by)


def attempt(
    server: Server, recommendation: Recommendation, policy: TuningPolicy, *, host: Host, note: Note
) -> dict[str, Any]:
    """Try it; returns the measures for the record, with an `outcome`.

    Raises NotUndone when something is left behind, Unavailable when the server does not come back.
    """
    this = Attempt(server, recommendation, policy, host, note)
    try:
        if why := not_to_be_tried(recommendation, policy):
            return tried(recommendation, "advised", why)
        require_ready(server, this.change, policy, host=host)
        return _try(this)
    except PlanRefused as refused:
        return tried(recommendation, "advised", refused.happened)
    except Deferred as later:
        return tried(recommendation, "deferred", later.happened)
    except NotMeasurable as error:
        return tried(recommendation, "unmeasured", error.happened, more={"error": error.as_dict()})
    except NotUndone:
        raise
    except StepFailed as error:
        log.error("%s: %s", server.dbname, error)
        return tried(recommendation, "failed", error.happened, more={"error": error.as_dict()})


def not_to_be_tried(recommendation: Recommendation, policy: TuningPolicy) -> str:
    """Why the policy leaves it to people."""
    change = recommendation.change
    if change is None:
        return recommendation.to_do or "there is no statement for it: people decide"
    if recommendation.risk in ("none", "high"):
        return f"its risk is {recommendation.risk}: people decide"
    if policy.mode == "apply_safe" and recommendation.risk != "safe":
        return f"its risk is {recommendation.risk}, and the policy applies safe changes only"
    if recommendation.kind in goals.SHOWS_LATER:
        return "its effect shows over weeks, not in blocks of time: people decide"
    about = target.of(change)
    setting = about.name if about.subject in ("setting", "database setting") else ""
    return policy.refuses(recommendation.kind, setting, about.value) or ""


def _try(this: Attempt) -> dict[str, Any]:
    baseline = this.watch(effect.BEFORE)
    if why := _not_measurable(this, baseline):
        return tried(this.recommendation, "unmeasured", f"{why}; nothing was changed")
    # A block may be long: somebody may have come, and the disk may have filled.
    require_ready(this.server, this.change, this.policy, host=this.host)
    before = state(this.server, this.change)
    this.note("apply", {"statement": this.change.statement, "reverse": this.change.reverse, "before": before})
    made = _make(this, before)
    this.note("applied", {"state": made})
    try:
        trial, found = _watched(this, baseline, before)
        done = _told(this, trial, goals.reached(this.recommendation, before, made, found))
    except NotUndone:
        raise
    except Day2Error:
        _take_back(this, before)
        raise
    _end(this, before, {**done, "state_before": before, "state_with": made}, in_place=trial.back is None)
    return {**done, "state_before": before, "state_with": made}


def _told(this: Attempt, trial: Trial, found: Effect) -> dict[str, Any]:
    outcome, says = OUTCOMES[found.verdict], found.says
    if found.verdict != "keep" and not target.reversible(this.change):
        outcome = "failed" if found.verdict == "revert" else outcome
        says = f"{says}; it was done, and there is nothing that undoes it"
    asked = [*trial.judged_by, *(each.queryid for each in found.guards if each.queryid)]
    done = tried(this.recommendation, outcome, says, more=measured(trial, found))
    return named(done, steadily(lambda: texts(this.server, asked)))


def _not_measurable(this: Attempt, baseline: Block) -> str:
    if why := effect.problem([baseline]):
        return why
    if this.recommendation.kind in goals.HARMLESS:
        return ""
    return effect.too_few_calls(baseline, this.change.measured_by, this.policy.measure)


def _make(this: Attempt, before: dict[str, Any]) -> dict[str, Any]:
    try:
        return apply(this.server, this.change, this.policy, before=before)
    except NotUndone:
        raise
    except StepFailed:
        this.note("reverted", {})
        raise


def _watched(this: Attempt, baseline: Block, before: dict[str, Any]) -> tuple[Trial, Effect]:
    """Watch with the change, and where it is cheap once more without; then judge."""
    made_at = time.monotonic()
    _settle(this)
    after, back = this.watch(effect.WITH), None
    if target.of(this.change).subject == "database setting":
        why = old_sessions(this.server, since=time.monotonic() - made_at, block=this.policy.measure.block)
        after = replace(after, problems=(*after.problems, *([why] if why else [])))
    if this.toggles:
        this.note("revert", {"before": before})
        revert(this.server, this.change, this.policy, before=before)
        _settle(this)
        back = this.watch(effect.AFTER)
    index = target.of(this.change).subject in ("index", "index rebuild")
    trial = Trial(baseline, after, back, this.change.measured_by, index=index)
    judge = effect.unharmed if this.recommendation.kind in goals.NOT_FOR_STATEMENTS else effect.decide
    return trial, judge(trial, this.policy.measure)


def _end(this: Attempt, before: dict[str, Any], done: dict[str, Any], *, in_place: bool) -> None:
    """What was measured decides what stays. The decision is noted first: a rerun completes it."""
    if done["outcome"] == "kept":
        this.note("keep", {"before": before, "result": done})
        if not in_place:
            _make(this, before)
        this.note("kept", {})
        return
    if in_place:
        _take_back(this, before)
    else:
        this.note("reverted", {})


def _take_back(this: Attempt, before: dict[str, Any]) -> None:
    this.note("revert", {"before": before})
    revert(this.server, this.change, this.policy, before=before)
    this.note("reverted", {})


def _settle(this: Attempt) -> None:
    """Caches and plans are new after a change: what they cost is not its effect."""
    time.sleep(this.policy.measure.settle.total_seconds())
