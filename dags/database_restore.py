"""Restore a database from a recovery point: to look at, beside the living one, or in its place.

By hand only. The runbook is include/runbooks/database_restore.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from day2 import inventory
from day2.airflow import database_restore as operation
from day2.airflow import steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, settings
from day2.inventory import Environment


def database_restore(environment: Environment) -> None:
    """The graph, for one environment."""
    planned = operation.plan(environment.name)
    approve = Approve(planned=planned, response_timeout=environment.policies.database_restore.response_timeout)
    locked = steps.lock(planned, approve.output)
    restored = operation.restore(planned, approve.output)
    validated = operation.validate(planned)
    undone = operation.undo(planned, approve.output)
    unlocked = steps.unlock(environment.name).as_teardown()
    recorded = steps.record(environment.name, operation="database_restore", act_steps=operation.ACT_STEPS).as_teardown()
    closed = steps.close(recorded)

    chain(locked, restored, validated, undone, unlocked, recorded, closed)
    locked >> validated
    restored >> undone
    validated >> unlocked
    [restored, validated] >> closed


for each in inventory.environments():
    if not each.databases:
        continue
    names = [database.name for database in each.databases]
    with DAG(
        schedule=None,
        params={
            "database": Param(names[0], type="string", enum=names, title="Database"),
            "recovery_point": Param(
                "latest",
                type="string",
                minLength=1,
                title="Recovery point",
                description="`latest`, a recovery point's id, or a time such as 2026-11-23T02:15:00Z.",
            ),
            "destination": Param(
                "scratch",
                type="string",
                enum=list(operation.DESTINATIONS),
                values_display=operation.DESTINATIONS,
                title="Destination",
            ),
            "new_name": Param(
                None, type=["null", "string"], maxLength=63, title="New name", description="For a new database only."
            ),
            **asking(),
        },
        **settings("database_restore", each),
    ):
        database_restore(each)
