"""Which size a target has, what it used of it, and which size would fit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from day2.inventory.capacity import MachineSize, Sizing
from day2.ledger.metric_days import Days
from day2.operations.capacity_review.review import Row, Sized
from day2.operations.capacity_review.rightsizing import (
    CostBasis,
    Offer,
    Percentiles,
    Policy,
    Proposal,
    Size,
    Use,
    propose,
)

WHOLE = 100.0


def proposals(
    sizes: Mapping[str, str], found: Mapping[str, Sequence[Days]], rows: Sequence[Row], sizing: Sizing
) -> list[Sized]:
    """A proposal for each target whose size is known. `sizes` is the size of each target by its name."""
    made = []
    for target, name in sizes.items():
        if present := sizing.size(name):
            growth = _growth(row for row in rows if row.subject.target == target)
            made.append(Sized(target=target, proposal=_propose(present, found.get(target, ()), growth, sizing)))
    return made


def _propose(present: MachineSize, found: Sequence[Days], growth: float, sizing: Sizing) -> Proposal:
    used, days = {}, [0]
    for each in found:
        if each.series.metric in present.capacity and not each.series.part:
            used[each.series.metric] = _percentiles(each, present.capacity[each.series.metric])
            days.append(len(each.seconds))
    costs = sizing.costs
    basis = CostBasis(kind=costs.kind, currency=costs.currency, source=costs.source, as_of=costs.as_of)
    rule = Policy(
        busy_share=sizing.busy_percent / 100,
        accepted_risk=sizing.accepted_risk,
        growth=growth,
        least_saving_share=sizing.least_saving_percent / 100,
    )
    # What was not seen of one resource is not free: without each of them nothing is proposed.
    whole = Use(resources=used if used.keys() == present.capacity.keys() else {}, days=min(days[1:], default=0))
    offer = Offer(sizes=tuple(map(_size, sizing.sizes)), basis=basis)
    return propose(whole, _size(present), offer=offer, policy=rule)


def _percentiles(days: Days, capacity: float) -> Percentiles:
    """From a percentage of the present size. The 95th and 99th are those of daily maxima: never too low."""
    import numpy as np

    p50, _ = np.percentile(days.mean, [50, 95])
    p95, p99 = np.percentile(days.high, [95, 99])
    share = capacity / WHOLE
    return Percentiles(
        p50=float(p50) * share, p95=float(p95) * share, p99=float(p99) * share, peak=max(days.high) * share
    )


def _growth(rows: Iterable[Row]) -> float:
    """How much more the resource that grows most will need at the end of its forecast; 1 where none has a trend."""
    found = [1.0]
    for row in rows:
        now = row.subject.frame.current
        if row.subject.unit == "percent" and row.forecast.kind == "trend" and now:
            found.append(row.forecast.peak[-1] / now)
    return max(found)


def _size(each: MachineSize) -> Size:
    return Size(name=each.name, capacity=each.capacity, cost_month=each.cost_month)
