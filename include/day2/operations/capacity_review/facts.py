"""What is judged of a review: one row a target, from the document that was stored. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from day2.operations.capacity_review import document
from day2.operations.capacity_review.forecast import Forecast
from day2.operations.capacity_review.making import comparable
from day2.operations.capacity_review.review import PRESSING, Request, Review, Row

SUITE = "capacity_review"
COLUMNS = (
    *("target", "series", "answered", "disordered", "too_far", "coverage", "inconsistent", "judged_otherwise"),
    *("evidence_equal", "last_read", "comparable", "compared", "pressing", "asked_for"),
)


@dataclass(frozen=True)
class Stored:
    """The document as it was read back, what its entry asks for, and the last review's forecasts by series.

    `last` is none if there is a last review and it could not be read.
    """

    review: Review
    stood: Sequence[Mapping[str, Any]]
    requests: Sequence[Request]
    last: Mapping[str, Forecast] | None


def rows(targets: Sequence[str], stored: Stored | None) -> list[dict[str, Any]]:
    """A row for each planned target. Without a document that is what it was, nothing else is known."""
    if stored is None:
        return [dict.fromkeys(COLUMNS) | {"target": name, "evidence_equal": False} for name in targets]
    due = comparable(stored.last or {}, stored.review.rows, stored.review.at)
    judged = zip(stored.review.rows, stored.stood, strict=True)
    otherwise = {row.subject.name for row, stood in judged if document.standing(row) != stood}
    return [_row(name, stored, due.get(name, 0), otherwise) for name in targets]


def _row(target: str, stored: Stored, due: int, otherwise: set[str]) -> dict[str, Any]:
    mine = [row for row in stored.review.rows if row.subject.target == target]
    names = {row.subject.name for row in mine}
    made = [row.forecast for row in mine if row.forecast.kind != "refused"]
    explained = [row for row in mine if row.forecast.kind == "refused" and row.forecast.why]
    pressing = [row.subject.name for row in mine if row.standing in PRESSING]
    asked = {each.key for each in stored.requests}
    return {
        "target": target,
        "series": len(mine),
        "answered": len(made) + len(explained),
        "disordered": sum(not ordered(each) for each in made),
        "too_far": sum(len(each.median) > each.points for each in made),
        # Of a target without samples the review's: that it has none is a check of its own.
        "coverage": min((row.forecast.coverage for row in mine or stored.review.rows), default=None),
        "inconsistent": sum(not consistent(row) for row in mine),
        "judged_otherwise": len(names & otherwise),
        "evidence_equal": True,
        "last_read": stored.last is not None,
        "comparable": due,
        "compared": sum(each.name in names for each in stored.review.comparisons),
        "pressing": len(pressing),
        "asked_for": sum(name in asked for name in pressing),
    }


def ordered(forecast: Forecast) -> bool:
    """Whether its intervals are finite, hold their middle, and say something of every day up to the horizon."""
    paths = (
        (forecast.low, forecast.median, forecast.high),
        (forecast.peak_low, forecast.peak, forecast.peak_high),
    )
    if not forecast.median or len({len(path) for some in paths for path in some}) > 1:
        return False
    days = (day for some in paths for day in zip(*some, strict=True))
    return all(math.isfinite(low) and math.isfinite(high) and low <= middle <= high for low, middle, high in days)


def consistent(row: Row) -> bool:
    """Whether the dates are in order, none without a limit, and a limit is met exactly when it is said to be full."""
    if row.judgement is None:
        return row.subject.limit is None
    full, current = row.judgement.full, row.subject.frame.current
    dates = [each for each in (full.early, full.expected, full.late) if each]
    in_order = all(before <= after for before, after in pairwise(dates))
    is_met = current is not None and row.subject.limit is not None and current >= row.subject.limit
    return in_order and is_met == (row.standing == "full")
