"""The run a task belongs to, as the ledger knows it."""

from __future__ import annotations

import functools
import os
import socket
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow.sdk import get_current_context

from day2.control.plan import Trigger


@dataclass(frozen=True)
class Run:
    """`key` is `<dag id>/<run id>`; `attempt` is 1 and one more each time the run is cleared."""

    dag_id: str
    run_id: str
    attempt: int
    try_number: int
    trigger: Trigger
    params: dict[str, Any]
    run_after: datetime
    started: datetime | None

    @property
    def slot(self) -> str | None:
        """The slot of the schedule that it fills; none for one that a person or an event asked for."""
        return self.run_after.isoformat() if self.trigger.type not in ("manual", "asset_triggered") else None

    @property
    def key(self) -> str:
        return f"{self.dag_id}/{self.run_id}"


def current() -> Run:
    """The run of the task that is executing."""
    context = get_current_context()
    dag_run: Any = context["dag_run"]
    params = dict(context["params"])
    return Run(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        attempt=1 + (dag_run.clear_number or 0),
        try_number=int(context["ti"].try_number),
        trigger=Trigger(
            type=str(getattr(dag_run.run_type, "value", dag_run.run_type)),
            user=dag_run.triggering_user_name or "",
            reason=str(params.get("reason") or ""),
            ticket=str(params.get("ticket") or ""),
        ),
        params=params,
        run_after=dag_run.run_after,
        started=dag_run.start_date,
    )


def clock() -> str:
    """Whose clock a time of this process was read from."""
    return socket.gethostname()


@functools.cache
def code_commit() -> str | None:
    """Which version of our code runs: `DAY2_COMMIT` as an image sets it, or the checkout's commit."""
    if told := os.environ.get("DAY2_COMMIT"):
        return told
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
