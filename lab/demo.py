"""Run one operation for real, follow it in the terminal, and show what the ledger says of it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from day2 import units
from day2.errors import Unavailable
from lab.approver import Approver
from lab.boot import Lab
from lab.client import Client
from lab.fleet import PLATFORM
from lab.result import show_record
from lab.say import say, timed

if TYPE_CHECKING:
    from day2.ledger import Ledger

RUN_SECONDS = 1800
COLOURS = {
    "running": "cyan",
    "success": "green",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "awaiting_input": "bold yellow",
}
# States that only say "soon": a reader wants to see what runs and how it ended.
QUIET = (None, "scheduled", "queued", "none")


def run(lab: Lab, dag: str) -> bool:
    """Run the DAG, and before a drill what it needs. Returns whether the verdict is PASSED."""
    operation, _, environment = dag.partition(".")
    backup = f"database_backup.{environment}"
    if operation == "dr_drill" and not has_passed(lab, backup):
        say(f"A drill needs recovery points whose restore was tested, and there are none yet: {backup} first.")
        if not run(lab, backup):
            return False
    record = run_once(lab, dag, {"reason": "demonstration"})
    return record is not None and record["verdict"] == "PASSED"


def run_once(lab: Lab, dag: str, conf: dict[str, Any]) -> dict[str, Any] | None:
    """Trigger the DAG as operator, follow it, print its record and return it; none if there is none."""
    client = account(lab, "operator")
    client.wait_for_dag(dag)
    return follow_run(lab, dag, client.trigger(dag, conf))


def follow_run(lab: Lab, dag: str, run_id: str) -> dict[str, Any] | None:
    """Follow a run that was begun, print its record and return it; none if there is none."""
    client = account(lab, "operator")
    say("")
    say(f"{dag}: run {run_id}", style="bold")
    with timed(f"Run of {dag}"):
        state = follow(client, dag, run_id, approver=Approver(account(lab, "approver")))
    say(f"Airflow's state of the run: {state}")
    record = read_record(lab, f"{dag}/{run_id}")
    if record is None:
        say("The ledger has no record of this run: that is a failure, whatever Airflow says.", style="bold red")
        return None
    show_record(record)
    return record


def account(lab: Lab, name: str) -> Client:
    """A session of one of the lab's accounts."""
    return Client(lab.airflow.url, account=name, password=lab.airflow.passwords[name])


def follow(client: Client, dag: str, run_id: str, *, approver: Approver) -> str:
    """Print each task's changes of state until the run ends, answer what it asks; returns the run's state."""
    seen: dict[str, str | None] = {}
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        # The run first: tasks read afterwards are at least as new, so no last change is missed.
        state: str = client.get(f"/dags/{dag}/dagRuns/{run_id}")["state"]
        for task in sorted(client.tasks(dag, run_id), key=lambda each: (each["start_date"] or "~", each["task_id"])):
            if seen.get(task["id"]) != task["state"] and task["state"] not in QUIET:
                show_change(client, task)
                if task["state"] == "awaiting_input":
                    approver.answer(task)
            seen[task["id"]] = task["state"]
        if state in ("success", "failed"):
            return state
        if time.monotonic() > deadline:
            raise Unavailable(f"still {state} after {units.duration(RUN_SECONDS)}", target=f"{dag} {run_id}")
        time.sleep(0.5)


def show_change(client: Client, task: dict[str, Any]) -> None:
    """One line for a task that changed its state; its errors if it failed."""
    name = task["task_id"]
    if task["map_index"] >= 0:
        name += f" [{task['rendered_map_index'] or task['map_index']}]"
    took = units.duration(task["duration"]) if task["duration"] and task["state"] != "running" else ""
    say(f"  {time.strftime('%H:%M:%S')}  {name:44} {task['state']:15} {took}", style=COLOURS.get(task["state"], ""))
    if task["state"] in ("failed", "up_for_retry"):
        for line in client.errors(task)[-3:]:
            say(f"            {line}", style="red")


def read_record(lab: Lab, run: str) -> dict[str, Any] | None:
    """The newest run record of `<dag id>/<run id>` in the ledger."""
    with ledger(lab) as opened:
        records = [entry.body for entry in opened.entries(kind="record", run=run)]
    return records[-1] if records else None


def has_passed(lab: Lab, dag: str, *, since: datetime | None = None) -> bool:
    """Whether the ledger has a record of this DAG whose verdict is PASSED; of a run begun since then, if given."""
    with ledger(lab) as opened:
        records = (entry.body for entry in opened.entries(kind="record"))
        passed = [each for each in records if each["dag_id"] == dag and each["verdict"] == "PASSED"]
    return any(since is None or datetime.fromisoformat(each["started"]) >= since for each in passed)


def ledger(lab: Lab) -> Ledger:
    """The ledger, opened as its application does."""
    from day2.ledger import Ledger

    password = lab.fleet.secrets.password("platform/day2_ledger_app")
    return Ledger.connect(lab.fleet[PLATFORM].conninfo("day2_ledger", user="day2_ledger_app", password=password))
