"""From a finished run to its record: what Airflow knows of the tasks, and what the ledger knows of the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from day2.airflow.run import Run, code_commit
from day2.inventory.model import Environment

if TYPE_CHECKING:
    from day2.ledger import Ledger


def append(
    ledger: Ledger, now: Run, environment: Environment, *, operation: str, act_steps: tuple[str, ...]
) -> dict[str, Any]:
    """Build the record of this attempt and append it. Returns the record."""
    from day2.ledger import record

    info = record.RunInfo(
        dag_id=now.dag_id,
        run_id=now.run_id,
        attempt=now.attempt,
        operation=operation,
        environment=environment.name,
        act_steps=_act_steps(ledger, now) or act_steps,
        started=now.started or now.run_after,
        ended=datetime.now(UTC),
        tz=environment.timezone,
        slot_expected=None if now.trigger.by_hand else now.run_after.isoformat(),
        trigger={
            "type": now.trigger.type,
            "user": now.trigger.user,
            "reason": now.trigger.reason,
            "ticket": now.trigger.ticket,
        },
        params=now.params,
        code_commit=code_commit(),
    )
    names = _target_names(ledger, now)
    body: dict[str, Any] = record.append_record(ledger, info, states(_breadcrumbs(now), names)).body
    return body


def states(breadcrumbs: Iterable[Mapping[str, Any]], names: list[str]) -> dict[str, str]:
    """Task states as the verdict wants them: `task id`, or `task id[target]` for a mapped one. Pure."""
    found = {}
    for each in breadcrumbs:
        index = int(each.get("map_index", -1))
        label = f"[{names[index]}]" if 0 <= index < len(names) else ""
        found[f"{each['task_id']}{label}"] = str(each["state"])
    return found


def _act_steps(ledger: Ledger, now: Run) -> tuple[str, ...]:
    """Those that the newest plan names, where an operation has modes that differ in them."""
    plans = [entry.body for entry in ledger.entries(kind="plan", run=now.key)]
    return tuple(plans[-1].get("act_steps", ())) if plans else ()


def _target_names(ledger: Ledger, now: Run) -> list[str]:
    """Targets in the order they were mapped: that of the newest plan."""
    names: list[str] = []
    for entry in ledger.entries(kind="plan", run=now.key):
        names = [each["name"] for each in entry.body["targets"]]
    return names


def _breadcrumbs(now: Run) -> list[dict[str, Any]]:
    """The state of every finished task of the run, through Airflow's execution API."""
    ti: Any = get_current_context()["ti"]
    return list(ti.get_task_breadcrumbs(dag_id=now.dag_id, run_id=now.run_id))
