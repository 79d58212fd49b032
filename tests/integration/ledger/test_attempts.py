"""Intent before, outcome after, whatever happens between; and the record made of them, on a real ledger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import psycopg
import pytest

from day2.errors import StepFailed, Unavailable
from day2.ledger import Act, Ledger, attempt, chain, record
from tests.integration.ledger.conftest import Database, Server
from tests.unit.ledger.story import RUN, Story, plan_body

pytestmark = pytest.mark.integration
ACT = Act(run=RUN, attempt=1, step="backup", target="orders", try_number=1)


def bodies(ledger: Ledger, kind: str) -> list[dict[str, Any]]:
    return [entry.body for entry in ledger.entries(kind=kind, run=RUN)]


def test_the_intent_is_there_before_anything_is_done(ledger: Ledger) -> None:
    with attempt(ledger, ACT) as outcome:
        (intent,) = bodies(ledger, "intent")
        assert bodies(ledger, "outcome") == []
        outcome.measures["bytes"] = 5
        outcome.left = "one recovery point"
    (written,) = bodies(ledger, "outcome")
    assert (intent["step"], intent["target"], intent["try"], intent["pid"]) == ("backup", "orders", 1, os.getpid())
    assert (written["outcome"], written["measures"], written["left"]) == (
        "succeeded",
        {"bytes": 5},
        "one recovery point",
    )
    assert written["started"] == intent["started"] <= written["ended"]


def test_an_expected_failure_is_told_as_it_was_raised(ledger: Ledger) -> None:
    failure = StepFailed(
        "the disk is full", target="orders", left="half a dump", next_step="make room", runbook="#disk"
    )
    with pytest.raises(StepFailed, match="the disk is full"), attempt(ledger, ACT):
        raise failure
    (written,) = bodies(ledger, "outcome")
    assert (written["outcome"], written["error"], written["left"]) == ("failed", failure.as_dict(), "half a dump")


@pytest.mark.parametrize("error", [ValueError("a\0b \ud800 password=hunter2"), KeyboardInterrupt(), SystemExit(143)])
def test_any_other_end_is_told_too_and_goes_on(ledger: Ledger, error: BaseException) -> None:
    with pytest.raises(type(error)), attempt(ledger, ACT):
        raise error
    (written,) = bodies(ledger, "outcome")
    assert (written["outcome"], written["error"]["type"]) == ("failed", type(error).__name__)
    assert written["error"]["target"] == "orders"
    assert "hunter2" not in str(written)


def test_the_steps_own_error_is_not_hidden_by_a_ledger_that_is_gone(database: Database) -> None:
    ledger = Ledger.connect(database.app)

    def fail() -> None:
        with attempt(ledger, ACT):
            ledger.close()
            raise StepFailed("the disk is full")

    with pytest.raises(StepFailed, match="the disk is full") as caught:
        fail()
    assert "could not be written to the ledger either" in caught.value.__notes__[0]


def test_the_outcome_is_written_when_the_ledgers_server_comes_back(server: Server, ledger: Ledger) -> None:
    with attempt(ledger, ACT):
        server.pg_ctl("-m", "fast", "stop")
        back = Timer(2, server.start)
        back.start()
    back.join()
    assert [entry.kind for entry in ledger.entries()] == ["intent", "outcome"]


def test_a_ledger_that_does_not_come_back_is_unavailable(
    server: Server, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("day2.ledger.store.PATIENCE", 1)
    with Ledger.connect(database.app) as ledger:
        server.pg_ctl("-m", "fast", "stop")
        try:
            with pytest.raises(Unavailable, match="cannot be reached"):
                ledger.append("note", run=RUN, body={})
        finally:
            server.start()


def test_a_killed_worker_is_interrupted_and_its_run_has_a_record(database: Database, ledger: Ledger) -> None:
    ledger.append("plan", run=RUN, body=plan_body("orders") | {"attempt": 1})
    worker = subprocess.Popen((sys.executable, "-c", WORKER, database.app), stdout=subprocess.PIPE, env=_environment())
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"acting\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    entry = record.append_record(ledger, Story().info, {"backup[orders]": "failed"})
    assert (entry.body["verdict"], entry.body["steps"][0]["outcome"]) == ("FAILED", "interrupted")
    assert chain.verify(ledger.links()).whole


def test_each_attempt_is_recorded_once_and_a_cleared_run_again(ledger: Ledger) -> None:
    ledger.append("plan", run=RUN, body=plan_body("orders") | {"attempt": 1})
    info = Story().info
    first = record.append_record(ledger, info, {})
    assert record.append_record(ledger, info, {}) == first
    with attempt(ledger, replace(ACT, attempt=2, try_number=2)):
        pass
    second = record.append_record(ledger, replace(info, attempt=2), {})
    assert [each["record_id"] for each in bodies(ledger, "record")] == [f"{RUN}#1", f"{RUN}#2"]
    assert second.body["derived_from"]["entries"] == 3, "a record is not made of records"
    assert len(second.body["steps"]) == 1


def test_a_body_that_does_not_fit_its_kind_never_reaches_the_ledger(database: Database, ledger: Ledger) -> None:
    with pytest.raises(StepFailed, match="kind `plan` is not as it must be"):
        ledger.append("plan", run=RUN, body={"attempt": 1})
    with psycopg.connect(database.app) as connection:
        assert connection.execute("select count(*) from ledger.entry").fetchone() == (0,)


WORKER = f"""
import sys, time
from day2.ledger import Act, Ledger, attempt
with Ledger.connect(sys.argv[1]) as ledger, attempt(ledger, {ACT!r}):
    print("acting", flush=True)
    time.sleep(60)
"""


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(Path(__file__).parents[3] / "include")}
