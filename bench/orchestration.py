"""Part 4: what a DAG run costs beside its act and its checks, for 1 to 100 tiny databases.

A real Airflow, booted by the lab in a state folder of its own, with a generated inventory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import sql

from bench import machine
from bench.fleets import dbname, write_environment
from bench.measure import server_cpu
from bench.servers import state_folder
from bench.tables import Grid
from lab import boot
from lab.airflow import COMPONENTS
from lab.boot import Lab
from lab.client import Client
from lab.files import read_json, write_json
from lab.fleet import BILLING, PLATFORM
from lab.ports import free_port
from lab.say import say, timed

GOAL_SECONDS = 20
RUN_SECONDS = 3600
IDLE_SECONDS = 30
PAGE = 100  # the most task instances Airflow's API gives at once
ACT_AND_CHECK = ("database.back_up", "database.copy", "database.restore_test", "validate", "expire")


@dataclass(frozen=True)
class Interval:
    """From when to when something ran, in seconds since the epoch."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class Cost:
    """Of one run, in seconds. `busy` is how long at least one act or check task ran.

    `busy_inside` counts only from an act's intent to its outcome: what starting its task took is left out.
    """

    targets: int
    state: str
    wall: float
    busy: float
    busy_inside: float
    task_seconds: float
    steps: dict[str, float]

    @property
    def orchestration(self) -> float:
        return self.wall - self.busy


def runs(counts: Iterable[int]) -> Iterator[dict[str, Any]]:
    """One run for each count of targets, smallest first."""
    counts = sorted(counts)
    with _lab(counts) as lab:
        client = Client(lab.airflow.url, account="operator", password=lab.airflow.passwords["operator"])
        idle = _idle_rate(lab)
        for count in counts:
            load, cpu, begun = machine.load(), _airflow_cpu(lab), time.monotonic()
            with timed(f"run with {count} targets"):
                found = _run(lab, client, count)
            spent = _airflow_cpu(lab) - cpu - idle * (time.monotonic() - begun)
            more = {"orchestration": found.orchestration, "cpu": spent, "load": [load, machine.load()]}
            yield asdict(found) | more


def cost(run: dict[str, Any], tasks: list[dict[str, Any]], inside: list[Interval]) -> Cost:
    """What the run's task instances say. `inside` is when our code acted, by the ledger's own entries."""
    ran = [(task["task_id"], _interval(task)) for task in tasks if task["start_date"] and task["end_date"]]
    acts = [interval for task, interval in ran if task in ACT_AND_CHECK]
    checks = [interval for task, interval in ran if task == "validate"]
    return Cost(
        targets=len([task for task, _ in ran if task == "database.back_up"]),
        state=run["state"],
        wall=_interval(run).seconds,
        busy=covered(acts),
        busy_inside=covered([*inside, *checks]),
        task_seconds=sum(each.seconds for each in acts),
        steps={task: interval.seconds for task, interval in ran if "." not in task},
    )


def covered(intervals: Iterable[Interval]) -> float:
    """How many seconds lie in at least one interval."""
    total, reached = 0.0, float("-inf")
    for each in sorted(intervals, key=lambda each: each.begin):
        total += max(0.0, each.end - max(each.begin, reached))
        reached = max(reached, each.end)
    return total


def grid(rows: list[dict[str, Any]]) -> Grid:
    """One row a run. Linear is the smallest run's figure, times as many targets."""
    heads = ("targets", "state", "wall s", "act and check s", "orchestration s", "to linear", "CPU s", "load", "goal")
    return Grid("Orchestration", heads, tuple(_line(each, rows[0]) for each in rows))


def _line(each: dict[str, Any], first: dict[str, Any]) -> tuple[str, ...]:
    spent, linear = each["orchestration"], first["orchestration"] * each["targets"] / first["targets"]
    one = each["targets"] == 1
    return (
        str(each["targets"]),
        each["state"],
        f"{each['wall']:.1f}",
        f"{each['busy']:.1f}",
        f"{spent:.1f}",
        f"{spent / linear:.2f}",
        f"{each['cpu']:.0f}",
        " to ".join(map(str, each["load"])),
        (f"≤ {GOAL_SECONDS} s " if one else "sub-linear ") + _met(spent <= GOAL_SECONDS if one else spent < linear),
    )


def _met(good: bool) -> str:
    return "met" if good else "missed"


@contextmanager
def _lab(counts: list[int]) -> Iterator[Lab]:
    state = state_folder()
    os.environ["DAY2_STATE"], os.environ["DAY2_HOME"] = str(state), str(state / "home")
    for count in counts:
        write_environment(state / "home", f"bench-{count}", count)
    _own_port(state / "ports.json")
    try:
        lab = boot.up()
        _make_databases(lab, max(counts))
        yield lab
    finally:
        boot.down(store_grace=0)


def _own_port(remembered: Path) -> None:
    """Not Airflow's usual port: a lab that boots at the same time would choose that one too."""
    ports = read_json(remembered)
    ports["airflow"] = free_port()
    write_json(remembered, ports)


def _make_databases(lab: Lab, count: int) -> None:
    """Tiny databases on the billing server; those that are there stay."""
    with lab.fleet[BILLING].connect() as connection:
        known = {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}
        for name in (dbname(each) for each in range(count)):
            if name in known:
                continue
            database = sql.Identifier(name)
            connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO day2_backup").format(database))
            with lab.fleet[BILLING].connect(name) as inner:
                inner.execute("CREATE TABLE t AS SELECT n AS id, md5(n::text) AS word FROM generate_series(1, 1000) n")


def _airflow_cpu(lab: Lab) -> float:
    """CPU-seconds of Airflow's processes so far, of the tasks they ran included."""
    return server_cpu([pid for name in COMPONENTS if (pid := lab.processes.pid(name))])


def _idle_rate(lab: Lab) -> float:
    """CPU-seconds a second that Airflow spends when nothing runs."""
    before = _airflow_cpu(lab)
    time.sleep(IDLE_SECONDS)
    return (_airflow_cpu(lab) - before) / IDLE_SECONDS


def _run(lab: Lab, client: Client, count: int) -> Cost:
    dag = f"database_backup.bench-{count}"
    client.wait_for_dag(dag)
    run_id = client.trigger(dag, {"reason": "measuring the orchestration"})
    deadline = time.monotonic() + RUN_SECONDS
    while (run := client.get(f"/dags/{dag}/dagRuns/{run_id}"))["state"] not in ("success", "failed"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{dag} {run_id}: still {run['state']} after {RUN_SECONDS} s")
        time.sleep(1)
    if run["state"] != "success":
        say(f"{dag} {run_id}: {run['state']}: its figures count for nothing", style="red")
    return cost(run, _tasks(client, dag, run_id), _acted(lab, f"{dag}/{run_id}"))


def _tasks(client: Client, dag: str, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = client.get(f"/dags/{dag}/dagRuns/{run_id}/taskInstances", limit=PAGE, offset=len(found))
        found += page["task_instances"]
        if not page["task_instances"] or len(found) >= page["total_entries"]:
            return found


def _acted(lab: Lab, run: str) -> list[Interval]:
    """From intent to outcome of every act, as the ledger has it."""
    from day2.ledger import Ledger

    password = lab.fleet.secrets.password("platform/day2_ledger_app")
    conninfo = lab.fleet[PLATFORM].conninfo("day2_ledger", user="day2_ledger_app", password=password)
    with Ledger.connect(conninfo) as ledger:
        bodies = [entry.body for entry in ledger.entries(kind="outcome", run=run)]
    return [Interval(_seconds(each["started"]), _seconds(each["ended"])) for each in bodies]


def _interval(thing: dict[str, Any]) -> Interval:
    return Interval(_seconds(thing["start_date"]), _seconds(thing["end_date"]))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
