"""What a page of metrics reads from a real ledger: the newest of each series, and verdicts counted on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from day2.ledger import Ledger, record
from day2.ledger.metrics import Metrics, Sample, Series
from day2.ledger.tally import tally
from tests.integration.ledger.conftest import Database
from tests.unit.ledger.story import RUN, Story

NOW = datetime(2027, 1, 1, 0, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CPU, DISK = Series("host/a", "cpu_percent"), Series("host/a", "disk_percent", "/")


def test_only_the_newest_of_each_series_is_read_and_only_if_it_is_new(ledger: Ledger) -> None:
    metrics = Metrics(ledger, "production")
    metrics.write([Sample(CPU, NOW - each * MINUTE, float(each)) for each in range(20)])
    metrics.write([Sample(DISK, NOW - 16 * MINUTE, 1.0), Sample(Series("host/a", "x"), NOW + 9 * MINUTE, 1.0)])
    Metrics(ledger, "staging").write([Sample(CPU, NOW, 99.0)])
    assert metrics.newest(NOW - 15 * MINUTE, NOW + 5 * MINUTE) == [Sample(CPU, NOW, 0.0)]
    assert {each.series for each in metrics.newest(NOW - 16 * MINUTE, NOW)} == {CPU, DISK}


def test_when_it_was_last_judged(ledger: Ledger) -> None:
    metrics = Metrics(ledger, "production")
    assert metrics.stood_at() is None
    metrics.stand({CPU: {"level": "ok"}})
    stood = metrics.stood_at()
    assert stood is not None
    assert abs(stood - datetime.now(UTC)) < MINUTE
    assert Metrics(ledger, "staging").stood_at() is None


def run(ledger: Ledger, story: Story, *, dag: str = "") -> None:
    """Write a run's entries and its record; of another DAG, the record alone, under its name."""
    if dag:
        body = next(ledger.entries(kind="record")).body
        ledger.append("record", run=f"{dag}/manual__1", body=body | {"operation": dag.partition(".")[0]})
        return
    for entry in story.entries:
        ledger.append(entry.kind, run=RUN, body=entry.body)
    record.append_record(ledger, story.info, {})


def good() -> Story:
    return Story().plan("orders").approval().lock("orders").acted("orders").checks("orders")


def test_verdicts_are_counted_on_from_where_the_last_count_ended(database: Database, ledger: Ledger) -> None:
    assert tally(ledger, "production").began is None
    run(ledger, good())
    first = tally(ledger, "production")
    assert first.counts == {("database_backup", "PASSED"): 1}
    run(ledger, Story().cleared().plan("orders", change="normal").approval("rejected"))
    run(ledger, good(), dag="health_check.production")
    second = tally(ledger, "production", first)
    assert second == tally(ledger, "production")
    assert second.counts == {("database_backup", "PASSED"): 1, ("database_backup", "CANCELLED"): 1}
    assert abs(second.newest["database_backup", "PASSED"] - datetime.now(UTC)) < MINUTE
    assert tally(ledger, "production", second) == second
    assert tally(ledger, "staging").counts == {}


def test_another_ledger_behind_the_same_connection_is_counted_anew(database: Database, ledger: Ledger) -> None:
    run(ledger, good())
    counted = tally(ledger, "production")
    with psycopg.connect(database.root, autocommit=True) as root:
        root.execute("alter table ledger.entry disable trigger append_only")
        root.execute("delete from ledger.entry")
    run(ledger, good())
    assert tally(ledger, "production", counted).counts == {("database_backup", "PASSED"): 1}
