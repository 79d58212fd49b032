"""One review, put together: what is forecast now, beside what the last review said and asked for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from day2.inventory.capacity import CapacityPolicy
from day2.inventory.model import Environment
from day2.ledger.metric_days import Days
from day2.operations.capacity_review import document, fates, review, sizing
from day2.operations.capacity_review.backtest import Comparison, compare
from day2.operations.capacity_review.fates import Closing
from day2.operations.capacity_review.forecast import Forecast
from day2.operations.capacity_review.review import Request, Review, Row
from day2.operations.capacity_review.subjects import Reader, headrooms


@dataclass(frozen=True)
class Before:
    """What the last review left: its forecasts by series, what it asked for, and what people said of that."""

    made_on: date | None = None
    forecasts: Mapping[str, Forecast] = field(default_factory=dict)
    requests: Sequence[Request] = ()
    closings: Mapping[str, Closing] = field(default_factory=dict)


def target(reader: Reader, name: str, found: Sequence[Days]) -> list[Row]:
    """Every resource of one target, forecast and judged."""
    policy = reader.policy
    return review.rows(
        reader.subjects(name, found),
        policies=headrooms(reader.environment, policy),
        ahead=policy.ahead_days,
        coverage=policy.coverage,
    )


def whole(reader: Reader, rows: Sequence[Row], found: Mapping[str, Sequence[Days]], before: Before) -> Review:
    """The review of all targets, in the numbers that are written down."""
    known = {row.subject.name: row for row in rows}
    made = Review(
        environment=reader.environment.name,
        owner=reader.environment.owner,
        at=reader.now,
        rows=review.ordered(rows),
        comparisons=compared(before.forecasts, known),
        last_made_on=before.made_on,
        earlier=fates.told(before.requests, known, before.closings),
        sized=_sized(reader, rows, found),
        policies=headrooms(reader.environment, reader.policy),
    )
    # What is judged is what is kept: a number that was rounded afterwards might stand otherwise.
    return document.load(document.dump(made))


def measures(rows: Sequence[Row]) -> dict[str, Any]:
    """What the record says of one target."""
    return {
        "series": len(rows),
        "forecasts": sum(row.forecast.kind != "refused" for row in rows),
        "points": max((row.forecast.points for row in rows), default=0),
        "standing": next((row.standing for row in review.ordered(rows)), None),
        "dropped": dict(sum((Counter(row.subject.frame.dropped) for row in rows), Counter())),
    }


def fates_told(made: Review) -> list[str]:
    """What became of the last review's requests, a line each."""
    return [f"{each.target}: {each.what}: {each.fate}. {each.note}" for each in made.earlier] or ["there were none"]


def compared(said: Mapping[str, Forecast], rows: Mapping[str, Row]) -> list[Comparison]:
    """The last forecasts against what happened, for each series that both reviews know."""
    pairs = ((each, rows[name].subject.frame) for name, each in said.items() if name in rows)
    return [found for each, frame in pairs if (found := compare(each, frame))]


def comparable(said: Mapping[str, Forecast], rows: Sequence[Row], at: datetime) -> dict[str, int]:
    """How many series of each target have a forecast of the last review, and a day that it spoke of."""
    counted: dict[str, int] = {}
    for row in rows:
        forecast, frame = said.get(row.subject.name), row.subject.frame
        if forecast is None or forecast.kind == "refused" or forecast.start >= at.date():
            continue
        days = zip(frame.days(), frame.values, strict=True)
        if any(forecast.start <= day < forecast.horizon and value == value for day, value in days):
            counted[row.subject.target] = counted.get(row.subject.target, 0) + 1
    return counted


def sizes(environment: Environment, policy: CapacityPolicy, targets: Sequence[str]) -> dict[str, str]:
    """The size of each target that says one."""
    if policy.sizing is None:
        return {}
    tags = {name: environment.measured[name].tags.get(policy.sizing.tag) for name in targets}
    return {name: size for name, size in tags.items() if size}


def _sized(reader: Reader, rows: Sequence[Row], found: Mapping[str, Sequence[Days]]) -> list[review.Sized]:
    rules = reader.policy.sizing
    if rules is None:
        return []
    return sizing.proposals(sizes(reader.environment, reader.policy, list(found)), found, rows, rules)
