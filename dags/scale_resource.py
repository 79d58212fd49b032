"""Scaling: look at what is used, decide within bounds, ask where it is costly, take one step and see it there.

The runbook is include/runbooks/scale_resource.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from day2 import inventory
from day2.airflow import scale_resource as operation
from day2.airflow import scaling, steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, choosing, settings
from day2.inventory import Environment, ScalingPolicy

SIZE = Param(
    None,
    type=["null", "string"],
    maxLength=63,
    title="Size",
    description="By hand: the size one resource is to have, within its bounds and one step at most. "
    "A person approves it, unless its use asks for the same.",
)


def scale_resource(environment: Environment, policy: ScalingPolicy) -> None:
    """The graph, for one environment."""
    planned = operation.plan(environment.name)
    approve = Approve(planned=planned, response_timeout=policy.response_timeout)
    locked = steps.lock(planned, approve.output)
    one_step = operation.scale.override(retries=policy.retries, retry_delay=policy.retry_delay)
    scaled = one_step.partial(planned=planned, approved=approve.output).expand(target=locked)
    undone = operation.undo(planned, approve.output).as_teardown()
    validated = operation.validate(planned)
    unlocked = steps.unlock(environment.name).as_teardown()
    recorded = steps.record(
        environment.name, operation=operation.OPERATION, act_steps=operation.ACT_STEPS
    ).as_teardown()
    closed = steps.close(recorded)

    chain(locked, scaled, undone, validated, unlocked, recorded, closed)
    # Of a run that somebody ends, only teardowns still run, and each waits for those it names itself.
    undone >> [unlocked, recorded]
    locked >> validated
    [scaled, validated] >> closed


for each in inventory.environments():
    rules = each.policies.scale_resource
    if rules is None:
        continue
    names = [resource.name for resource in each.resources]
    with DAG(
        schedule=scaling.schedule(rules, each),
        params={
            "targets": choosing(names, title="Resources", description="Which resources to look at."),
            "size": SIZE,
            **asking(),
        },
        **settings("scale_resource", each),
    ):
        scale_resource(each, rules)
