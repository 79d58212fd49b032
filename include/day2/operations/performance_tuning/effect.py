"""Whether a change helped: keep it, revert it, or say that nobody can tell. Pure; never by the planner's cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from day2.inventory.tuning import Measure
from day2.operations.performance_tuning.guards import Guard, called, guards, pace, tolerated
from day2.operations.performance_tuning.interval import Difference, Mix, difference
from day2.operations.performance_tuning.samples import Block

Verdict = Literal["keep", "revert", "unmeasured"]
# The blocks of time, as names and as words.
BEFORE, WITH, AFTER = "before", "with", "after"
WORDS = {BEFORE: "before the change", WITH: "with the change", AFTER: "after taking it back"}
# Blocks first: they are the same on a busy machine. Time is what people feel.
METRICS = ("blocks", "ms")
# Before and after reverting, one cost may differ by so much: more is noise, or somebody else's change.
AGREE = 0.25


@dataclass(frozen=True)
class Effect:
    """What was measured, and what follows."""

    verdict: Verdict
    says: str
    own: tuple[Difference, ...] = ()
    guards: tuple[Guard, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {
            "verdict": self.verdict,
            "says": self.says,
            "own": [each.as_dict() for each in self.own],
            "guards": [each.as_dict() for each in self.guards],
        }


@dataclass(frozen=True)
class Trial:
    """Blocks of time before, with, and (where it could be undone cheaply) again without the change.

    `own`: the query ids the change is for; none means the whole workload. `index`: whether the change is an index,
    which slows no statement that reads and writes the same as before.
    """

    before: Block
    after: Block
    back: Block | None = None
    own: tuple[int, ...] = ()
    index: bool = False

    def pace(self, measure: Measure) -> float:
        """By how much the machine itself was slower with the change, as far as that can be told apart."""
        return pace(self.without, self.after, measure) if self.index else 1.0

    @property
    def without(self) -> list[Block]:
        return [self.before, self.back] if self.back else [self.before]

    @property
    def blocks(self) -> list[Block]:
        return [self.before, self.after, *([self.back] if self.back else [])]

    @property
    def judged_by(self) -> list[int]:
        """The statements whose cost decides: its own, as far as they were called."""
        if not self.own:
            return called(self.without, self.after)
        sides = [set(each.statements) for each in self.blocks]
        return sorted(each for each in self.own if all(each in side for side in sides))


def decide(trial: Trial, measure: Measure) -> Effect:
    """Keep only a sure gain that nothing else pays for; revert harm and no gain; else it was not measured."""
    if why := problem(trial.blocks):
        return Effect("unmeasured", why)
    slower, aside = trial.pace(measure), trial.judged_by if trial.own else ()
    watched = tuple(guards(trial.without, trial.after, aside, measure, pace=slower))
    own = tuple(_own(trial, measure))
    if why := _slower(own, measure, pace=slower):
        return Effect("revert", why, own, watched)
    if worse := [each.says for each in watched if each.worse]:
        return Effect("revert", f"it made something else worse: {'; '.join(worse)}", own, watched)
    if why := too_few(trial, measure):
        return Effect("unmeasured", why, own, watched)
    if why := _uneven(trial, measure):
        return Effect("unmeasured", why, own, watched)
    usable = [each for each in own if _agrees(trial, each)]
    if not usable:
        return Effect("unmeasured", _noise(trial, own), own, watched)
    least = measure.minimum_gain_percent / 100
    if gains := [each for each in usable if _gained(each, least)]:
        told = "; ".join(_sentence(each, measure) for each in gains)
        return Effect("keep", f"{told}; nothing else got worse", own, watched)
    return Effect("revert", f"no gain of at least {least:.0%}: {_sentence(usable[0], measure)}", own, watched)


def unharmed(trial: Trial, measure: Measure) -> Effect:
    """For a change that is not there to make statements cheaper: whether any got worse."""
    if why := problem(trial.blocks):
        return Effect("unmeasured", why)
    watched = tuple(guards(trial.without, trial.after, (), measure, pace=trial.pace(measure)))
    if worse := [each.says for each in watched if each.worse]:
        return Effect("revert", f"it made something worse: {'; '.join(worse)}", (), watched)
    if why := too_few(trial, measure) or _uneven(trial, measure):
        return Effect("unmeasured", why, (), watched)
    return Effect("keep", "no statement got worse", (), watched)


def problem(blocks: Sequence[Block]) -> str:
    """Why nothing may be concluded, whatever the figures say."""
    return "; ".join(f"{WORDS.get(each.name, each.name)} {why}" for each in blocks for why in each.problems)


def too_few(trial: Trial, measure: Measure) -> str:
    """Why there was not enough to measure: nobody called the statements."""
    for block in trial.blocks:
        if why := too_few_calls(block, trial.own, measure):
            return why
    return "" if trial.judged_by else "no statement was called often enough both before and with the change"


def too_few_calls(block: Block, own: Sequence[int], measure: Measure) -> str:
    """Why one block is too thin to measure."""
    calls, when = calls_of(block, own), WORDS.get(block.name, block.name)
    if calls == 0:
        return f"nothing measurable: {when} none of the statements was called in {block.seconds:.0f} s"
    if calls < measure.minimum_calls:
        return f"{when} only {calls:.0f} calls in {block.seconds:.0f} s; {measure.minimum_calls} are needed"
    return ""


def calls_of(block: Block, own: Sequence[int]) -> float:
    """How often the statements were called; all of them if none is named."""
    return sum(cost.calls for queryid, cost in block.statements.items() if not own or queryid in own)


def _own(trial: Trial, measure: Measure) -> list[Difference]:
    at = Mix.of(trial.without, trial.judged_by, measure.confidence_percent / 100)
    if not at.weights:
        return []
    return [difference(metric, trial.without, trial.after, at=at) for metric in METRICS]


def _slower(own: Sequence[Difference], measure: Measure, *, pace: float) -> str:
    tolerance = tolerated("ms", measure, pace=pace)
    worse = [each for each in own if each.metric == "ms" and each.grew_beyond(tolerance)]
    return f"its own statements got slower: {_sentence(worse[0], measure)}" if worse else ""


def _uneven(trial: Trial, measure: Measure) -> str:
    """Why blocks cannot be compared: other load. Only with the change it may be higher: that flatters nothing."""
    most = measure.load_percent / 100
    loads = [each.calls_per_second for each in trial.without]
    if min(loads) < (1 - most) * max(loads):
        told = " and ".join(f"{each:.1f}" for each in loads)
        return f"the load was not the same without the change: {told} calls a second"
    if trial.after.calls_per_second < (1 - most) * min(loads):
        return f"the load fell from {min(loads):.1f} to {trial.after.calls_per_second:.1f} calls a second"
    return ""


def _agrees(trial: Trial, found: Difference) -> bool:
    """Whether a metric is steady enough. Time alone, without a second look at the time without it, is not."""
    if trial.back is None:
        return found.metric == "blocks"
    return found.worst - found.best <= AGREE * found.worst


def _gained(found: Difference, least: float) -> bool:
    """Surely less, and by enough even against the better of the blocks without the change."""
    return found.high < 0 and found.share <= -least and found.after <= (1 - least) * found.best


def _noise(trial: Trial, own: Sequence[Difference]) -> str:
    if trial.back is None:
        return "only time could tell, and that needs a second look without the change"
    told = "; ".join(f"{each.best:.4g} and {each.worst:.4g} {each.metric}" for each in own)
    return f"without the change the same statements cost differently from time to time: {told} a call"


def _sentence(found: Difference, measure: Measure) -> str:
    return (
        f"{found.before:.4g} {found.metric} a call without it, {found.after:.4g} with it: {found.share:+.1%} "
        f"({measure.confidence_percent:.0f} % interval {found.low:+.1%} to {found.high:+.1%})"
    )
