"""Capacity review: what is used, what will be, when it is full, and how good the last forecast was.

The runbook is include/runbooks/capacity_review.md. It reads samples that are kept already and changes nothing.
"""

from __future__ import annotations

from airflow.sdk import DAG, chain

from day2 import inventory
from day2.airflow import capacity_review as operation
from day2.airflow import people, steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, choosing, cron, settings
from day2.inventory import CapacityPolicy, Environment


def capacity_review(environment: Environment, policy: CapacityPolicy) -> None:
    """The graph, for one environment."""
    planned = operation.plan(environment.name)
    approve = Approve(planned=planned, response_timeout=policy.lease_ttl)
    locked = steps.lock(planned, approve.output)
    reviewed = operation.review(locked, planned, approve.output)
    validated = operation.validate(planned)
    reported = operation.report(planned)
    unlocked = steps.unlock(environment.name).as_teardown()
    signed = people.SignOff(
        planned=planned, scorecard=reported, response_timeout=policy.sign_off_timeout, page="report"
    )
    undone = operation.undo(planned).as_teardown()
    recorded = steps.record(
        environment.name, operation=operation.OPERATION, act_steps=operation.ACT_STEPS
    ).as_teardown()
    closed = steps.close(recorded)

    chain(reviewed, validated, reported, unlocked, signed, undone, recorded, closed)
    # Of a run that somebody ends, only teardowns still run, and each waits for those it names itself.
    unlocked >> [undone, recorded]
    locked >> [validated, reported]
    [reviewed, validated, reported, signed] >> closed


for each in inventory.environments():
    rules = each.policies.capacity_review
    if rules is None or not each.measured:
        continue
    names = list(each.measured)
    with DAG(
        schedule=cron(rules.schedule, each),
        params={"targets": choosing(names, title="Targets", description="What to review."), **asking()},
        **settings("capacity_review", each),
    ):
        capacity_review(each, rules)
