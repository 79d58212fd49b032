"""Samples on a real server: kept once, a month to a partition, rolled up before they are dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from day2.ledger import Ledger
from day2.ledger.metrics import Metrics, Rollup, Sample, Series
from tests.integration.ledger.conftest import Database

pytestmark = pytest.mark.integration
T0 = datetime(2026, 12, 31, 22, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DISK, CPU = Series("db-01", "disk_percent", "/mnt/with a 'blank' %"), Series("db-01", "cpu_percent")


@pytest.fixture
def metrics(ledger: Ledger) -> Metrics:
    return Metrics(ledger, "production")


def samples(series: Series, *values: float, begin: datetime = T0, step: timedelta = MINUTE) -> list[Sample]:
    return [Sample(series, begin + number * step, value) for number, value in enumerate(values)]


def partitions(database: Database) -> list[str]:
    query = "select relname from pg_class where relname ~ '^metric_sample_[0-9]+$' order by 1"
    with psycopg.connect(database.owner) as connection:
        return [name for (name,) in connection.execute(query).fetchall()]


def test_samples_come_back_in_order_and_of_their_own_environment(ledger: Ledger, metrics: Metrics) -> None:
    assert metrics.write([*samples(DISK, 3.0, 1.0), *samples(CPU, 9.0)]) == 3
    Metrics(ledger, "staging").write(samples(CPU, 5.0))
    assert metrics.read(DISK, T0, T0 + HOUR) == [(T0, 3.0), (T0 + MINUTE, 1.0)]
    assert metrics.read(CPU, T0, T0 + HOUR) == [(T0, 9.0)]
    assert metrics.read(Series("nobody", "x"), T0, T0 + HOUR) == []
    assert metrics.series() == [CPU, DISK]


def test_the_same_again_changes_nothing_and_of_two_at_once_the_higher_is_kept(metrics: Metrics) -> None:
    assert metrics.write([*samples(CPU, 1.0), *samples(CPU, 7.0)]) == 1
    assert metrics.write(samples(CPU, 2.0)) == 0
    assert metrics.read(CPU, T0, T0 + HOUR) == [(T0, 7.0)]


def test_each_month_has_a_partition(database: Database, metrics: Metrics) -> None:
    metrics.write(samples(CPU, *map(float, range(5)), step=HOUR))
    assert partitions(database) == ["metric_sample_202612", "metric_sample_202701"]
    assert len(metrics.read(CPU, T0, T0 + DAY)) == 5


def test_hours_and_days_are_rolled_up_once_they_are_whole(metrics: Metrics) -> None:
    metrics.write(samples(CPU, *map(float, range(150))))
    assert metrics.roll(T0, T0 + 2 * HOUR + 30 * MINUTE) == 3, "two hours, and the day that ended"
    first = Rollup(T0, 0.0, 29.5, 59.0, 59.0, 60)
    assert metrics.rolled(CPU, "hour", T0, T0 + DAY) == [first, Rollup(T0 + HOUR, 60.0, 89.5, 119.0, 119.0, 60)]
    assert metrics.rolled(CPU, "day", T0 - DAY, T0 + DAY)[0].samples == 120
    assert metrics.roll(T0, T0 + 2 * HOUR + 30 * MINUTE) == 0, "the same again changes nothing"


def test_samples_that_come_late_complete_what_was_rolled_up(metrics: Metrics) -> None:
    metrics.write(samples(CPU, 1.0, 2.0))
    metrics.roll(T0, T0 + HOUR)
    metrics.write(samples(CPU, 50.0, begin=T0 + 30 * MINUTE))
    metrics.roll(T0, T0 + HOUR)
    assert metrics.rolled(CPU, "hour", T0, T0 + HOUR) == [Rollup(T0, 1.0, 53.0 / 3, 50.0, 50.0, 3)]


def test_a_month_is_dropped_when_it_is_over_and_its_days_stay(database: Database, metrics: Metrics) -> None:
    metrics.write(samples(CPU, *map(float, range(5)), step=HOUR))
    assert metrics.expire(T0 + HOUR, hours_before=T0 - DAY) == []
    assert metrics.expire(T0 + DAY, hours_before=T0 + DAY) == ["metric_sample_202612"]
    assert partitions(database) == ["metric_sample_202701"]
    assert metrics.read(CPU, T0, T0 + 2 * HOUR) == []
    assert [each.samples for each in metrics.rolled(CPU, "day", T0 - DAY, T0 + DAY)] == [2]
    assert metrics.rolled(CPU, "hour", T0 - DAY, T0 + DAY) == []


def test_where_a_series_stands_is_remembered(ledger: Ledger, metrics: Metrics) -> None:
    metrics.stand({CPU: {"level": "ok"}, DISK: {"level": "warning"}})
    metrics.stand({CPU: {"level": "critical"}})
    assert Metrics(ledger, "production").standings() == {CPU: {"level": "critical"}, DISK: {"level": "warning"}}
    assert Metrics(ledger, "staging").standings() == {}


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger.metric_sample set value = 0",
        "delete from ledger.metric_sample",
        "delete from ledger.metric_rollup",
        "insert into ledger.metric_rollup values (1, 'day', now(), 0, 0, 0, 0, 1)",
        "drop table ledger.metric_sample",
    ],
)
def test_the_application_changes_no_sample(database: Database, metrics: Metrics, statement: str) -> None:
    metrics.write(samples(CPU, 1.0))
    with psycopg.connect(database.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())
