"""The health check: look at everything every few minutes, tell who has to know, and give a sign of life.

And once a week the drill of the way that alerts go. The runbooks are include/runbooks/health_check.md and
include/runbooks/alert_drill.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, TriggerRule, chain

from day2 import inventory
from day2.airflow import alert_drill as drill
from day2.airflow import health_check as operation
from day2.airflow import scaling, steps
from day2.airflow.dag import asking, choosing, cron, settings
from day2.inventory import AlertDrill, Environment


def alert_drill(environment: Environment, policy: AlertDrill) -> None:
    """The way that alerts go, tested to its end: what was sent must be seen to arrive."""
    planned = drill.plan(environment.name)
    sent = drill.send(planned)
    confirmed = drill.Confirm(
        planned=planned, asked=sent, notifiers=drill.by_hand(environment), response_timeout=policy.response_timeout
    )
    validated = drill.validate(planned)
    recorded = steps.record(environment.name, operation=drill.OPERATION, act_steps=drill.ACT_STEPS).as_teardown()
    # Nobody is asked where every receiver could be: then that is skipped, and is no failure.
    closed = steps.close.override(trigger_rule=TriggerRule.NONE_FAILED)(recorded)

    chain(sent, confirmed, validated, recorded, closed)
    [planned, sent] >> recorded
    [sent, validated] >> closed


def health_check(environment: Environment) -> None:
    """The graph, for one environment. It changes nothing: nobody approves it, and it locks nothing."""
    looked = operation.look(environment.name)
    told = operation.tell(looked)
    asked = operation.ask_to_scale.override(outlets=[scaling.alias(environment.name)])(looked)
    beaten = operation.heartbeat(environment.name)
    recorded = steps.record(
        environment.name, operation=operation.OPERATION, act_steps=operation.ACT_STEPS
    ).as_teardown()
    # Mostly there is nothing to scale, and maybe nobody outside for the sign of life: skipped, and no failure.
    closed = steps.close.override(trigger_rule=TriggerRule.NONE_FAILED)(recorded)

    chain([told, asked], beaten, recorded, closed)
    looked >> recorded
    [told, asked] >> closed


for each in inventory.environments():
    rules = each.policies.health_check
    if rules is None:
        continue
    names = list(each.watched)
    with DAG(
        schedule=cron(rules.schedule, each),
        params={"targets": choosing(names, title="Targets", description="What to look at."), **asking()},
        **settings(operation.OPERATION, each),
    ):
        health_check(each)
    if rules.alert_drill is None or not rules.routes:
        continue
    with DAG(
        schedule=cron(rules.alert_drill.schedule, each),
        params={"targets": choosing(drill.tested(each), title="Notifiers", description="Who gets a test."), **asking()},
        **settings(drill.OPERATION, each),
    ):
        alert_drill(each, rules.alert_drill)
