"""The drill in a running Airflow, against the lab's fleet, while its writer is writing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from lab.fleet import ORDERS, STANDBY
from lab.postgres import adopt
from tests.booted import Finished, Suite

# A drill goes through eighteen tasks, twice as many processes, and two people.
pytestmark = pytest.mark.timeout(900)
DAG = "dr_drill.production"
# The writer's pause and its time to connect again; the probe's rhythm.
SLACK = timedelta(seconds=1.5)
NORMAL = "orders is a primary and takes writes; orders-standby is a standby that streams"


@pytest.fixture(scope="module")
def proven(suite: Suite) -> None:
    """Recovery points that passed their restore test, with copies: no drill without them."""
    suite.run("database_backup.production", reason="before a drill")


def start(suite: Suite, **conf: Any) -> str:
    """Trigger as the operator, approve as somebody else."""
    run_id = suite.start(DAG, **{"reason": "drill test", **conf})
    answer(suite, run_id, "approve", "Approve")
    return run_id


def answer(suite: Suite, run_id: str, task: str, option: str, **form: Any) -> None:
    ends = ("awaiting_input", "failed", "skipped", "upstream_failed")
    suite.wait(lambda: state(suite, run_id, task) in ends, f"{task} to ask")
    assert state(suite, run_id, task) == "awaiting_input", errors(suite, run_id)
    suite.approver.approve(DAG, run_id, option, task=task, **form)


def errors(suite: Suite, run_id: str) -> list[str]:
    """What the tasks that failed said."""
    failed = [each for each in suite.operator.tasks(DAG, run_id) if each["state"] == "failed"]
    return [f"{each['task_id']}: {line}" for each in failed for line in suite.operator.errors(each)]


def state(suite: Suite, run_id: str, task: str) -> str | None:
    found = [each["state"] for each in suite.operator.tasks(DAG, run_id) if each["task_id"] == task]
    return found[0] if found else None


def finish(suite: Suite, run_id: str) -> Finished:
    answer(suite, run_id, "sign_off", "Sign", comment="read it")
    return suite.finish(DAG, run_id)


@pytest.fixture(scope="module")
def drill(suite: Suite, proven: None) -> Finished:
    return finish(suite, start(suite))


def measures(finished: Finished, step: str, target: str = "orders") -> dict[str, Any]:
    return dict(finished.record["measures"][target][step])


def acknowledged(suite: Suite) -> list[tuple[int, datetime]]:
    """The writer's own list, which Day 2 never reads."""
    lines = (suite.lab.places.state / "acknowledged.jsonl").read_text().splitlines()
    return [(each["order"], datetime.fromisoformat(each["at"])) for each in map(json.loads, lines)]


def roles(suite: Suite) -> dict[str, bool]:
    found = {}
    for name in (ORDERS, STANDBY):
        with suite.lab.fleet[name].connect("orders") as connection:
            row = connection.execute("select pg_is_in_recovery()").fetchone()
            assert row is not None
            found[name] = row[0]
    return found


def test_a_drill_of_both_strategies_passes(drill: Finished) -> None:
    assert (drill.record["verdict"], drill.state) == ("PASSED", "success"), drill.record["reason"]
    assert "connections to" in measures(drill, "fence")["proof"]
    assert measures(drill, "promote")["timeline"] > measures(drill, "promote")["old_timeline"]
    assert measures(drill, "watch")["split_brain"] == 0
    assert measures(drill, "clear_up")["leftovers"] == []
    assert measures(drill, "switch_back")["streams"] is True


def test_the_measured_rto_is_what_the_writer_lived_through(suite: Suite, drill: Finished) -> None:
    """The writer knows both servers and follows the promotion by itself; the probe's endpoint follows the route."""
    declared = datetime.fromisoformat(measures(drill, "declare")["declared_at"])
    times = [at for _, at in acknowledged(suite)]
    away = [(before, after) for before, after in pairwise(times) if after > declared and longer(before, after)]
    lost_at, back_at = away[0]
    ended = {each["step"]: datetime.fromisoformat(each["ended"]) for each in steps(drill, "orders")}
    began = {each["step"]: datetime.fromisoformat(each["started"]) for each in steps(drill, "orders")}
    rto = declared + timedelta(seconds=measures(drill, "verify")["rto_seconds"])
    assert began["fence"] - SLACK < lost_at < ended["fence"] + SLACK, "it lost its server when that was fenced"
    assert began["promote"] < back_at < rto + SLACK, "and had one again when the standby was promoted"
    assert back_at - SLACK < rto < ended["route"] + SLACK, "the probe, when its endpoint was moved"


def longer(before: datetime, after: datetime) -> bool:
    """Longer than the writer's own rhythm."""
    return (after - before).total_seconds() > 1.0


def steps(finished: Finished, target: str) -> list[dict[str, Any]]:
    return [each for each in finished.record["steps"] if each["target"] == target]


def test_the_measured_loss_is_what_is_missing_from_the_writers_own_list(suite: Suite, drill: Finished) -> None:
    known = [number for number, _ in acknowledged(suite)]  # before the question: it goes on writing
    with psycopg.connect(suite.lab.fleet[ORDERS].conninfo("orders")) as connection:
        there = {each for (each,) in connection.execute("select id from shop.orders").fetchall()}
    missing = [number for number in known if number not in there]
    assert len(known) > 100
    assert (measures(drill, "verify")["lost"] == 0) == (missing == [])


def test_both_servers_are_what_they_were(suite: Suite, drill: Finished) -> None:
    assert roles(suite) == {ORDERS: False, STANDBY: True}
    assert measures(drill, "clear_up")["state"].startswith(NORMAL)


def test_somebody_else_approved_and_signed(suite: Suite, drill: Finished) -> None:
    signed = suite.entries(DAG, drill.run_id, "sign_off")
    assert [(each["who"], each["decision"], each["comment"]) for each in signed] == [("approver", "signed", "read it")]
    cards = [each for each in drill.record["artefacts"] if each["uri"].endswith(".html")]
    assert [each["sha256"] for each in cards] == [signed[0]["scorecard_sha256"]]
    assert datetime.fromisoformat(cards[0]["retain_until"]) > datetime.now(UTC), "the recovery region's vault locks it"


def test_on_call_reads_state_and_point_of_no_return(suite: Suite, drill: Finished) -> None:
    def text(task: str) -> str:
        return "\n".join(str(line.get("event")) for line in suite.log(drill, task))

    assert "going back is free" in text("fence[1]") + text("fence[0]")
    assert [f"{task}: point of no return" in text(f"promote[{n}]") for n, task in enumerate(("orders", "billing"))] == [
        True,
        False,
    ], "a restore beside production can always be thrown away"
    assert "going back costs a failback" in text("route[0]") + text("route[1]")


def test_no_secret_of_a_drill_is_in_its_record(suite: Suite, drill: Finished) -> None:
    text = json.dumps(drill.record) + json.dumps(suite.entries(DAG, drill.run_id, "plan"))
    secrets = json.loads((suite.lab.places.state / "secrets.json").read_text()).values()
    assert [each for each in secrets if each in text] == []


def test_nobody_signs_their_own_drill(suite: Suite, proven: None) -> None:
    run_id = start(suite, targets=["billing"])
    suite.wait(lambda: state(suite, run_id, "sign_off") == "awaiting_input", "the sign-off to ask")
    suite.operator.approve(DAG, run_id, "Sign", task="sign_off", comment="")
    finished = suite.finish(DAG, run_id)
    assert finished.record["verdict"] != "PASSED"
    assert finished.state_of("sign_off") == "failed"


def test_nobody_approves_their_own_drill(suite: Suite, proven: None) -> None:
    run_id = suite.start(DAG, targets=["orders"], reason="my own")
    suite.wait(lambda: state(suite, run_id, "approve") == "awaiting_input", "the approval to be asked for")
    suite.operator.approve(DAG, run_id)
    finished = suite.finish(DAG, run_id)
    assert (finished.record["verdict"], finished.record["steps"]) == ("CANCELLED", [])


def test_an_emergency_without_a_ticket_is_refused(suite: Suite, proven: None) -> None:
    finished = suite.run(DAG, mode="live", reason="the region is gone")
    assert finished.record["verdict"] == "FAILED"
    assert "incident's number" in finished.record["reason"]


def test_a_standby_that_is_down_is_red_and_nothing_is_touched(suite: Suite, proven: None) -> None:
    before = datetime.now(UTC)
    standby = suite.lab.fleet[STANDBY]
    adopt(standby.processes, standby.name, standby.data)  # a drill before this one started it anew
    assert standby.stop()
    try:
        finished = suite.run(DAG, targets=["orders"], reason="with a dead standby")
    finally:
        standby.start()
    assert finished.record["verdict"] == "FAILED"
    assert "orders-standby" in finished.record["reason"]
    assert finished.record["steps"] == []
    times = [at for _, at in acknowledged(suite) if at > before]
    assert max((after - gap).total_seconds() for gap, after in pairwise(times)) < 3, "the writer never noticed"


def test_a_cancelled_drill_leaves_no_orphans_and_a_failback_finishes_it(suite: Suite, drill: Finished) -> None:
    run_id = start(suite, targets=["orders"])
    suite.wait(lambda: state(suite, run_id, "hold") in ("deferred", "running"), "the hold")
    suite.operator.patch(f"/dags/{DAG}/dagRuns/{run_id}", {"state": "failed"})
    suite.wait(lambda: bool(suite.entries(DAG, run_id, "record")), "the record of the cancelled run")
    assert suite.entries(DAG, run_id, "record")[-1]["verdict"] != "PASSED"
    cleared = [each for each in suite.entries(DAG, run_id, "outcome") if each["step"] == "clear_up"]
    assert cleared, "clear_up runs whatever happens"
    assert "going back costs" in cleared[-1]["measures"]["state"] or not cleared[-1]["measures"]["safe_to_abort"]

    finished = finish(suite, start(suite, targets=["orders"], mode="failback"))
    assert finished.record["verdict"] == "PASSED", finished.record["reason"]
    assert roles(suite) == {ORDERS: False, STANDBY: True}
    assert measures(finished, "clear_up")["leftovers"] == []
