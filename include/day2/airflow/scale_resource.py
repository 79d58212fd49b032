"""Scaling's tasks: thin, with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, run, steps, telling
from day2.airflow.scaling import RESOURCES
from day2.errors import Day2Error
from day2.inventory.model import Environment, Resource, ScalingPolicy

if TYPE_CHECKING:
    from day2.ledger import Ledger
    from day2.operations.scale_resource.choose import Choice, Looked
    from day2.operations.scale_resource.drivers.driver import Driver, Seen

log = logging.getLogger("day2")
OPERATION = "scale_resource"
ACT_STEPS = ("scale",)
TARGET_NAME = "{{ target }}"


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """Read each resource, how much of it is used, and decide what becomes of it."""
    from day2.control import freezes
    from day2.operations.scale_resource import planning

    here, now, at = steps.environment(environment_name), run.current(), datetime.now(UTC)
    rules = policy(here)
    with connections.ledger(here) as ledger:
        try:
            chosen = inventory.select_resources(here, _names(here, now))
            request = planning.Request(
                environment=here,
                resources=chosen,
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                policy_hash=inventory.policy_hash(here),
                size=str(now.params["size"] or ""),
            )
            looks = _look(ledger, here, chosen)
            frozen = freezes.freezes(here, start=at, end=at + rules.lease_ttl, operation=OPERATION)
            planned = planning.make(request, looks, freezes=frozen, now=at)
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        planned |= {"lease_seconds": rules.lease_ttl.total_seconds(), "briefing": planning.lines(planned)}
        steps.write_plan(ledger, planned)
    return planned


@task(map_index_template=TARGET_NAME)
@telling.explained
def scale(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """Decide again from what is there now, take one step at most, and wait until it is there."""
    from day2.operations.scale_resource import attempt, progress

    name = target["name"]
    get_current_context()["target"] = name
    here = steps.environment(planned["environment"])
    with connections.ledger(here) as ledger:
        before = progress.asked(list(ledger.entries(run=run.current().key)), name)
    with (
        steps.acting(planned, approved, step="scale", target=name) as outcome,
        connections.ledger(here) as ledger,
    ):
        resource = here.resource(name)

        def again(seen: Seen) -> Choice:
            from day2.operations.scale_resource import choose

            looked = _looked(ledger, here, resource, seen)
            wish = target["size"] if planned["by_hand"] else ""
            return choose.choose(resource, looked, timezone=here.timezone, at=datetime.now(UTC), by_hand=wish)

        attempt.scale(
            driver(here, resource), target, policy(here), asked_before=before, decide_again=again,
            measures=outcome.measures,
        )  # fmt: skip


@task(trigger_rule=TriggerRule.ALL_DONE, retries=2, retry_delay=timedelta(seconds=10))
@telling.explained
def undo(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """Bring back the size before, of each resource that was asked for another one and did not become it."""
    from day2.operations.scale_resource import attempt, progress

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        begun = progress.unfinished(planned, list(ledger.entries(run=now.key)))
    failed, transient = [], False
    for target in begun:
        name = target["name"]
        resource = here.resource(name)
        try:
            with steps.acting(planned, approved, step="undo", target=name, finishing=True) as outcome:
                outcome.left = attempt.undo(
                    driver(here, resource), target, policy(here), can_shrink=not resource.only_grows,
                    measures=outcome.measures,
                )  # fmt: skip
                log.info("%s: %s", name, outcome.left)
        except Day2Error as error:  # the others are brought back all the same
            log.error("%s", error)
            failed.append(name)
            transient = transient or error.transient
    if failed:
        # What is back already is found to be so by the next try.
        kind = AirflowException if transient else AirflowFailException
        raise kind(f"not brought back: {', '.join(failed)}: the lines above say what is there now")
    log.info("brought back: %s", ", ".join(each["name"] for each in begun) or "nothing needed it")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any]) -> None:
    """Ask each API once more what is really there, and judge it against what was decided."""
    from day2 import validation
    from day2.ledger import evidence
    from day2.operations.scale_resource import facts, history

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        measured = evidence.gather(list(ledger.entries(run=now.key))).measures
        earlier = history.last_changes(ledger, here.name, since=_since(here), but_not_of=now.key)
        rows = [
            facts.row(
                here.resource(each["name"]),
                each,
                measured.get(each["name"], {}).get("scale", {}),
                seen=_seen(here, here.resource(each["name"]))[0],
                before_that=earlier.get(each["name"]),
                by_hand=planned["by_hand"],
            )
            for each in planned["targets"]
        ]
        result = validation.run(rows, facts.SUITE)
        findings.judge(ledger, [result])
    if not result.passed:
        raise AirflowFailException("not everything is as it must be; the failed checks are above")


def policy(here: Environment) -> ScalingPolicy:
    """The environment's policy of scaling."""
    found = here.policies.scale_resource
    assert found is not None  # noqa: S101 - there is no DAG without it
    return found


def driver(here: Environment, resource: Resource) -> Driver:
    """What reads and changes the size of a resource."""
    from day2.inventory import scaling
    from day2.operations.scale_resource.drivers import aws, command

    how = resource.driver
    if isinstance(how, scaling.Command):
        login = how.connection or here.host(str(how.host)).connection
        shell = connections.shell(login)
        return command.Command(shell, resource.name, how.read, how.write, how.timeout.total_seconds())
    service = {"auto_scaling_group": "autoscaling", "ecs_service": "ecs"}.get(how.kind, "rds")
    client = aws.told(f"connection {how.connection}", lambda: connections.aws(how.connection, service))
    if isinstance(how, scaling.AutoScalingGroup):
        return aws.AutoScalingGroup(client, how.group)
    if isinstance(how, scaling.EcsService):
        return aws.EcsService(client, how.cluster, how.service)
    return aws.RdsInstance(client, how.instance, "class" if isinstance(how, scaling.RdsClass) else "storage")


def _names(here: Environment, now: run.Run) -> list[str]:
    """Who was asked for: by events of the asset, or by the form."""
    from day2.operations.scale_resource import planning

    if now.trigger.type != "asset_triggered":
        return list(now.params["targets"])
    found: Any = get_current_context()["triggering_asset_events"]
    events = [event for events in found.values() for event in events]
    names = planning.asked_for(here, [event.extra or {} for event in events], field=RESOURCES)
    log.info("%d events ask for: %s", len(events), ", ".join(names))
    return names


def _look(ledger: Ledger, here: Environment, resources: tuple[Resource, ...]) -> dict[str, Looked]:
    from day2.operations.scale_resource.choose import Looked

    looks = {}
    for each in resources:
        seen, why = _seen(here, each)
        looks[each.name] = _looked(ledger, here, each, seen) if seen else Looked(None, why)
    return looks


def _looked(ledger: Ledger, here: Environment, resource: Resource, seen: Seen) -> Looked:
    """What the ledger knows of it, beside what its API says. This run's own entries are no earlier change."""
    from day2.ledger.metrics import Metrics
    from day2.operations.scale_resource import history
    from day2.operations.scale_resource.choose import Looked

    within, used = policy(here).use_within, None
    if resource.follows:
        used = history.used(Metrics(ledger, here.name), resource.follows, within=within, now=datetime.now(UTC))
    changes = history.last_changes(ledger, here.name, since=_since(here), but_not_of=run.current().key)
    return Looked(seen, used=used, changed=changes.get(resource.name))


def _seen(here: Environment, resource: Resource) -> tuple[Seen | None, str]:
    """How it stands; or none, and why not."""
    try:
        return driver(here, resource).read(), ""
    except Day2Error as error:
        log.error("%s: cannot be read: %s", resource.name, error)
        return None, error.happened


def _since(here: Environment) -> datetime:
    """How far back a change may still matter: the longest cooldown, and a run that took all of its lease."""
    longest = max(each.cooldown for each in here.resources)
    return datetime.now(UTC) - longest - policy(here).lease_ttl
