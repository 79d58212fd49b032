"""Drill over drill: how recovery times develop, and when a restore will take longer than the RTO. Pure.

A forecast says how sure it is, refuses when there is too little to go by, and never looks further ahead
than three times as far as it can look back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any, Literal

from day2.units import duration, size

FEWEST = 5
LOOK_AHEAD = 3  # times the history's length
CONFIDENCE = 0.8
DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one drill measured of one target."""

    when: datetime
    run: str
    target: str
    mode: str
    verdict: str
    rto_seconds: float | None
    rpo_seconds: float | None
    lost: int | None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one restore test measured: how much there was, and how long it took to get it back."""

    when: datetime
    source_bytes: int
    restore_seconds: float

    @property
    def rate(self) -> float:
        """Bytes of the source a second."""
        return self.source_bytes / self.restore_seconds


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """When a restore will take longer than the objective, said in `text`.

    `early` and `late` bound `expected`; none where a bound lies beyond `horizon`, to which it looks.
    """

    target: str
    kind: Literal["too_few", "no_growth", "missed_now", "missed_from", "not_before"]
    text: str
    samples: int
    early: datetime | None = None
    expected: datetime | None = None
    late: datetime | None = None
    horizon: datetime | None = None


def points(records: Iterable[Mapping[str, Any]]) -> Iterator[Point]:
    """What earlier drills measured, from their run records, in the records' order."""
    for record in records:
        statuses = [(name, status) for status in ("succeeded", "failed") for name in record["targets"][status]]
        for target, _ in sorted(statuses):
            verified = record["measures"].get(target, {}).get("verify", {})
            yield Point(
                when=_moment(record["started"]),
                run=f"{record['dag_id']}/{record['run_id']}",
                target=target,
                mode=str(record["params"].get("mode") or "drill"),
                verdict=record["verdict"],
                rto_seconds=verified.get("rto_seconds"),
                rpo_seconds=verified.get("rpo_seconds"),
                lost=verified.get("lost"),
            )


def samples(records: Iterable[Mapping[str, Any]], target: str) -> list[Sample]:
    """The restore tests of a database that succeeded, from the records of its backups."""
    found = []
    for record in records:
        measured = record["measures"].get(target, {})
        amount = measured.get("back_up", {}).get("source_bytes")
        seconds = measured.get("restore_test", {}).get("restore_seconds")
        if target in record["targets"]["succeeded"] and amount and seconds:
            found.append(Sample(when=_moment(record["started"]), source_bytes=amount, restore_seconds=seconds))
    return sorted(found, key=lambda each: each.when)


def forecast(target: str, having: Sequence[Sample], *, rto_seconds: float, now: datetime) -> Forecast:
    """From when on a restore misses the RTO: measured rate of restoring, times measured growth."""
    days = sorted({each.when.date() for each in having})
    if len(days) < FEWEST:
        text = f"not enough samples: {len(days)} days with a restore test, {FEWEST} are needed"
        return Forecast(target=target, kind="too_few", text=text, samples=len(having))
    rate, slow, fast = _spread([each.rate for each in having])
    limit = rate * rto_seconds
    known = f"restores run at {size(rate)}/s, so {duration(rto_seconds)} are enough for {size(limit)}"
    line = _line(having)
    today = line.at(now)
    if today >= limit:
        text = f"the RTO is missed already by a restore of {size(today)}: {known}"
        return Forecast(target=target, kind="missed_now", text=text, samples=len(having), expected=now, early=now)
    if line.slowest <= 0:
        text = f"no growth that can be told from noise: {known}, and there are {size(today)}"
        return Forecast(target=target, kind="no_growth", text=text, samples=len(having))
    bounds = (
        line.reaches(slow * rto_seconds, line.fastest, now),
        line.reaches(limit, line.slope, now),
        line.reaches(fast * rto_seconds, line.slowest, now),
    )
    return _told(target, having, bounds, now, f"{known}; it grows by {size(line.slope * DAY)} a day")


def quarter(moment: datetime) -> str:
    """`2027-Q1`."""
    return f"{moment.year}-Q{(moment.month + 2) // 3}"


@dataclass(frozen=True)
class Line:
    """Theil-Sen: the median of all slopes, in bytes a second; one wild sample does not turn it."""

    origin: datetime
    intercept: float
    slope: float
    slowest: float
    fastest: float

    def at(self, moment: datetime) -> float:
        return self.intercept + self.slope * (moment - self.origin).total_seconds()

    def reaches(self, limit: float, slope: float, now: datetime) -> timedelta | None:
        """How long until it reaches a size, growing from today's size at a slope; None if it never does."""
        missing = limit - self.at(now)
        if missing <= 0:
            return timedelta()
        seconds = missing / slope if slope > 0 else float("inf")
        return timedelta(seconds=seconds) if seconds < timedelta.max.total_seconds() / 4 else None


def _line(having: Sequence[Sample]) -> Line:
    from scipy.stats import theilslopes  # type: ignore[import-untyped]

    origin = having[0].when
    seconds = [(each.when - origin).total_seconds() for each in having]
    found = theilslopes([float(each.source_bytes) for each in having], seconds, alpha=CONFIDENCE)
    slope, intercept, slowest, fastest = (float(each) for each in found)
    return Line(origin, intercept, slope, slowest, fastest)


def _spread(rates: Sequence[float]) -> tuple[float, float, float]:
    """The median, and the bounds four of five samples lie between."""
    tenths = quantiles(rates, n=10, method="inclusive")
    return median(rates), tenths[0], tenths[-1]


def _told(
    target: str,
    having: Sequence[Sample],
    bounds: tuple[timedelta | None, timedelta | None, timedelta | None],
    now: datetime,
    known: str,
) -> Forecast:
    """The bounds as dates and words, as far as the horizon lets us look."""
    reach = LOOK_AHEAD * (having[-1].when - having[0].when)
    horizon = now + reach
    early, expected, late = (now + each if each is not None and each <= reach else None for each in bounds)
    if expected is None:
        text = f"not missed before {quarter(horizon)}, which is as far as this history can look: {known}"
        if early is not None:
            text = f"may be missed from {quarter(early)} on, more likely after {quarter(horizon)}: {known}"
    else:
        until = quarter(late) if late is not None else f"after {quarter(horizon)}"
        since = quarter(early) if early is not None else quarter(now)
        between = f" ({since} to {until})" if since != until else ""
        text = f"the RTO will be missed by a restore from {quarter(expected)} on{between}: {known}"
    return Forecast(
        target=target, kind="missed_from" if expected else "not_before", text=text, samples=len(having),
        early=early, expected=expected, late=late, horizon=horizon,
    )  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
