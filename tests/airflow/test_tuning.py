"""Performance tuning in a running Airflow: a marketplace under load, its worker killed, its run ended by hand."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from lab.fleet import BILLING
from lab.tunable import DATABASE, Bazaar
from tests.booted import Finished, Suite

pytest_plugins = ("tests.booted",)
# The lab, a backup and a run of some minutes are set up for the first of them.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
DAG = "performance_tuning.production"
HELPS, HARMS = "missing_index:bazaar.orders (customer_id)", "missing_index:bazaar.clicks (page_id)"
INDEX = "day2_orders_customer_id"
# Most other faults that are planted: a run would take a minute for each.
CURED = (
    "drop index bazaar.orders_created_again",
    "drop index bazaar.orders_note",
    "analyze bazaar.prices",
    "vacuum full bazaar.events",
    "alter system reset random_page_cost",
    "select pg_reload_conf()",
)


@pytest.fixture(scope="module")
def bazaar(suite: Suite) -> Iterator[Bazaar]:
    """Planted, cured of all that is quick to see, proven to be restorable, and under load."""
    made = Bazaar(suite.lab.fleet[BILLING], suite.lab.fleet.secrets)
    made.plant()
    with made.server.connect(DATABASE) as connection:
        for statement in CURED:
            connection.execute(statement.encode())
    backed_up = suite.run("database_backup.production", reason="before tuning", targets=[DATABASE])
    assert backed_up.record["verdict"] == "PASSED", backed_up.record["reason"]
    made.start()
    made.release()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def planned(suite: Suite, bazaar: Bazaar) -> Finished:
    """A dry run, once every statement was called often enough to be told."""
    suite.wait(lambda: len(found(suite, dry(suite).run_id)) >= 2, "both missing indexes to be found")
    return dry(suite)


@pytest.fixture(scope="module")
def tuned(suite: Suite, bazaar: Bazaar, planned: Finished) -> Finished:
    """The run in which the worker of the first change is killed while the change is there."""
    run_id = begin(suite)
    suite.wait(lambda: "applied" in phases(suite, run_id), "a change that is made")
    intent = [each for each in suite.entries(DAG, run_id, "intent") if each["target"] != DATABASE][-1]
    os.kill(intent["pid"], signal.SIGKILL)
    finished = suite.finish(DAG, run_id)
    assert finished.record["verdict"] == "PASSED", finished.record["reason"]
    return finished


def dry(suite: Suite) -> Finished:
    return suite.run(DAG, reason="tuning test", targets=[DATABASE], dry_run=True)


def begin(suite: Suite) -> str:
    run_id = suite.start(DAG, reason="tuning test", targets=[DATABASE])
    suite.wait(lambda: suite.operator.awaits_input(DAG, run_id), "the question")
    suite.approver.approve(DAG, run_id)
    return run_id


def found(suite: Suite, run_id: str) -> list[str]:
    plan = suite.entries(DAG, run_id, "plan")[-1]
    return [each["name"] for each in plan["targets"] if each["recommendation"]]


def phases(suite: Suite, run_id: str) -> list[str]:
    return [each["phase"] for each in suite.entries(DAG, run_id, "tuning_note")]


def measures(finished: Finished, target: str) -> dict[str, Any]:
    return finished.record["measures"][target]["tune"]


def named(key: str) -> str:
    return f"{key} in {DATABASE}"


def test_a_dry_run_tells_what_it_would_do_and_touches_nothing(suite: Suite, bazaar: Bazaar, planned: Finished) -> None:
    assert planned.record["verdict"] == "DRY_RUN"
    assert {named(HELPS), named(HARMS)} <= set(found(suite, planned.run_id))
    assert not any(name.startswith("day2_") for name in bazaar.indexes())
    told = "\n".join(str(each.get("event")) for each in suite.log(planned, "plan"))
    assert "does: CREATE INDEX CONCURRENTLY" in told
    assert "undone by: DROP INDEX CONCURRENTLY" in told
    assert "first tried on a restored copy" in told


def test_the_index_that_helps_is_kept_though_its_worker_was_killed(tuned: Finished, bazaar: Bazaar) -> None:
    kept = measures(tuned, named(HELPS))
    assert kept["outcome"] == "kept", kept["decision"]
    [blocks] = [each for each in kept["effects"] if each["metric"] == "blocks"]
    assert blocks["share"] < -0.9
    assert bazaar.indexes()[INDEX]
    tries = [each for each in tuned.record["steps"] if each["target"] == named(HELPS)]
    assert [each["outcome"] for each in tries][-1] == "succeeded"


def test_the_killed_worker_is_in_the_record(tuned: Finished) -> None:
    assert [each["outcome"] for each in tuned.record["steps"]].count("interrupted") == 1


def test_the_index_that_harms_does_not_stay(tuned: Finished, bazaar: Bazaar) -> None:
    assert measures(tuned, named(HARMS))["outcome"] in ("reverted", "withdrawn")
    assert not any("clicks" in name and name.startswith("day2_") for name in bazaar.indexes())


def test_every_change_was_judged(tuned: Finished) -> None:
    judged = {each["target"] for each in tuned.record["checks"]}
    assert judged >= set(tuned.record["targets"]["resolved"])


def test_what_was_risky_was_first_tried_on_a_copy(tuned: Finished) -> None:
    own = measures(tuned, DATABASE)
    assert own["no_copy"] == ""
    said = own["rehearsals"][HELPS]
    assert said["promising"]
    assert said["point"]
    assert any(each["after"]["blocks"] < each["before"]["blocks"] / 10 for each in said["statements"])


def test_the_report_and_the_findings_are_evidence(suite: Suite, tuned: Finished) -> None:
    uris = [each["uri"] for each in tuned.record["artefacts"]]
    assert [uri.rpartition("-")[2] for uri in uris] == ["report.html", "findings.csv"]
    gain = suite.entries(DAG, tuned.run_id, "tuning_gain")
    assert [each["key"] for each in gain[-1]["kept"]] == [
        each["key"]
        for each in (measures(tuned, name) for name in tuned.record["targets"]["succeeded"])
        if each.get("outcome") == "kept"
    ]


def test_what_was_kept_is_not_taken_for_a_change_by_hand(suite: Suite, tuned: Finished) -> None:
    advice = suite.entries(DAG, dry(suite).run_id, "tuning_look")[-1]["advice"]
    assert not [each["object"] for each in advice["recommendations"] if each["kind"] == "changed_by_hand"]


def test_a_database_that_is_only_advised_is_looked_at_and_asks_nobody(suite: Suite) -> None:
    finished = suite.run(DAG, reason="tuning test", targets=["orders"])
    assert finished.record["verdict"] == "PASSED", finished.record["reason"]
    assert finished.record["change"] == "standard"
    assert finished.record["targets"]["resolved"] == ["orders"]


def test_while_a_transaction_is_open_changes_are_put_off(suite: Suite, bazaar: Bazaar, tuned: Finished) -> None:
    with bazaar.server.connect(DATABASE) as connection:
        connection.execute(f"drop index bazaar.{INDEX}".encode())
        with bazaar.server.connect(DATABASE) as other, other.transaction():
            other.execute("select 1")
            finished = suite.finish(DAG, begin(suite))
    assert finished.record["verdict"] == "PARTIAL", finished.record["reason"]
    put_off = suite.entries(DAG, finished.run_id, "tuning_put_off")
    assert put_off
    assert all("a transaction has been open for" in each["why"] for each in put_off)
    assert INDEX not in bazaar.indexes()


def test_a_run_that_somebody_ends_leaves_no_change_half_made(suite: Suite, bazaar: Bazaar, tuned: Finished) -> None:
    run_id = begin(suite)
    suite.wait(lambda: "applied" in phases(suite, run_id), "a change that is made")
    suite.operator.patch(f"/dags/{DAG}/dagRuns/{run_id}", {"state": "failed"})
    suite.wait(lambda: bool(suite.entries(DAG, run_id, "record")), "the record")
    record = suite.entries(DAG, run_id, "record")[-1]
    assert record["verdict"] != "PASSED"
    assert phases(suite, run_id)[-1] == "reverted"
    assert INDEX not in bazaar.indexes()
