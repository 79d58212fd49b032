"""Scaling in a running Airflow: asked for by an asset event, kept apart from a second run, approved above a limit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from day2.ledger.metrics import Metrics, Sample, Series
from tests.booted import Account, Finished, Suite

pytest_plugins = ("tests.booted",)
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
DAG, ASSET, SPOOL = "scale_resource.production", "day2-scaling-production", "edge-spool"
USED = Series("host/edge", "disk_percent", "spool")
MEGABYTE = 1 << 20


def measured(suite: Suite, percent: float) -> None:
    with suite.ledger() as ledger:
        Metrics(ledger, "production").write([Sample(USED, datetime.now(UTC), percent)])


def ask(suite: Suite) -> str:
    """Emit the event that health_check emits; returns the run that it starts."""
    suite.operator.wait_for_dag(DAG)
    admin = Account(suite.lab.airflow.url, account="admin", password=suite.lab.airflow.passwords["admin"])
    admin.patch(f"/dags/{DAG}", {"is_paused": False})
    [asset] = [each for each in admin.get("/assets")["assets"] if each["name"] == ASSET]
    admin.post("/assets/events", {"asset_id": asset["id"], "extra": {"resources": [SPOOL]}})
    runs: list[str] = []

    def begun() -> bool:
        found = suite.operator.get(f"/dags/{DAG}/dagRuns", run_type="asset_triggered")["dag_runs"]
        runs[:] = [each["dag_run_id"] for each in found]
        return bool(runs)

    suite.wait(begun, "the run of the event", seconds=60)
    return runs[-1]


def spool(suite: Suite) -> int:
    """What really is there, in megabytes."""
    return int((suite.lab.edge.folder / "spool").stat().st_size / MEGABYTE)


@pytest.fixture(scope="module")
def grown(suite: Suite) -> tuple[Finished, Finished]:
    """The run of an event, and one that a person started at once beside it."""
    measured(suite, 90.0)
    first = ask(suite)
    second = suite.start(DAG, reason="at the same moment", targets=[SPOOL])
    return suite.finish(DAG, first), suite.finish(DAG, second)


def test_an_event_makes_it_grow_by_one_bounded_step(suite: Suite, grown: tuple[Finished, Finished]) -> None:
    run, _ = grown
    assert run.record["verdict"] == "PASSED", run.record["reason"]
    assert run.record["trigger"]["type"] == "asset_triggered"
    assert run.record["slot_expected"] is None, "an event is no slot of a schedule"
    assert run.record["change"] == "standard"
    measures = run.record["measures"][SPOOL]["scale"]
    assert (measures["before"], measures["present"], measures["changed"]) == ("64", "128", "changed")


def test_a_second_run_at_once_waits_and_decides_from_what_is_there_then(
    suite: Suite, grown: tuple[Finished, Finished]
) -> None:
    first, second = grown
    assert second.record["started"] >= first.record["ended"]
    assert second.record["verdict"] == "PASSED", second.record["reason"]
    measures = second.record["measures"][SPOOL]["scale"]
    assert (measures["before"], measures["present"], measures["changed"]) == ("128", "128", "unchanged")
    assert "it cools down until" in measures["why"]
    assert spool(suite) == 128


def test_what_costs_more_than_the_limit_waits_for_a_person(suite: Suite, grown: tuple[Finished, Finished]) -> None:
    run_id = suite.start(DAG, reason="a large import tonight", targets=[SPOOL], size="192")
    suite.wait(lambda: suite.operator.awaits_input(DAG, run_id), "the question")
    assert spool(suite) == 128
    suite.approver.approve(DAG, run_id)
    run = suite.finish(DAG, run_id)
    assert run.record["verdict"] == "PASSED", run.record["reason"]
    assert run.record["change"] == "normal"
    assert [each["decision"] for each in run.record["approvals"]] == ["approved"]
    assert spool(suite) == 192
