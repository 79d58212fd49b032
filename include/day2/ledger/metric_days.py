"""Months of samples as one value a day: rolled-up days where there are, and raw samples for those after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from day2.ledger.connection import translated
from day2.ledger.metrics import Series
from day2.ledger.store import Ledger

# Raw samples are kept for weeks and rolled up as days end, so only those after the last rolled-up day are read.
READ = """
    with wanted as materialized (
        select id, target, metric, part,
            (select max(at) from ledger.metric_rollup r where r.series = s.id and r.span = 'day') as rolled
          from ledger.metric_series s
         where environment = %(environment)s and metric = any(%(metrics)s)
    ), days as (
        select w.id, r.at, r.mean, r.high, r.last
          from wanted w join ledger.metric_rollup r on r.series = w.id and r.span = 'day'
         where r.at >= %(since)s and r.at < %(until)s
        union all
        select w.id, raw.*
          from wanted w cross join lateral (
            select date_trunc('day', m.at, 'UTC') as at, avg(m.value), max(m.value),
                (array_agg(m.value order by m.at desc))[1]
              from ledger.metric_sample m
             where m.series = w.id and m.at < %(until)s
               and m.at >= greatest(%(since)s::timestamptz, w.rolled + interval '1 day')
             group by 1) raw
    )
    select w.target, w.metric, w.part, array_agg(extract(epoch from d.at)::float8 order by d.at),
        array_agg(d.mean order by d.at), array_agg(d.high order by d.at), array_agg(d.last order by d.at)
      from wanted w join days d using (id) group by w.id, 1, 2, 3 order by 1, 2, 3
"""


@dataclass(frozen=True)
class Question:
    """Which metrics of an environment, and of which time: from `since` until before `until`."""

    environment: str
    metrics: tuple[str, ...]
    since: datetime
    until: datetime


@dataclass(frozen=True, eq=False)
class Days:
    """One series, a value of each kind a day that has samples: seconds since 1970 of the day's beginning in UTC."""

    series: Series
    seconds: Sequence[float]
    mean: Sequence[float]
    high: Sequence[float]
    last: Sequence[float]


def read(ledger: Ledger, question: Question) -> Iterator[Days]:
    """Every series that has a day, by target, metric and part. Raises Unavailable, StepFailed."""
    # In binary: 400 days of a thousand series are a million numbers.
    with translated(), ledger.connection.cursor(binary=True) as cursor:
        for target, metric, part, *values in cursor.execute(READ, asdict(question) | {"metrics": [*question.metrics]}):
            yield Days(Series(target, metric, part), *values)
