"""Which recovery points stay: grandfather-father-son, as a pure function.

The newest verified point of each of the last N days, weeks, months and years is kept; where a period
has no verified point, its newest one. Never removed, whatever the numbers say: the newest verified
point, one under legal hold, one still locked, and as many verified points as `minimum` asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from day2.inventory.model import Retention


@dataclass(frozen=True)
class Candidate:
    """A point as retention sees it. `verified` is True, False or None for no restore test yet."""

    id: str
    taken_at: datetime
    verified: bool | None
    held: bool = False
    locked_until: datetime | None = None


@dataclass(frozen=True)
class Decision:
    candidate: Candidate
    keep: bool
    reasons: tuple[str, ...]


PERIODS: tuple[tuple[str, Callable[[datetime], str]], ...] = (
    ("daily", lambda t: f"{t:%Y-%m-%d}"),
    ("weekly", lambda t: f"{t:%G-W%V}"),
    ("monthly", lambda t: f"{t:%Y-%m}"),
    ("yearly", lambda t: f"{t:%Y}"),
)


def decide(candidates: Sequence[Candidate], policy: Retention, *, now: datetime) -> list[Decision]:
    """Keep or expire, with every reason to keep, newest first. Days are those of `taken_at`'s zone."""
    # By the moment, not by the wall clock, which shows one hour twice when summer time ends.
    newest_first = sorted(candidates, key=lambda each: (each.taken_at.timestamp(), each.id), reverse=True)
    reasons: dict[str, list[str]] = {each.id: [] for each in newest_first}
    verified = [each for each in newest_first if each.verified]

    for kind, period in PERIODS:
        for label, chosen in _periods(newest_first, period)[: getattr(policy, kind)]:
            reasons[chosen.id].append(f"{kind} {label}")
    for each in verified[:1]:
        reasons[each.id].append("newest verified")
    for each in verified[: policy.minimum]:
        reasons[each.id].append(f"minimum of {policy.minimum} verified")
    if len(verified) < policy.minimum:
        for each in [each for each in newest_first if not each.verified][: policy.minimum - len(verified)]:
            reasons[each.id].append(f"fewer than {policy.minimum} verified")
    for each in newest_first:
        if each.held:
            reasons[each.id].append("legal hold")
        if each.locked_until and each.locked_until > now:
            reasons[each.id].append(f"locked until {each.locked_until:%Y-%m-%dT%H:%MZ}")
        if each.verified is None and (not verified or each.taken_at.timestamp() > verified[0].taken_at.timestamp()):
            reasons[each.id].append("newer than the newest verified")
    return [Decision(each, bool(reasons[each.id]), tuple(reasons[each.id])) for each in newest_first]


def _periods(newest_first: Sequence[Candidate], period: Callable[[datetime], str]) -> list[tuple[str, Candidate]]:
    """For each period that has points, newest period first: the point that stands for it."""
    chosen: dict[str, Candidate] = {}
    for each in newest_first:
        label = period(each.taken_at)
        held = chosen.get(label)
        if held is None or (each.verified and not held.verified):
            chosen[label] = each
    return list(chosen.items())
