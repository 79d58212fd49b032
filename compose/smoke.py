"""Run the demo's backup through Celery to its record. Healthy services alone prove nothing.

`docker compose --profile demo up --detach --wait`, then `make compose-smoke`. Ends with 0 only on PASSED.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from lab.client import Client

PROJECT = Path(__file__).resolve().parents[1]
DAG = "database_backup.demo"
SECONDS = 900
# Of a task's errors: what happened, what is left, what to do; the rest is in its log.
LINES = 4


def main() -> None:
    """Trigger the DAG as the operator, wait for its end, and show every task and the verdict."""
    env = read_env(PROJECT / ".env")
    port = os.environ.get("AIRFLOW_PORT") or env.get("AIRFLOW_PORT", "8080")
    client = Client(f"http://127.0.0.1:{port}", account="operator", password=env["OPERATOR_PASSWORD"])
    client.wait_for_dag(DAG)
    begun = time.monotonic()
    run = client.trigger(DAG, {"reason": "smoke test of the compose stack"})
    state = wait(client, run)
    for task in sorted(client.tasks(DAG, run), key=lambda each: each["start_date"] or "~"):
        show(client, task)
    verdict = recorded(client, run) if state == "success" else "no PASSED record"
    sys.stdout.write(f"{DAG} {run}: {state} after {time.monotonic() - begun:.0f} s, {verdict}\n")
    sys.exit(0 if state == "success" and verdict == "PASSED" else 1)


def wait(client: Client, run: str) -> str:
    """The run's state at its end, or when time is up."""
    deadline = time.monotonic() + SECONDS
    while True:
        state: str = client.get(f"/dags/{DAG}/dagRuns/{run}")["state"]
        if state in ("success", "failed") or time.monotonic() > deadline:
            return state
        time.sleep(1)


def show(client: Client, task: dict[str, Any]) -> None:
    """One line a task, and its errors."""
    name = task["task_id"] + (f"[{task['rendered_map_index']}]" if task["map_index"] >= 0 else "")
    took = f"{task['duration']:6.1f} s" if task["duration"] else "        "
    sys.stdout.write(f"{task['state'] or 'none':16} {took}  {name}  {task['hostname'] or ''}\n")
    if task["state"] == "failed":
        for line in client.errors(task)[:LINES]:
            sys.stdout.write(f"    {line}\n")


def recorded(client: Client, run: str) -> str:
    """The verdict that was written to the ledger, as the record task returned it."""
    path = f"/dags/{DAG}/dagRuns/{run}/taskInstances/record/xcomEntries/return_value"
    return str(client.get(path, deserialize=True)["value"]["verdict"])


def read_env(path: Path) -> dict[str, str]:
    """The variables of a .env file without quotes, as generate_env.py writes it."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "=" in line and line[0] != "#"]
    return dict(line.split("=", 1) for line in lines)


if __name__ == "__main__":
    main()
