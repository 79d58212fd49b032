"""How much a cost changed, with an interval around it: a bootstrap over the slices of blocks. Pure, seeded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from day2.operations.performance_tuning.samples import Block, Cost, Slice

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

RESAMPLES = 2000
SEED = 20261123


@dataclass(frozen=True)
class Difference:
    """A cost before and with a change, and by what share it grew: -0.3 is 30 % less, with its interval.

    `best` and `worst` are of the blocks without the change, each by itself.
    """

    metric: str
    before: float
    after: float
    share: float
    low: float
    high: float
    best: float
    worst: float

    def grew_beyond(self, tolerance: float) -> bool:
        """Whether it grew by more than that: surely, and beyond each of the blocks without the change."""
        return self.low > tolerance and self.after > (1 + tolerance) * self.worst

    def as_dict(self) -> dict[str, Any]:
        """For the record: what is infinite is told as none, as JSON has no word for it."""
        return {key: None if each in (math.inf, -math.inf) else each for key, each in asdict(self).items()
                if key not in ("best", "worst")}  # fmt: skip


@dataclass(frozen=True)
class Mix:
    """Statements by what share of the calls each has: both sides are compared at it, with this confidence."""

    weights: Mapping[int, float]
    confidence: float = 0.95

    @classmethod
    def of(cls, blocks: Sequence[Block], queryids: Sequence[int], confidence: float = 0.95) -> Mix:
        """The mix in these blocks."""
        calls = {each: sum(block.statements.get(each, Cost()).calls for block in blocks) for each in queryids}
        total = sum(calls.values())
        return cls({each: count / total for each, count in calls.items() if total and count}, confidence)


def difference(metric: str, before: Sequence[Block], after: Block, *, at: Mix) -> Difference:
    """How the cost of one call grew, at the same mix of statements on both sides. Slices are drawn within blocks."""
    import numpy as np

    random = np.random.default_rng(SEED)
    old = _per_call([each.slices for each in before], metric, at, random)
    new = _per_call([after.slices], metric, at, random)
    then, now = float(old[0]), float(new[0])
    alone = [per_call(each, metric, at) for each in before]
    if then == 0:
        grew = 0.0 if now == 0 else math.inf
        return Difference(metric, then, now, grew, grew, grew, min(alone), max(alone))
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = new[1:] / old[1:] - 1
    tail = _tail(at.confidence, min(len(each.slices) for each in [*before, after]))
    low, high = np.quantile(shares[np.isfinite(shares)], [tail, 1 - tail])
    return Difference(metric, then, now, now / then - 1, float(low), float(high), min(alone), max(alone))


def _tail(confidence: float, slices: int) -> float:
    """Where to cut: further out than the confidence says, as a bootstrap of few slices gives too short an interval.

    Hesterberg (2015), "What Teachers Should Know About the Bootstrap", the expanded percentile interval.
    """
    from scipy.stats import norm, t  # type: ignore[import-untyped]

    wide = math.sqrt(slices / (slices - 1)) * t.ppf((1 - confidence) / 2, slices - 1)
    return float(norm.cdf(wide))


def per_call(block: Block, metric: str, at: Mix) -> float:
    """What a call at this mix cost in one block."""
    statements = block.statements
    return sum(weight * statements.get(each, Cost()).per_call(metric) for each, weight in at.weights.items())


def _per_call(blocks: Sequence[tuple[Slice, ...]], metric: str, at: Mix, random: np.random.Generator) -> Numbers:
    """Cost of a call at the mix: as seen, and then as it would have been with other slices."""
    import numpy as np

    calls = np.zeros((RESAMPLES + 1, len(at.weights)))
    costs = np.zeros_like(calls)
    for slices in blocks:
        seen = np.array([[_of(each, queryid, metric) for queryid in at.weights] for each in slices])
        drawn = random.multinomial(len(slices), [1 / len(slices)] * len(slices), size=RESAMPLES)
        times = np.vstack([np.ones((1, len(slices))), drawn])
        calls += times @ seen[:, :, 0]
        costs += times @ seen[:, :, 1]
    whole = np.divide(costs[0], calls[0], out=np.zeros_like(costs[0]), where=calls[0] > 0)
    # A statement that no drawn slice has costs what it costs in all of them.
    each_call = np.where(calls > 0, np.divide(costs, calls, out=np.zeros_like(costs), where=calls > 0), whole)
    answer: Numbers = each_call @ np.array(list(at.weights.values()))
    return answer


def _of(slice_: Slice, queryid: int, metric: str) -> tuple[float, float]:
    cost = slice_.statements.get(queryid)
    return (cost.calls, float(getattr(cost, metric))) if cost else (0.0, 0.0)
