"""Disaster-recovery drill: fail over, prove it from outside, hold, fail back, measure; or do it for real.

The runbook is include/runbooks/dr_drill.md. Going back is free until `promote`.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from day2 import inventory
from day2.airflow import dr_drill as operation
from day2.airflow import people, steps
from day2.airflow.approve import Approve
from day2.airflow.dag import asking, choosing, cron, settings
from day2.inventory import DrillPolicy, Environment


def dr_drill(environment: Environment, policy: DrillPolicy) -> None:
    """The graph, for one environment."""
    planned = operation.plan(environment.name)
    approve = Approve(planned=planned, response_timeout=policy.response_timeout)
    locked = steps.lock(planned, approve.output)

    def each(step):  # type: ignore[no-untyped-def]
        """A step of its own for every database."""
        return step.partial(planned=planned, approved=approve.output).expand(target=locked)

    def by_hand(after: str) -> list[people.Manual]:
        return [people.Manual(step=step, planned=planned) for step in policy.manual_steps if step.after == after]

    watched = each(operation.watch)
    forward = [
        *(each(operation.declare), each(operation.fence), *by_hand("fence")),
        *(each(operation.replay), each(operation.promote), *by_hand("promote")),
        *(each(operation.route), *by_hand("route"), each(operation.verify)),
    ]
    hold = people.Hold(planned=planned, time=policy.hold)
    back = [each(operation.rejoin), each(operation.switch_back)]

    undone = operation.undo(planned, approve.output)
    cleared = operation.clear_up(planned, approve.output).as_teardown()
    validated = operation.validate(planned)
    scored = operation.scorecard(planned)
    unlocked = steps.unlock(environment.name).as_teardown()
    signed = people.SignOff(planned=planned, scorecard=scored, response_timeout=policy.sign_off_timeout)
    recorded = steps.record(environment.name, operation="dr_drill", act_steps=()).as_teardown()
    closed = steps.close(recorded)

    chain(*forward, hold, *back, undone, cleared, validated, scored, unlocked, signed, recorded, closed)
    forward >> undone
    # Of a run that somebody ends, only teardowns still run, and each waits for those it names itself.
    cleared >> [unlocked, recorded]
    unlocked >> recorded
    watched >> validated
    locked >> [validated, scored]
    [*forward, *back, validated, signed] >> closed


for each_environment in inventory.environments():
    drills = each_environment.policies.dr_drill
    if drills is None:
        continue
    names = [database.name for database in each_environment.databases]
    with DAG(
        schedule=cron(drills.schedule, each_environment),
        params={
            "mode": Param(
                "drill", type="string", enum=list(operation.MODES), values_display=operation.MODES, title="Mode"
            ),
            "targets": choosing(names, title="Databases", description="Which databases the drill is for."),
            "declared_at": Param(
                None,
                type=["null", "string"],
                format="date-time",
                title="Declared at",
                description="LIVE only: when the emergency was declared, if the clock of the RTO runs since then.",
            ),
            "attested": Param(
                None,
                type=["null", "string"],
                maxLength=500,
                title="Taken out of service by hand",
                description="LIVE only, and only if the old primary's host does not answer: how you made sure that it"
                " takes no writes. It is recorded under your name.",
            ),
            **asking(),
        },
        # A scorecard may wait days for its signature, and an emergency must not wait for it: leases keep runs apart.
        **settings("dr_drill", each_environment) | {"max_active_runs": 4},
    ):
        dr_drill(each_environment, drills)
