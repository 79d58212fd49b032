"""What must not get worse for the sake of a change: other statements, the whole workload, writing, errors. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from day2.inventory.tuning import Measure
from day2.operations.performance_tuning.interval import Difference, Mix, difference
from day2.operations.performance_tuning.samples import Block, Cost, Totals

# A statement called less often says nothing about its cost.
FEWEST_CALLS = 5
# Statements watched, by each of their costs.
WATCHED = 100
# Extra cost below this share of the whole workload's is not worth losing a gain.
MATTERS = 0.02
# More blocks for one statement are a price, up to this share of what the change saves; more time never is.
PRICE = 0.5
# Every index costs a record of WAL a row: they may grow by so many times the tolerance of the other guards.
WAL_ALLOWANCE = 5
# Above this temporary files matter, in bytes in one block of time.
TEMPORARY = 1_000_000
# Share of transactions that may fail more than before.
FAILING = 0.01
# So many statements that a change cannot have touched tell how fast the machine itself was; fewer tell nothing.
UNTOUCHED = 3


@dataclass(frozen=True)
class Guard:
    """One thing watched, how it changed, and whether that is worse than the policy tolerates."""

    name: str
    difference: Difference
    worse: bool
    says: str
    queryid: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return {"name": self.name, "worse": self.worse, "says": self.says, **self.difference.as_dict()}


def guards(
    before: Sequence[Block], after: Block, own: Sequence[int], measure: Measure, *, pace: float = 1.0
) -> list[Guard]:
    """Everything watched beside the change's own statements. `pace` is by how much the machine itself was slower."""
    return [
        *_statements(before, after, own, measure, pace),
        *_workload(before, after, measure, pace),
        *_totals(before, after, measure),
    ]


def pace(before: Sequence[Block], after: Block, measure: Measure) -> float:
    """By how much the machine itself was slower after an index came or went: 1.2 is a fifth; never below 1.

    An index changes what a statement reads or writes, or it does not touch it at all. What statements with the
    same blocks and the same WAL take longer is other work on the machine.
    """
    then, now = _sum(before), after.statements
    tolerance = measure.guard_percent / 100

    def same(queryid: int, metric: str) -> bool:
        was, is_ = then[queryid].per_call(metric), now[queryid].per_call(metric)
        return abs(is_ - was) <= tolerance * was

    untouched = [each for each in called(before, after) if same(each, "blocks") and same(each, "wal")]
    grew = [now[each].per_call("ms") / then[each].per_call("ms") for each in untouched if then[each].ms]
    return max(1.0, median(grew)) if len(grew) >= UNTOUCHED else 1.0


def tolerated(metric: str, measure: Measure, *, pace: float) -> float:
    """The share by which a cost may grow. A slower machine makes everything take longer, and nothing read more."""
    tolerance = measure.guard_percent / 100
    return (1 + tolerance) * pace - 1 if metric == "ms" else tolerance


def called(before: Sequence[Block], after: Block) -> list[int]:
    """Statements that were called often enough on both sides to compare; of thousands, those that cost most."""
    then, now = _sum(before), after.statements
    often = [each for each in then if min(then[each].calls, now.get(each, Cost()).calls) >= FEWEST_CALLS]
    return sorted({each for metric in ("ms", "blocks", "wal") for each in _dearest(often, then, now, metric)})


def _dearest(queryids: Sequence[int], then: Mapping[int, Cost], now: Mapping[int, Cost], metric: str) -> list[int]:
    cost = {each: max(getattr(then[each], metric), getattr(now[each], metric)) for each in queryids}
    return sorted(cost, key=lambda each: -cost[each])[:WATCHED]


def _statements(
    before: Sequence[Block], after: Block, own: Sequence[int], measure: Measure, slower: float
) -> Iterator[Guard]:
    """Each statement that the change is not for."""
    then, now = _sum(before), after.statements
    for metric in ("ms", "blocks"):
        tolerance = tolerated(metric, measure, pace=slower)
        total = sum(getattr(each, metric) for each in then.values())
        saved = sum(_extra(then, now, each, metric) for each in own if each in then and each in now)
        for queryid in (each for each in called(before, after) if each not in own):
            extra = -_extra(then, now, queryid, metric)
            if extra <= tolerance * getattr(then[queryid], metric) or extra < MATTERS * total:
                continue
            at = Mix({queryid: 1.0}, measure.confidence_percent / 100)
            found = difference(metric, before, after, at=at)
            pays = metric == "blocks" and extra <= PRICE * saved
            worse = found.grew_beyond(tolerance) and not pays
            yield Guard(f"statement {queryid}", found, worse, _told(f"statement {queryid}", found), queryid)


def _workload(before: Sequence[Block], after: Block, measure: Measure, slower: float) -> Iterator[Guard]:
    """All statements at the mix of the time before: their time, blocks and WAL."""
    at = Mix.of(before, called(before, after), measure.confidence_percent / 100)
    if not at.weights:
        return
    for metric in ("ms", "blocks", "wal"):
        tolerance = tolerated(metric, measure, pace=slower) * (WAL_ALLOWANCE if metric == "wal" else 1)
        found = difference(metric, before, after, at=at)
        worse = found.grew_beyond(tolerance)
        yield Guard(f"workload {metric}", found, worse, _told("the whole workload", found))


def _totals(before: Sequence[Block], after: Block, measure: Measure) -> Iterator[Guard]:
    """What is counted by database: there are no slices to draw from, so each block before is the measure."""
    tolerance = measure.guard_percent / 100
    then, now = [each.totals for each in before], after.totals
    was, is_ = max(each.deadlocks for each in then), now.deadlocks
    yield _total("deadlocks", was, is_, worse=is_ > was)
    was, is_ = max(map(_failing, then)), _failing(now)
    yield _total("failed transactions", was, is_, worse=is_ > was + FAILING)
    was, is_ = max(map(_temporary, then)), _temporary(now)
    yield _total("temporary bytes", was, is_, worse=is_ > was * (1 + tolerance) and now.temp_bytes > TEMPORARY)


def _total(name: str, was: float, is_: float, *, worse: bool) -> Guard:
    share = (is_ / was - 1) if was else 0.0
    found = Difference(name, was, is_, share, share, share, was, was)
    return Guard(name, found, worse, f"{name}: {was:.4g} before, {is_:.4g} with it")


def _failing(one: Totals) -> float:
    ended = one.commits + one.rollbacks
    return one.rollbacks / ended if ended else 0.0


def _temporary(one: Totals) -> float:
    return one.temp_bytes / one.commits if one.commits else one.temp_bytes


def _sum(blocks: Sequence[Block]) -> dict[int, Cost]:
    found: dict[int, Cost] = {}
    for each in blocks:
        for queryid, cost in each.statements.items():
            found[queryid] = found.get(queryid, Cost()) + cost
    return found


def _extra(then: Mapping[int, Cost], now: Mapping[int, Cost], queryid: int, metric: str) -> float:
    """What a statement saves, at the calls it had before."""
    return (then[queryid].per_call(metric) - now[queryid].per_call(metric)) * then[queryid].calls


def _told(what: str, found: Difference) -> str:
    unit = {"ms": "ms", "blocks": "blocks", "wal": "records of WAL"}[found.metric]
    return f"{what}: {found.before:.4g} {unit} a call before, {found.after:.4g} with it ({found.share:+.0%})"
