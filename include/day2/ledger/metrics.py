"""Samples of metrics in the ledger's database: beside the chain, like leases. The same twice changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from day2.ledger.connection import translated
from day2.ledger.store import Ledger

Span = Literal["hour", "day"]
KNOWN = "select id, target, metric, part from ledger.metric_series where environment = %s"
NEW = """
    insert into ledger.metric_series (environment, target, metric, part)
    select %s, t, m, p from unnest(%s::text[], %s::text[], %s::text[]) as n (t, m, p)
    on conflict do nothing
"""
TAKE = """
    insert into ledger.metric_sample (series, at, value)
    select distinct on (series, at) series, at, value
      from unnest(%s::int[], %s::timestamptz[], %s::float8[]) as arrived (series, at, value)
     order by series, at, value desc
    on conflict do nothing
"""
READ = "select at, value from ledger.metric_sample where series = %s and at >= %s and at < %s order by at"
ROLLED = """
    select at, low, mean, high, last, samples from ledger.metric_rollup
     where series = %s and span = %s and at >= %s and at < %s order by at
"""
NEWEST = """
    select s.target, s.metric, s.part, n.at, n.value
      from ledger.metric_series s cross join lateral (
        select m.at, m.value from ledger.metric_sample m
         where m.series = s.id and m.at >= %s and m.at <= %s order by m.at desc limit 1
      ) n
     where s.environment = %s
"""
STOOD = """
    select max(m.updated_at) from ledger.metric_series s join ledger.metric_standing m on m.series = s.id
     where s.environment = %s
"""
STAND = """
    insert into ledger.metric_standing (series, body) select s, b from unnest(%s::int[], %s::jsonb[]) as n (s, b)
    on conflict (series) do update set body = excluded.body, updated_at = clock_timestamp()
"""
STANDINGS = """
    select s.id, m.body from ledger.metric_series s join ledger.metric_standing m on m.series = s.id
     where s.environment = %s
"""


@dataclass(frozen=True, order=True)
class Series:
    """What is measured: a metric of a target, and of which part of it (a mount point, a database)."""

    target: str
    metric: str
    part: str = ""


@dataclass(frozen=True)
class Sample:
    """One value at one moment, by the source's clock."""

    series: Series
    at: datetime
    value: float


@dataclass(frozen=True)
class Rollup:
    """What an hour or a day of samples came to. `at` is its beginning."""

    at: datetime
    low: float
    mean: float
    high: float
    last: float
    samples: int


class Metrics:
    """The samples of one environment. Use one in one thread."""

    def __init__(self, ledger: Ledger, environment: str) -> None:
        self._connection = ledger.connection
        self._environment = environment
        self._ids: dict[Series, int] = {}

    def write(self, samples: Iterable[Sample]) -> int:
        """Keep samples, all or none; returns how many were new. Of two values of one moment the higher is kept."""
        given = list(samples)
        ids = self._known({each.series for each in given})
        with translated(), self._connection.transaction():
            for year, month in {_month(each.at) for each in given}:
                self._connection.execute("select ledger.metric_month(%s)", (datetime(year, month, 1, tzinfo=UTC),))
            columns = (
                [ids[each.series] for each in given],
                [each.at for each in given],
                [float(each.value) for each in given],
            )
            return self._connection.execute(TAKE, columns).rowcount

    def read(self, series: Series, since: datetime, until: datetime) -> list[tuple[datetime, float]]:
        """The raw samples of one series, from `since` until before `until`; none where there never was one."""
        rows = self._rows(READ, series, since, until)
        return [(at, value) for at, value in rows]

    def rolled(self, series: Series, span: Span, since: datetime, until: datetime) -> list[Rollup]:
        """The same, by hour or by day."""
        number = self._known(()).get(series)
        with translated():
            rows = self._connection.execute(ROLLED, (number, span, since, until)).fetchall()
        return [Rollup(*row) for row in rows]

    def newest(self, since: datetime, until: datetime) -> list[Sample]:
        """The newest sample of each series in that time, both ends included."""
        with translated():
            rows = self._connection.execute(NEWEST, (since, until, self._environment)).fetchall()
        return [Sample(Series(*names), at, value) for *names, at, value in rows]

    def series(self) -> list[Series]:
        """Everything that was ever measured here."""
        self._ids.clear()
        return sorted(self._known(()))

    def roll(self, since: datetime, until: datetime) -> int:
        """Roll up the hours and days that ended before `until`; returns how many were made or completed."""
        return int(self._value("select ledger.metric_roll(%s, %s)", since, until))

    def expire(self, before: datetime, *, hours_before: datetime) -> list[str]:
        """Drop raw months that ended before, once they are rolled up, and rolled-up hours. Returns the months."""
        found: list[str] = self._value("select ledger.metric_expire(%s, %s)", before, hours_before)
        return found

    def stand(self, standings: Mapping[Series, Mapping[str, Any]]) -> None:
        """Remember where series stand."""
        ids = self._known(standings)
        bodies = [json.dumps(each) for each in standings.values()]
        with translated():
            self._connection.execute(STAND, ([ids[each] for each in standings], bodies))

    def standings(self) -> dict[Series, dict[str, Any]]:
        """Where every series stood last."""
        self._ids.clear()
        names = {number: series for series, number in self._known(()).items()}
        with translated():
            rows = self._connection.execute(STANDINGS, (self._environment,)).fetchall()
        return {names[number]: body for number, body in rows}

    def stood_at(self) -> datetime | None:
        """When it was last judged where the series stand, by the database's clock; none before the first time."""
        found: datetime | None = self._value(STOOD, self._environment)
        return found

    def _known(self, wanted: Iterable[Series]) -> dict[Series, int]:
        """The numbers of series; new ones are made."""
        new = sorted(set(wanted) - self._ids.keys())
        if new or not self._ids:
            with translated():
                if new:
                    columns = [[getattr(each, name) for each in new] for name in ("target", "metric", "part")]
                    self._connection.execute(NEW, (self._environment, *columns))
                rows = self._connection.execute(KNOWN, (self._environment,)).fetchall()
            self._ids = {Series(*names): number for number, *names in rows}
        return self._ids

    def _rows(self, query: str, series: Series, since: datetime, until: datetime) -> Iterator[Sequence[Any]]:
        with translated():
            number = self._known(()).get(series)
            return iter(self._connection.execute(query.encode(), (number, since, until)).fetchall())

    def _value(self, query: str, *values: Any) -> Any:
        with translated():
            row = self._connection.execute(query.encode(), values).fetchone()
        assert row is not None  # noqa: S101 - a function always answers
        return row[0]


def _month(at: datetime) -> tuple[int, int]:
    """The partition of a moment: partitions are months of UTC."""
    utc = at.astimezone(UTC)
    return utc.year, utc.month
