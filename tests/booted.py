"""A lab of the tests' own in which DAGs really run, seen as the operator and the approver see it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.approver import READ_SECONDS
from lab.client import Client

ENDED = ("success", "failed")
RUN_SECONDS = 420


@dataclass
class Finished:
    """A run that ended: its tasks by id (mapped ones as `id[index]`), and its newest record."""

    dag: str
    run_id: str
    state: str
    tasks: dict[str, dict[str, Any]]
    record: dict[str, Any]

    def state_of(self, task: str) -> str | None:
        return self.tasks[task]["state"]


class Account(Client):
    """The lab's client, and what only tests do with it."""

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._http.patch(f"/api/v2{path}", json=body))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._http.post(f"/api/v2{path}", json=body))

    def mark_success(self, dag: str, run_id: str, task: str) -> None:
        """Mark a task as successful by hand, as somebody may in the UI."""
        self.patch(f"/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}", {"new_state": "success"})

    def clear(self, dag: str, run_id: str) -> None:
        body = {"dry_run": False, "only_failed": False}
        self._answer(self._http.post(f"/api/v2/dags/{dag}/dagRuns/{run_id}/clear", json=body))

    def awaits_input(self, dag: str, run_id: str) -> bool:
        return any(task["state"] == "awaiting_input" for task in self.tasks(dag, run_id))

    def approve(self, dag: str, run_id: str, answer: str = "Approve", *, task: str = "approve", **form: Any) -> None:
        """Answer what a task asks people."""
        path = f"/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/-1/hitlDetails"
        time.sleep(READ_SECONDS)
        self.patch(path, {"chosen_options": [answer], "params_input": form})


@dataclass
class Suite:
    """A booted lab, seen as the operator sees it."""

    lab: Any
    operator: Account
    approver: Account

    def ledger(self) -> Any:
        from day2.ledger import Ledger

        password = self.lab.fleet.secrets.password("platform/day2_ledger_app")
        server = self.lab.fleet["platform"]
        return Ledger.connect(server.conninfo("day2_ledger", user="day2_ledger_app", password=password))

    def start(self, dag: str, **conf: Any) -> str:
        self.operator.wait_for_dag(dag)
        return str(self.operator.trigger(dag, conf))

    def finish(self, dag: str, run_id: str) -> Finished:
        self.wait(lambda: self.operator.get(f"/dags/{dag}/dagRuns/{run_id}")["state"] in ENDED, "the run to end")
        state = self.operator.get(f"/dags/{dag}/dagRuns/{run_id}")["state"]
        tasks = {}
        for each in self.operator.tasks(dag, run_id):
            index = f"[{each['map_index']}]" if each["map_index"] >= 0 else ""
            tasks[each["task_id"] + index] = each
        with self.ledger() as ledger:
            records = [entry.body for entry in ledger.entries(kind="record", run=f"{dag}/{run_id}")]
        assert records, "the run left no record"
        return Finished(dag, run_id, state, tasks, records[-1])

    def run(self, dag: str, **conf: Any) -> Finished:
        return self.finish(dag, self.start(dag, **conf))

    def entries(self, dag: str, run_id: str, kind: str) -> list[dict[str, Any]]:
        with self.ledger() as ledger:
            return [entry.body for entry in ledger.entries(kind=kind, run=f"{dag}/{run_id}")]

    def log(self, finished: Finished, task: str) -> list[dict[str, Any]]:
        """Every line of a task instance's newest log, as the UI gets it."""
        one = finished.tasks[task]
        path = f"/dags/{finished.dag}/dagRuns/{finished.run_id}/taskInstances/{one['task_id']}/logs"
        found = self.operator.get(f"{path}/{one['try_number']}", map_index=one["map_index"], full_content=True)
        return [line for line in found["content"] if isinstance(line, dict)]

    @staticmethod
    def wait(until: Callable[[], bool], what: str, *, seconds: float = RUN_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            time.sleep(0.5)


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    """A lab of the tests' own, beside one that may be running in this checkout."""
    from day2.postgres import binaries
    from lab import boot
    from lab.postgres import reachable_temporary_folder

    state = reachable_temporary_folder(binaries.unprivileged())
    os.environ["DAY2_STATE"] = str(state / "state")
    try:
        lab = boot.up()
        accounts = {
            name: Account(lab.airflow.url, account=name, password=lab.airflow.passwords[name])
            for name in ("operator", "approver")
        }
        yield Suite(lab, accounts["operator"], accounts["approver"])
    finally:
        boot.down()
        del os.environ["DAY2_STATE"]
        shutil.rmtree(state, ignore_errors=True)
