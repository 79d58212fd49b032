"""The numbers of a review as CSV: one row a resource, and one row a resource and day of its forecast. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from day2.operations.capacity_review.forecast import PATHS
from day2.operations.capacity_review.review import Review, Row
from day2.reports import table

RESOURCES = (
    "environment", "target", "tier", "resource", "unit", "standing", "why", "now", "limit", "early", "expected",
    "late", "headroom_gone", "act_by", "forecast", "refused", "method", "points", "slope_a_day", "slope_low",
    "slope_high", "error", "baseline_error", "steps",
)  # fmt: skip
PATH = ("target", "resource", "unit", "day", *PATHS)


def resources(review: Review) -> bytes:
    """Every resource that was looked at."""
    return table.csv(RESOURCES, (_resource(review, row) for row in review.rows))


def paths(review: Review) -> bytes:
    """Every forecast, day by day."""
    return table.csv(PATH, (line for row in review.rows for line in _days(row)))


def _resource(review: Review, row: Row) -> Sequence[object]:
    subject, forecast, judged = row.subject, row.forecast, row.judgement
    full = judged.full if judged else None
    return (
        review.environment,
        subject.target,
        subject.tier,
        subject.resource,
        subject.unit,
        row.standing,
        row.why,
        subject.frame.current,
        subject.limit,
        *((full.early, full.expected, full.late) if full else (None, None, None)),
        judged.headroom_gone.expected if judged else None,
        judged.act_by if judged else None,
        forecast.kind,
        forecast.why,
        forecast.method,
        forecast.points,
        *(forecast.slope, forecast.slope_low, forecast.slope_high, forecast.error, forecast.baseline_error),
        "; ".join(f"{each.kind} {each.since} {each.amount:g}" for each in forecast.steps),
    )


def _days(row: Row) -> Iterator[Sequence[object]]:
    subject, forecast = row.subject, row.forecast
    for number, values in enumerate(zip(*(getattr(forecast, path) for path in PATHS), strict=True)):
        day = forecast.start + timedelta(days=number)
        yield (subject.target, subject.resource, subject.unit, day, *(f"{value:.6g}" for value in values))
