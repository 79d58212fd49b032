"""Limits that are not metrics of a machine: connections, sequence ids, addresses, inodes, quotas.

Each is a pair of what is used and what is allowed, and becomes a series like any other. A limit that was
raised is a fact about the limit, not about the use: the use is forecast, and the newest limit is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from day2.operations.capacity_review.series import Daily, Rules, Samples, daily


@dataclass(frozen=True)
class Pair:
    """What was used and allowed at one moment; `limit` is none where there is no limit."""

    at: datetime
    used: float
    limit: float | None


@dataclass(frozen=True)
class Change:
    """A limit that was another one before."""

    at: datetime
    before: float | None
    after: float | None


@dataclass(frozen=True, eq=False)
class Limited:
    """The use a day, the limit that is in force, and how it came to be that."""

    used: Daily
    limit: float | None
    changes: tuple[Change, ...]


def series(pairs: Sequence[Pair], *, now: datetime, rules: Rules | None = None) -> Limited:
    """The pairs of one limit, in any order."""
    ordered = sorted((each for each in pairs if each.at <= now), key=lambda each: each.at)
    changes = tuple(
        Change(after.at, before.limit, after.limit)
        for before, after in pairwise(ordered)
        if before.limit != after.limit
    )
    used = daily(Samples.of((each.at, each.used) for each in ordered), now=now, rules=rules)
    return Limited(used, ordered[-1].limit if ordered else None, changes)
