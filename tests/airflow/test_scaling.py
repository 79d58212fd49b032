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
def runs(suite: Suite) -> tuple[Finished, Finished, int]:
    """The run of an event; one that a person began at once beside it; and what was there when it asked."""
    measured(suite, 90.0)
    first = ask(suite)
    second = suite.start(DAG, reason="a large import tonight", targets=[SPOOL], size="192")
    grown = suite.finish(DAG, first)
    suite.wait(lambda: suite.operator.awaits_input(DAG, second), "the question")
    asked_at = spool(suite)
    suite.approver.approve(DAG, second)
    return grown, suite.finish(DAG, second), asked_at


def test_an_event_makes_it_grow_by_one_bounded_step(runs: tuple[Finished, Finished, int]) -> None:
    grown, _, there = runs
    assert grown.record["verdict"] == "PASSED", grown.record["reason"]
    assert grown.record["trigger"]["type"] == "asset_triggered"
    assert grown.record["slot_expected"] is None, "an event is no slot of a schedule"
    assert grown.record["change"] == "standard"
    measures = grown.record["measures"][SPOOL]["scale"]
    assert (measures["before"], measures["present"], measures["changed"]) == ("64", "128", "changed")
    assert there == 128


def test_a_second_run_at_once_waits_and_plans_from_what_is_there_then(runs: tuple[Finished, Finished, int]) -> None:
    grown, by_hand, _ = runs
    assert by_hand.record["started"] >= grown.record["ended"]
    measures = by_hand.record["measures"][SPOOL]["scale"]
    assert (measures["before"], measures["present"]) == ("128", "192"), "from 64 it would have been two steps"


def test_what_costs_more_than_the_limit_waits_for_a_person(suite: Suite, runs: tuple[Finished, Finished, int]) -> None:
    _, by_hand, _ = runs
    assert by_hand.record["verdict"] == "PASSED", by_hand.record["reason"]
    assert by_hand.record["change"] == "normal"
    assert [(each["decision"], each["kind"]) for each in by_hand.record["approvals"]] == [("approved", "person")]
    assert spool(suite) == 192


def test_a_command_that_fails_half_way_is_taken_back_and_never_passes(
    suite: Suite, runs: tuple[Finished, Finished, int]
) -> None:
    script = suite.lab.edge.folder / "bin" / "spool-size"
    whole = script.read_text()
    half_way = whole.replace(
        "[ $# -eq 0 ] ||", '[ "${1-}" != 256 ] || { truncate -s 256M "$spool"; exit 3; }\n[ $# -eq 0 ] ||'
    )
    assert half_way != whole
    script.write_text(half_way)
    try:
        run_id = suite.start(DAG, reason="the last step there is", targets=[SPOOL], size="256")
        suite.wait(lambda: suite.operator.awaits_input(DAG, run_id), "the question")
        suite.approver.approve(DAG, run_id)
        run = suite.finish(DAG, run_id)
    finally:
        script.write_text(whole)
    assert (run.state, run.record["verdict"]) == ("failed", "FAILED")
    scaled, undone = run.record["steps"]
    assert scaled["error"]["happened"].startswith("it was asked to become 256, and that failed")
    assert scaled["left"] == "it is now: `spool-size` says 256"
    assert (undone["step"], undone["outcome"]) == ("undo", "succeeded")
    assert undone["left"] == "the size before, 192: `spool-size` says 192"
    assert spool(suite) == 192
