"""Samples from elsewhere into the ledger's database, so that a first review has a year to look at."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TextIO

from day2.errors import StepFailed
from day2.ledger.metrics import Metrics, Sample, Series

COLUMNS = ("target", "metric", "part", "at", "value")
# One transaction each: what is written stays when a later one fails, and the same again changes nothing.
BATCH = 50_000
SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Filled:
    """What came of it: samples read, how many of them were new, rollups made; those not believed, by why."""

    read: int
    new: int
    rolled: int
    targets: frozenset[str]
    dropped: Mapping[str, int] = field(default_factory=dict)


def from_csv(file: TextIO, *, name: str) -> Iterator[Sample]:
    """Samples of a CSV file with the columns of `COLUMNS`; a time has its zone. Raises StepFailed with the line."""
    reader = csv.DictReader(file)
    if set(reader.fieldnames or ()) != set(COLUMNS):
        raise _unreadable(name, 1, f"the columns must be {', '.join(COLUMNS)}")
    for row in reader:
        try:
            yield _sample(row)
        except (ValueError, TypeError) as error:
            raise _unreadable(name, reader.line_num, str(error)) from error


def write(metrics: Metrics, samples: Iterable[Sample], *, now: datetime) -> Filled:
    """Keep samples and roll up the days that are whole. Repeating it changes nothing. Raises Unavailable."""
    read = new = 0
    targets: set[str] = set()
    first: datetime | None = None
    last: datetime | None = None
    dropped: dict[str, int] = {}
    given = iter(samples)
    while batch := list(islice(given, BATCH)):
        read += len(batch)
        good = [each for each in batch if not _doubt(each, now, dropped)]
        new += metrics.write(good)
        targets |= {each.series.target for each in good}
        times = [each.at for each in good] + [each for each in (first, last) if each]
        first, last = min(times, default=None), max(times, default=None)
    # Today is not over: it is rolled up when it is.
    rolled = metrics.roll(first, min(last + timedelta(days=1), now)) if first and last else 0
    return Filled(read, new, rolled, frozenset(targets), dropped)


def _sample(row: Mapping[str, str]) -> Sample:
    at = datetime.fromisoformat(row["at"])
    if at.tzinfo is None:
        raise ValueError(f"{row['at']!r} has no time zone")
    if not row["target"] or not row["metric"]:
        raise ValueError("target and metric must not be empty")
    return Sample(Series(row["target"], row["metric"], row["part"] or ""), at, float(row["value"]))


def _doubt(sample: Sample, now: datetime, dropped: dict[str, int]) -> bool:
    """Whether it is not believed, which is counted."""
    why = ""
    if not math.isfinite(sample.value):
        why = "not a number"
    elif sample.at > now + SKEW:
        why = "from the future"
    if why:
        dropped[why] = dropped.get(why, 0) + 1
    return bool(why)


def _unreadable(name: str, line: int, why: str) -> StepFailed:
    return StepFailed(
        f"{name}:{line}: {why}",
        left="the samples of earlier lines may have been written; the same again changes nothing",
        next_step=f"write a line a sample: {','.join(COLUMNS)}",
        runbook="A backfill stopped",
    )
