"""Security patching: one frozen set of versions, wave by wave, proven on every host, with a way back.

The runbook is include/runbooks/security_patching.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TaskGroup, TriggerRule, chain

from day2 import inventory
from day2.airflow import security_patching as operation
from day2.airflow import steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, choosing, schedule, settings
from day2.inventory import Environment, PatchPolicy


def security_patching(environment: Environment, policy: PatchPolicy) -> None:
    """The graph, for one environment."""
    scanned = operation.scan(environment.name)
    planned = operation.plan(environment.name, scanned)
    approve = Approve(planned=planned, response_timeout=policy.response_timeout)
    locked = steps.lock(planned, approve.output)

    def rollout(wave: str) -> TaskGroup:
        """The hosts of a wave, as many at once as its budget lets go; a host that fails goes back."""
        hosts, at_once = operation.size(environment, policy, wave)
        with TaskGroup(wave, tooltip=f"{hosts} hosts, {at_once} at once") as group:
            targets = operation.open_wave(planned, wave)

            def each(step):  # type: ignore[no-untyped-def]
                """A step of its own for every host of the wave."""
                limited = step.override(max_active_tis_per_dagrun=at_once)
                return limited.partial(planned=planned, approved=approve.output).expand(target=targets)

            chain(targets, each(operation.patch), each(operation.roll_back))
        return group

    waves = [rollout(wave) for wave in operation.waves(environment)]
    undone = operation.undo(planned, approve.output).as_teardown()
    inspected = operation.inspect(planned)
    validated = operation.validate(planned, inspected)
    reported = operation.report(planned, inspected)
    unlocked = steps.unlock(environment.name).as_teardown()
    recorded = steps.record(
        environment.name, operation="security_patching", act_steps=operation.ACT_STEPS
    ).as_teardown()
    # A wave without chosen hosts is skipped, and so is a rollback that is not needed: neither is a failure.
    closed = steps.close.override(trigger_rule=TriggerRule.NONE_FAILED)(recorded)

    chain(locked, *waves, undone, inspected, validated, reported, unlocked, recorded, closed)
    # Of a run that somebody ends, only teardowns still run, and each waits for those it names itself.
    undone >> [unlocked, recorded]
    locked >> [inspected, validated, reported]
    [*waves, validated, reported] >> closed


for each_environment in inventory.environments():
    rules = each_environment.policies.security_patching
    if rules is None or not each_environment.patched:
        continue
    names = [host.name for host in each_environment.patched]
    with DAG(
        schedule=schedule(rules.schedule, rules.offset, each_environment),
        params={
            "targets": choosing(names, title="Hosts", description="Which hosts to patch; one of them a canary."),
            "emergency": Param(
                False,
                type="boolean",
                title="Emergency",
                description="Without a window, and during a freeze. Needs a ticket; a person approves all the same.",
            ),
            "rerun_of": Param(
                None,
                type=["null", "string"],
                maxLength=250,
                title="Rest of an earlier run",
                description="That run's id: takes what failed or was not attempted, with the same frozen set.",
            ),
            **asking(),
        },
        **settings("security_patching", each_environment),
    ):
        security_patching(each_environment, rules)
