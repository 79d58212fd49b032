"""A small review with one resource of every standing."""

from __future__ import annotations

from datetime import date

from day2.operations.capacity_review import review
from day2.operations.capacity_review.backtest import compare
from day2.operations.capacity_review.review import Request, Review, Subject
from tests.unit.capacity.frames import NOW, forecast, frame, line

WHOLE = line(418)
OPEN = Request(
    target="orders-db-01", what="a larger volume", made_on=date(2026, 8, 1), owner="storage-team",
    due=date(2026, 10, 1), fate="open",
)  # fmt: skip


def subject(target: str, values: list[float], limit: float | None, **changes: str) -> Subject:
    return Subject(
        **{"resource": "data volume", "unit": "count", "tier": "production", **changes},  # type: ignore[arg-type]
        target=target,
        frame=frame(values),
        limit=limit,
    )


SUBJECTS = (
    subject("has-room", line(418, slope=0.0), 1000.0),
    subject("is-full", line(418, slope=0.0), 90.0),
    subject("grows-fast", WHOLE, 540.0),
    subject("grows", WHOLE, 640.0),
    subject("is-new", [1.0, 2.0, 3.0], 10.0),
    subject("has-no-limit", WHOLE, None),
)


def made(*subjects: Subject, earlier: tuple[Request, ...] = (OPEN,)) -> Review:
    """Of these subjects, or of one that stands in every way."""
    compared = compare(forecast(WHOLE[:328]), frame(WHOLE))
    return Review(
        environment="production",
        owner="platform-team",
        at=NOW,
        rows=review.rows(subjects or SUBJECTS),
        comparisons=[compared] if compared else [],
        last_made_on=date(2026, 8, 25),
        earlier=earlier,
    )
