"""Larger, smaller or as it is: by what was used, with a risk score and the cost it is reckoned with. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

LEAST_DAYS = 14
Direction = Literal["up", "down", "keep", "unknown"]
RISKS = ("very low", "low", "medium", "high", "very high")


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """What was used of one resource, in its unit (cores, bytes): half of the time less than `p50`, and so on."""

    p50: float
    p95: float
    p99: float
    peak: float

    def grown(self, factor: float) -> Percentiles:
        """The same with this much more use."""
        return Percentiles(p50=factor * self.p50, p95=factor * self.p95, p99=factor * self.p99, peak=factor * self.peak)


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a machine of one size has of each resource, and what it costs a month."""

    name: str
    capacity: Mapping[str, float]
    cost_month: float


@dataclass(frozen=True, kw_only=True)
class CostBasis:
    """Where the costs come from: a saving against list prices is not one against a contract's."""

    kind: Literal["list price", "actual cost"]
    currency: str
    source: str
    as_of: date

    def __str__(self) -> str:
        return f"{self.kind}, {self.currency}, {self.source}, {self.as_of}"


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a machine used of each resource, over so many days."""

    resources: Mapping[str, Percentiles]
    days: int


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The sizes there are, and the basis of their costs."""

    sizes: Sequence[Size]
    basis: CostBasis


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How full a machine may be in normal use, which risk is accepted, and what growth to leave room for."""

    busy_share: float = 0.8
    accepted_risk: int = 1
    growth: float = 1.0
    least_saving_share: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """`cost_change` a month is below zero for a saving; `risk` is 0 to 4, of the size proposed."""

    direction: Direction
    now: str
    to: str
    risk: int
    cost_change: float
    basis: CostBasis
    why: str

    @property
    def risk_word(self) -> str:
        return RISKS[self.risk]


def risk(used: Percentiles, capacity: float, busy_share: float) -> int:
    """0: the peak leaves room · 1: 99 % of the time · 2: 95 %, and the peak fits · 3: 95 % fits · 4: it does not."""
    busy = busy_share * capacity
    if used.peak <= busy:
        return 0
    if used.p99 <= busy:
        return 1
    if used.p95 <= busy and used.peak <= capacity:
        return 2
    return 3 if used.p95 <= capacity else 4


def propose(use: Use, now: Size, *, offer: Offer, policy: Policy | None = None) -> Proposal:
    """The cheapest size whose risk is accepted: larger if the present one's is not, smaller if it saves enough."""
    policy = policy or Policy()
    used = {name: each.grown(policy.growth) for name, each in use.resources.items()}
    direction, to, why = _choose(Use(resources=used, days=use.days), now, offer.sizes, policy)
    return Proposal(
        direction=direction,
        now=now.name,
        to=to.name,
        risk=_worst(used, to, policy),
        cost_change=to.cost_month - now.cost_month,
        basis=offer.basis,
        why=why,
    )


def _choose(use: Use, now: Size, sizes: Sequence[Size], policy: Policy) -> tuple[Direction, Size, str]:
    used = use.resources
    if use.days < LEAST_DAYS or not used:
        return "unknown", now, f"not enough: {use.days} days of use, {LEAST_DAYS} are needed"
    fitting = [each for each in sizes if _worst(used, each, policy) <= policy.accepted_risk]
    cheapest = min(fitting, key=lambda each: each.cost_month, default=None)
    present = _worst(used, now, policy)
    if present > policy.accepted_risk:
        if cheapest is None:
            return "unknown", now, f"{_tightest(used, now)} is short, and no size there is has enough"
        return "up", cheapest, f"{_tightest(used, now)} is short: the risk is {RISKS[present]} as it is"
    if cheapest and cheapest.cost_month <= (1 - policy.least_saving_share) * now.cost_month:
        return "down", cheapest, f"{_tightest(used, cheapest)} would be the tightest, and still has room"
    return "keep", now, "it fits, and no smaller size saves enough"


def _worst(used: Mapping[str, Percentiles], size: Size, policy: Policy) -> int:
    return max((risk(each, size.capacity[name], policy.busy_share) for name, each in used.items()), default=0)


def _tightest(used: Mapping[str, Percentiles], size: Size) -> str:
    name, share = max(((name, each.p99 / size.capacity[name]) for name, each in used.items()), key=lambda pair: pair[1])
    return f"{name} ({100 * share:.0f} % of {size.name} at its 99th percentile)"
