"""Settings of a DAG: what the inventory says about its environment. Imported while DAGs are parsed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param

from day2.errors import Day2Error
from day2.inventory.model import Environment

INCLUDE = Path(__file__).parents[2]
SUITE_TAG = "day2"


def runbook(operation: str) -> str:
    """The operation's runbook: `$DAY2_HOME/runbooks` first, then ours. Fails the parse if there is none."""
    home = os.environ.get("DAY2_HOME")
    folders = ([Path(home) / "runbooks"] if home else []) + [INCLUDE / "runbooks"]
    for folder in folders:
        if (found := folder / f"{operation}.md").exists():
            return found.read_text()
    raise Day2Error(f"no runbook {operation}.md in {', '.join(map(str, folders))}", next_step="write one")


def cron(schedule: str, environment: Environment) -> CronTriggerTimetable:
    """A policy's schedule in its environment's time zone."""
    # Not even `False` keeps a DAG that is unpaused within a tenth of its interval after a tick from running
    # that missed tick (Airflow 3.3.2): for a half-yearly drill that is 18 days. Zero time does.
    return CronTriggerTimetable(schedule, timezone=environment.timezone, run_immediately=timedelta(0))


def schedule(cron_schedule: str, offset: timedelta, environment: Environment) -> Any:
    """A policy's schedule and its offset, in its environment's time zone."""
    if not offset:
        return cron(cron_schedule, environment)
    from day2.airflow.timetable import OffsetCronTimetable

    zone = environment.timezone
    return OffsetCronTimetable(cron_schedule, timezone=zone, offset=offset, run_immediately=timedelta(0))


def settings(operation: str, environment: Environment) -> dict[str, Any]:
    """Keyword arguments for `@dag`. No start date: unpausing must not fire the tick that was missed."""
    return {
        "dag_id": f"{operation}.{environment.name}",
        "catchup": False,
        "max_active_runs": 1,
        "doc_md": runbook(operation),
        "tags": [SUITE_TAG, f"operation:{operation}", f"environment:{environment.name}", f"tier:{environment.tier}"],
        "default_args": {"owner": environment.owner, "retries": 0},
    }


def asking() -> dict[str, Param]:
    """The parameters every operation has: why, for which ticket, and whether to stop after the plan."""
    return {
        "reason": Param(
            None,
            type=["null", "string"],
            maxLength=500,
            title="Reason",
            description="Why now. A run by hand needs one.",
        ),
        "ticket": Param(
            None,
            type=["null", "string"],
            maxLength=100,
            title="Ticket",
            description="Change or incident number, if there is one.",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Make the plan, show it in the log and record it; touch nothing.",
        ),
    }


def choosing(names: list[str], *, title: str, description: str) -> Param:
    """A multi-select of the environment's own targets; all of them unless somebody chooses."""
    return Param(
        names,
        type="array",
        items={"type": "string", "enum": names},
        examples=names,
        uniqueItems=True,
        title=title,
        description=description,
    )
