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
        slot_expected=now.slot,
        trigger={
            "type": now.trigger.type,
            "user": now.trigger.user,
            "reason": now.trigger.reason,
            "ticket": now.trigger.ticket,
        },
        params=now.params,
        code_commit=code_commit(),
    )
    body: dict[str, Any] = record.append_record(ledger, info, states(_breadcrumbs(now), _plan(ledger, now))).body
    return body


def states(breadcrumbs: Iterable[Mapping[str, Any]], plan: Mapping[str, Any]) -> dict[str, str]:
    """Task states as the verdict wants them: `task id`, or `task id[target]` for a mapped one. Pure."""
    found = {}
    for each in breadcrumbs:
        index, names = int(each.get("map_index", -1)), _mapped(str(each["task_id"]), plan)
        label = f"[{names[index]}]" if 0 <= index < len(names) else ""
        found[f"{each['task_id']}{label}"] = str(each["state"])
    return found


def _mapped(task_id: str, plan: Mapping[str, Any]) -> list[str]:
    """Targets in the order they were mapped: all of the plan's, or in the group of a wave those of that wave."""
    wave, targets = task_id.rpartition(".")[0], plan.get("targets", [])
    if not wave:
        return [each["name"] for each in targets]
    return [each["name"] for each in targets if each.get("wave") == wave and not each["blocked"]]


def _act_steps(ledger: Ledger, now: Run) -> tuple[str, ...]:
    """Those that the newest plan names, where an operation has modes that differ in them."""
    return tuple(_plan(ledger, now).get("act_steps", ()))


def _plan(ledger: Ledger, now: Run) -> Mapping[str, Any]:
    """The newest plan of the run; nothing where it was refused."""
    plans = [entry.body for entry in ledger.entries(kind="plan", run=now.key)]
    return plans[-1] if plans else {}


def _breadcrumbs(now: Run) -> list[dict[str, Any]]:
    """The state of every finished task of the run, through Airflow's execution API."""
    ti: Any = get_current_context()["ti"]
    return list(ti.get_task_breadcrumbs(dag_id=now.dag_id, run_id=now.run_id))
