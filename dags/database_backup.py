"""Daily database backup: take a recovery point, copy it, restore it, compare it, then let old ones go.

The runbook is include/runbooks/database_backup.md. A broken environment file shows in inventory.py.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain, task_group

from day2 import inventory
from day2.airflow import database_backup as operation
from day2.airflow import steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, choosing, cron, settings
from day2.inventory import Environment


def database_backup(environment: Environment) -> None:
    """The graph, for one environment."""
    policy = environment.policies.database_backup
    retrying = {"retries": policy.retries, "retry_delay": policy.retry_delay}

    planned = operation.plan(environment.name)
    approve = Approve(planned=planned, response_timeout=policy.lease_ttl)
    locked = steps.lock(planned, approve.output)

    @task_group(group_id="database")
    def each_database(target: dict[str, str]) -> None:
        point = operation.back_up.override(**retrying)(target, planned, approve.output)
        copied = operation.copy.override(**retrying)(target, planned, approve.output, point)
        operation.restore_test.override(**retrying)(target, planned, approve.output, copied)

    databases = each_database.expand(target=locked)
    validated = operation.validate(planned)
    expired = operation.expire(planned, approve.output)
    undone = operation.undo(planned, approve.output)
    unlocked = steps.unlock(environment.name).as_teardown()
    recorded = steps.record(environment.name, operation="database_backup", act_steps=operation.ACT_STEPS).as_teardown()
    closed = steps.close(recorded)

    chain(locked, databases, validated, [expired, undone], unlocked, recorded, closed)
    locked >> [validated, expired]
    databases >> undone
    [databases, validated, expired] >> closed


for each in inventory.environments():
    if not each.databases:
        continue
    names = [database.name for database in each.databases]
    with DAG(
        schedule=cron(each.policies.database_backup.schedule, each),
        params={"targets": choosing(names, title="Databases", description="Which databases to back up."), **asking()},
        **settings("database_backup", each),
    ):
        database_backup(each)
