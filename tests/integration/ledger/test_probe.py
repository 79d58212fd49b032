"""The probe's samples on a real server: written once, read as written, never changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from day2.errors import StepFailed
from day2.ledger import Ledger, metrics, migrate, probe
from day2.ledger.metrics import Metrics, Series
from day2.ledger.probe import Sample
from tests.integration.ledger.conftest import Database

pytestmark = pytest.mark.integration
T0 = datetime(2026, 11, 23, 6, 0, 0, 123456, tzinfo=UTC)
RUN, TARGET = "dr_drill.production/manual__1", "orders"


def beat(n: int, via: str = "endpoint", *, wrote: bool = True, said: str = "") -> Sample:
    sent = T0 + timedelta(seconds=n)
    server = "127.0.0.1:5432, timeline 1, up since 2026-11-23 05:00:00.5+00" if wrote else ""
    return Sample(n, via, sent, sent + timedelta(milliseconds=7), wrote, server, said, n - 1 if wrote else None)


NASTY = beat(2, wrote=False, said='tab\t newline\n quote" \\N back\\slash; ünïcode')


def write(ledger: Ledger, *samples: Sample, run: str = RUN, target: str = TARGET) -> None:
    probe.append(ledger, samples, run=run, target=target)


def test_samples_come_back_as_they_were_written(ledger: Ledger) -> None:
    write(ledger, beat(1), beat(1, "orders-standby"), NASTY)
    write(ledger, beat(3), target="billing")
    assert probe.read(ledger, RUN, TARGET) == [beat(1), beat(1, "orders-standby"), NASTY]
    assert probe.read(ledger, "another run", TARGET) == []


def test_a_batch_written_again_is_there_once(ledger: Ledger) -> None:
    write(ledger, beat(1), beat(2))
    write(ledger, beat(2), beat(2, "orders"), beat(3))
    assert [(each.n, each.via) for each in probe.read(ledger, RUN, TARGET)] == [
        (1, "endpoint"), (2, "endpoint"), (2, "orders"), (3, "endpoint"),
    ]  # fmt: skip


def test_a_batch_that_fails_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(StepFailed, match="duplicate key"):
        write(ledger, beat(1), beat(2), beat(2))
    assert probe.read(ledger, RUN, TARGET) == []


def test_a_probe_goes_on_after_the_last_number_of_an_earlier_try(ledger: Ledger) -> None:
    sink = probe.Sink(ledger, RUN, TARGET)
    assert sink.first() == 1
    sink.deliver([beat(1), beat(2), beat(2, "orders")])
    assert (sink.first(), probe.read(ledger, RUN, TARGET, after=1)) == (3, [beat(2), beat(2, "orders")])


def test_a_stop_is_for_one_attempt_of_one_target(ledger: Ledger) -> None:
    probe.ask_to_stop(ledger, RUN, "orders", attempt=1)
    probe.ask_to_stop(ledger, RUN, "orders", attempt=1)
    assert probe.asked_to_stop(ledger, RUN, "orders", attempt=1)
    assert not probe.asked_to_stop(ledger, RUN, "orders", attempt=2)
    assert not probe.asked_to_stop(ledger, RUN, "billing", attempt=1)


@pytest.mark.parametrize("table", ["probe_sample", "probe_stop"])
@pytest.mark.parametrize("statement", ["update ledger.{} set run = 'x'", "delete from ledger.{}", "truncate ledger.{}"])
def test_the_application_may_not_change_what_a_probe_saw(
    database: Database, ledger: Ledger, statement: str, table: str
) -> None:
    write(ledger, beat(1))
    with psycopg.connect(database.app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(table).encode())


def test_a_ledger_of_the_first_version_is_upgraded_and_keeps_its_entries(database: Database, ledger: Ledger) -> None:
    entry = ledger.append("note", run="r", body={"a": 1})
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("drop table ledger.probe_sample, ledger.probe_stop")
        owner.execute(
            "drop table ledger.metric_series, ledger.metric_sample, ledger.metric_rollup, ledger.metric_standing"
        )
        owner.execute("drop function ledger.metric_month, ledger.metric_roll, ledger.metric_expire")
        owner.execute("update ledger.alembic_version set version_num = '0001'")
    assert migrate(database.owner, app_role="day2-app") == "0003"
    write(ledger, beat(1))
    assert probe.read(ledger, RUN, TARGET) == [beat(1)]
    series = Series("host/db-01", "cpu_percent")
    assert Metrics(ledger, "production").write([metrics.Sample(series, T0, 5.0)]) == 1
    assert list(ledger.entries()) == [entry]
