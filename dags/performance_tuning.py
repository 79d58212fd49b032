"""Performance tuning: look, choose, ask, then one change at a time: measured, kept, or taken back.

The runbook is include/runbooks/performance_tuning.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule, chain

from day2 import inventory
from day2.airflow import performance_tuning as operation
from day2.airflow import steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, choosing, cron, settings
from day2.inventory import Environment, TuningPolicy


def performance_tuning(environment: Environment, policy: TuningPolicy) -> None:
    """The graph, for one environment."""
    planned = operation.plan(environment.name)
    approve = Approve(planned=planned, response_timeout=policy.response_timeout)
    locked = steps.lock(planned, approve.output)
    # Two changes at once could not be told apart, and neither could their effects.
    one_at_a_time = operation.tune.override(max_active_tis_per_dagrun=1)
    tuned = one_at_a_time.partial(planned=planned, approved=approve.output).expand(target=locked)
    undone = operation.undo(planned, approve.output).as_teardown()
    validated = operation.validate(planned)
    reported = operation.report(planned)
    unlocked = steps.unlock(environment.name).as_teardown()
    recorded = steps.record(
        environment.name, operation=operation.OPERATION, act_steps=operation.ACT_STEPS
    ).as_teardown()
    closed = steps.close.override(trigger_rule=TriggerRule.NONE_FAILED)(recorded)

    chain(locked, tuned, undone, validated, reported, unlocked, recorded, closed)
    # Of a run that somebody ends, only teardowns still run, and each waits for those it names itself.
    undone >> [unlocked, recorded]
    locked >> [validated, reported]
    [tuned, validated, reported] >> closed


for each in inventory.environments():
    rules = each.policies.performance_tuning
    if rules is None or not each.databases:
        continue
    names = [database.name for database in each.databases]
    with DAG(
        schedule=cron(rules.schedule, each),
        params={"targets": choosing(names, title="Databases", description="Which databases to tune."), **asking()},
        **settings("performance_tuning", each),
    ):
        performance_tuning(each, rules)
