"""DAGs run in a real Airflow against real servers; what they leave is read from the ledger and the API."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from psycopg import sql

from day2.metrics.openmetrics import OPENMETRICS
from tests.booted import Finished, Suite

DAG = "database_backup.staging"
PRODUCTION = "database_backup.production"
REASON = "a test of the backup"


@pytest.fixture(scope="module")
def good(suite: Suite) -> Finished:
    return suite.run(DAG, reason=REASON, ticket="CHG-1")


@pytest.fixture(scope="module")
def fleet_run(suite: Suite) -> Finished:
    return suite.run(PRODUCTION, reason=REASON)


@contextmanager
def table_locked(suite: Suite) -> Iterator[None]:
    """Nobody can read the sandbox's tables inside the block: a backup waits where it would read."""
    with suite.lab.fleet["billing"].connect("sandbox") as connection:
        found = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        with connection.transaction():
            for schema, table in found:
                connection.execute(
                    sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier(schema, table))
                )
            yield


def errors(suite: Suite, finished: Finished, task: str) -> list[str]:
    return [line["event"] for line in suite.log(finished, task) if line.get("level") in ("error", "critical")]


def test_a_backup_ends_green_with_a_passed_record(good: Finished) -> None:
    assert (good.state, good.record["verdict"]) == ("success", "PASSED")
    assert good.record["targets"]["succeeded"] == ["sandbox"]
    assert [step["step"] for step in good.record["steps"]] == ["back_up", "copy", "restore_test", "expire"]
    assert all(step["outcome"] == "succeeded" for step in good.record["steps"])


def test_the_record_says_who_asked_and_why(good: Finished) -> None:
    assert good.record["trigger"] == {"type": "manual", "user": "operator", "reason": REASON, "ticket": "CHG-1"}
    assert good.record["params"]["targets"] == ["sandbox"]


def test_a_standing_approval_is_written_down(good: Finished) -> None:
    (approval,) = good.record["approvals"]
    assert (approval["kind"], approval["decision"]) == ("standing", "approved")
    assert approval["plan_digest"] == good.record["plan_digest"]


def test_both_engines_pass_with_copies_locked_and_restored(fleet_run: Finished) -> None:
    assert fleet_run.record["verdict"] == "PASSED"
    measures = fleet_run.record["measures"]
    assert {name: each["restore_test"]["engine"] for name, each in measures.items()} == {
        "orders": "physical",
        "billing": "logical",
    }
    for each in measures.values():
        (copy,) = each["copy"]["copies"]
        assert copy["lock"]["verified"] is True
        assert each["restore_test"]["differences_total"] == 0


def test_mapped_tasks_carry_the_names_of_their_databases(fleet_run: Finished) -> None:
    named = {each["rendered_map_index"] for name, each in fleet_run.tasks.items() if name.startswith("database.")}
    assert named == {"orders", "billing"}


def test_the_log_tells_what_was_measured(suite: Suite, fleet_run: Finished) -> None:
    log = " ".join(str(line["event"]) for line in suite.log(fleet_run, "database.restore_test[0]"))
    assert "restored and started in" in log
    assert "tables equal to the source as of the snapshot" in log
    assert "amcheck found 0" in log


def test_no_secret_is_in_logs_records_or_xcoms(suite: Suite, fleet_run: Finished) -> None:
    connections = json.loads((suite.lab.places.state / "connections.json").read_text())
    secrets = [each["password"] for each in connections.values() if each.get("password")]
    told = json.dumps(fleet_run.record)
    for name in fleet_run.tasks:
        if fleet_run.tasks[name]["try_number"]:
            told += json.dumps(suite.log(fleet_run, name))
    path = f"/dags/{PRODUCTION}/dagRuns/{fleet_run.run_id}/taskInstances/~/xcomEntries"
    told += json.dumps(suite.operator.get(path, limit=1000))
    with suite.ledger() as ledger:
        told += json.dumps([entry.body for entry in ledger.entries(run=f"{PRODUCTION}/{fleet_run.run_id}")])
    assert secrets
    assert [each for each in secrets if each in told or json.dumps(each)[1:-1] in told] == []


def test_the_verdict_of_a_run_is_offered_to_prometheus(suite: Suite, good: Finished) -> None:
    connections = json.loads((suite.lab.places.state / "connections.json").read_text())
    token = connections["day2_scrape"]["password"]
    url = f"{suite.lab.airflow.url}/day2/metrics/staging"
    assert httpx.get(url).status_code == 401
    page = httpx.get(url, headers={"Authorization": f"Bearer {token}", "Accept": OPENMETRICS})
    families = text_string_to_metric_families(page.text)
    runs = {
        each.labels["verdict"]: each.value for some in families if some.name == "day2_runs" for each in some.samples
    }
    assert runs["PASSED"] >= 1


def test_a_dry_run_shows_the_plan_and_touches_nothing(suite: Suite, good: Finished) -> None:
    finished = suite.run(DAG, reason=REASON, dry_run=True)
    assert (finished.state, finished.record["verdict"]) == ("success", "DRY_RUN")
    assert finished.record["steps"] == []
    assert finished.state_of("close") == "skipped"
    log = " ".join(str(line["event"]) for line in suite.log(finished, "plan"))
    assert "sandbox: logical copy of" in log
    assert "dry run: nothing will be touched" in log


def test_a_run_by_hand_without_a_reason_is_refused_and_recorded(suite: Suite) -> None:
    finished = suite.run(DAG)
    assert (finished.state, finished.record["verdict"]) == ("failed", "FAILED")
    assert "needs a reason" in finished.record["reason"]
    assert finished.record["steps"] == []


def test_no_target_is_a_failure(suite: Suite) -> None:
    finished = suite.run(DAG, reason=REASON, targets=[])
    assert (finished.state, finished.record["verdict"]) == ("failed", "FAILED")
    assert "no database was chosen" in finished.record["reason"]


def test_a_refusal_is_one_clear_line_with_its_traceback_folded(suite: Suite) -> None:
    finished = suite.run(DAG, reason=REASON, targets=[])
    lines = suite.log(finished, "plan")
    events = [str(line["event"]) for line in lines]
    first = next(index for index, line in enumerate(lines) if line.get("level") == "error")
    assert "no database was chosen" in events[first]
    assert any("Next: choose from: sandbox" in event for event in events)
    fold = events.index("::group::Traceback")
    assert first < fold
    for line in lines:
        for detail in line.get("error_detail") or []:
            assert len(detail["frames"]) <= 12, "only Airflow's own frames are left"


def test_a_target_that_is_held_by_another_run_is_refused(suite: Suite) -> None:
    from day2.ledger import leases

    with suite.ledger() as ledger:
        other = "security_patching.staging/manual__1"
        leases.acquire(ledger, ["staging/database/sandbox"], owner=other, ttl=timedelta(minutes=5), reason="a test")
        try:
            finished = suite.run(DAG, reason=REASON)
        finally:
            leases.release(ledger, other)
    assert (finished.state, finished.record["verdict"]) == ("failed", "FAILED")
    assert other in finished.record["reason"]
    assert finished.record["steps"] == []
    assert finished.state_of("validate") == "skipped"


def test_an_expired_lease_is_taken_over_and_said_so(suite: Suite) -> None:
    from day2.ledger import leases

    with suite.ledger() as ledger:
        dead = "database_backup.staging/killed"
        leases.acquire(ledger, ["staging/database/sandbox"], owner=dead, ttl=timedelta(microseconds=1), reason="a test")
        finished = suite.run(DAG, reason=REASON)
    assert finished.record["verdict"] == "PASSED"
    assert [each["from"] for each in finished.record["lock"]["taken_over"]] == [dead]


def test_a_killed_worker_leaves_an_interrupted_attempt_and_the_retry_passes(suite: Suite) -> None:
    with table_locked(suite):
        run_id = suite.start(DAG, reason=REASON)
        suite.wait(lambda: bool(suite.entries(DAG, run_id, "intent")), "the backup to begin")
        (intent,) = suite.entries(DAG, run_id, "intent")
        os.kill(intent["pid"], signal.SIGKILL)
        suite.wait(
            lambda: any(task["state"] == "up_for_retry" for task in suite.operator.tasks(DAG, run_id)), "the retry"
        )
    finished = suite.finish(DAG, run_id)
    assert (finished.state, finished.record["verdict"]) == ("success", "PASSED")
    tries = [(each["try"], each["outcome"]) for each in finished.record["steps"] if each["step"] == "back_up"]
    assert tries == [(1, "interrupted"), (2, "succeeded")]


def test_a_check_marked_successful_by_hand_is_an_override(suite: Suite) -> None:
    with table_locked(suite):
        run_id = suite.start(DAG, reason=REASON)
        suite.wait(lambda: bool(suite.entries(DAG, run_id, "intent")), "the backup to begin")
        suite.operator.mark_success(DAG, run_id, "validate")
    finished = suite.finish(DAG, run_id)
    assert finished.record["verdict"] == "OVERRIDDEN"
    assert [each["task"] for each in finished.record["overrides"]] == ["validate"]
    assert finished.state_of("close") == "failed"


def test_clearing_a_run_appends_a_second_record(suite: Suite) -> None:
    finished = suite.run(DAG, reason=REASON)
    suite.operator.clear(DAG, finished.run_id)
    again = suite.finish(DAG, finished.run_id)
    with suite.ledger() as ledger:
        records = [entry.body for entry in ledger.entries(kind="record", run=f"{DAG}/{finished.run_id}")]
    assert [each["attempt"] for each in records] == [1, 2]
    assert [each["verdict"] for each in records] == ["PASSED", "PASSED"]
    assert again.state == "success"


def test_the_ledger_verifies_after_all_of_this(suite: Suite, good: Finished) -> None:
    from day2.ledger import chain

    with suite.ledger() as ledger:
        assert chain.verify(ledger.links()).fault is None


def restore(suite: Suite, **conf: Any) -> str:
    return suite.start("database_restore.production", database="billing", reason=REASON, **conf)


def test_a_restore_beside_the_living_database_is_proven(suite: Suite, fleet_run: Finished) -> None:
    run_id = restore(suite, destination="new_database", new_name="billing beside; it's")
    finished = suite.finish("database_restore.production", run_id)
    assert (finished.state, finished.record["verdict"]) == ("success", "PASSED")
    with suite.lab.fleet["billing"].connect("billing beside; it's") as connection:
        assert connection.execute("select count(*) > 0 from pg_tables where schemaname = 'public'").fetchone()


def test_nobody_approves_their_own_request(suite: Suite, fleet_run: Finished) -> None:
    dag = "database_restore.production"
    run_id = restore(suite, destination="in_place")
    suite.wait(lambda: suite.operator.awaits_input(dag, run_id), "the approval to be asked for")
    suite.operator.approve(dag, run_id)
    finished = suite.finish(dag, run_id)
    assert finished.record["verdict"] == "CANCELLED"
    assert finished.record["steps"] == []
    (refused,) = finished.record["approvals"]
    assert (refused["decision"], refused["who"]) == ("refused", "operator")


def test_a_rejected_plan_touches_nothing_and_is_recorded(suite: Suite, fleet_run: Finished) -> None:
    dag = "database_restore.production"
    run_id = restore(suite, destination="in_place")
    suite.wait(lambda: suite.operator.awaits_input(dag, run_id), "the approval to be asked for")
    suite.approver.approve(dag, run_id, answer="Reject")
    finished = suite.finish(dag, run_id)
    assert finished.record["verdict"] == "CANCELLED"
    assert finished.record["steps"] == []
    assert finished.state_of("restore") == "skipped"


def test_an_approved_restore_in_place_keeps_the_old_data(suite: Suite, fleet_run: Finished) -> None:
    dag = "database_restore.production"
    with suite.lab.fleet["billing"].connect("billing") as connection:
        connection.execute("create table written_after_the_backup (a int)")
    run_id = restore(
        suite, destination="in_place", recovery_point=fleet_run.record["measures"]["billing"]["back_up"]["point"]
    )
    suite.wait(lambda: suite.operator.awaits_input(dag, run_id), "the approval to be asked for")
    suite.approver.approve(dag, run_id)
    finished = suite.finish(dag, run_id)
    assert (finished.state, finished.record["verdict"]) == ("success", "PASSED")
    (approval,) = finished.record["approvals"]
    assert (approval["kind"], approval["decision"], approval["who"]) == ("person", "approved", "approver")
    kept = finished.record["measures"]["billing"]["restore"]["old_data"]
    query = "select to_regclass('public.written_after_the_backup') is not null"
    with suite.lab.fleet["billing"].connect("billing") as connection:
        assert connection.execute(query).fetchone() == (False,)
        named = connection.execute("select datallowconn from pg_database where datname = %s", (kept,)).fetchone()
    assert named == (False,), "the old data is kept, closed to connections"
