"""The restore operation's tasks: thin, with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, run, steps, telling
from day2.airflow.database_backup import job
from day2.errors import Day2Error

if TYPE_CHECKING:
    from day2.inventory.model import Environment
    from day2.operations.database_backup.job import Job
    from day2.operations.database_restore.order import Order
    from day2.operations.database_restore.staged import Target

log = logging.getLogger("day2")
ACT_STEPS = ("restore",)
DESTINATIONS = {
    "scratch": "Scratch: restore, compare, throw away",
    "new_database": "New database beside the living one",
    "in_place": "In place of the living database (needs an approval)",
}
MAINTENANCE = "postgres"


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """Find the recovery point, look at its destination, and write down what would be done."""
    from day2.operations.database_backup.planning import dependents
    from day2.operations.database_restore import planning

    here, now = steps.environment(environment_name), run.current()
    with connections.ledger(here) as ledger:
        try:
            name, destination = str(now.params["database"]), now.params["destination"]
            made = job(here, inventory.select(here, [name])[0].name, plan_digest="")
            order = _order(made, str(now.params["recovery_point"]))
            called = planning.new_name(destination, now.params["new_name"], order.origin.described.dbname)
            request = planning.Request(
                job=made,
                order=order,
                destination=destination,
                target=_target(here, made, called),
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                timezone=here.timezone,
                dependents=tuple(dependents(here, f"database/{name}")),
            )
            planned = planning.make(request, now=datetime.now(UTC))
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        seconds = here.restore_policy(made.database).lease_ttl.total_seconds()
        planned |= {"lease_seconds": seconds, "briefing": planning.lines(planned)}
        steps.write_plan(ledger, planned)
    return planned


@task
@telling.explained
def restore(planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """Restore the planned point to its destination; an in-place restore proves it before it swaps."""
    from day2.operations.database_backup import prove
    from day2.operations.database_restore import destinations, order, safety

    aim = planned["targets"][0]
    with steps.acting(planned, approved, step="restore", target=aim["name"]) as outcome:
        here = steps.environment(planned["environment"])
        made = job(here, aim["name"], plan_digest=planned["digest"])
        wanted, target = _order(made, aim["point"]), _target(here, made, aim["database"])
        measures = outcome.measures
        measures |= order.blank(wanted, target=made.name, destination=aim["destination"])
        if target is None:
            measures["tables"] = destinations.into_scratch(wanted, measures=measures)
        elif aim["destination"] == "new_database":
            tables = destinations.new_database(wanted, target, measures=measures)
            measures["tables"] = [asdict(each) | {"equal": each.equal} for each in tables]
        else:
            key = connections.identity(made.policy)
            tables = destinations.in_place(
                wanted, target, safety=lambda: safety.take_and_verify(made, identity=key), measures=measures
            )
            measures["tables"] = [asdict(each) | {"equal": each.equal} for each in tables]
            outcome.left = f"the old data, in {measures['old_data']}; to drop it: {measures['drop_old']}"
        prove.store_evidence(made, measures, kind="restore")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any]) -> None:
    """Judge what was measured: the restored data against the manifest, and what is kept."""
    from day2 import validation
    from day2.ledger import evidence
    from day2.operations.database_restore import facts

    now = run.current()
    with connections.ledger(steps.environment(planned["environment"])) as ledger:
        steps.skip_unless_locked(ledger, now)
        measured = evidence.gather(list(ledger.entries(run=now.key))).measures
        aim = planned["targets"][0]
        found = measured.get(aim["name"], {}).get("restore", {})
        result = validation.run([facts.row(aim, found)], facts.SUITE)
        findings.judge(ledger, [result])
    if not result.passed:
        raise AirflowFailException("the restore is not proven; the failed checks are above")


@task(trigger_rule=TriggerRule.ONE_FAILED)
@telling.explained
def undo(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """Drop half-made databases and scratch servers of this and of killed runs; say what stays."""
    from day2.operations.database_restore import staged
    from day2.postgres import scratch

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    here = steps.environment(planned["environment"])
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, run.current())
    aim = planned["targets"][0]
    with steps.acting(planned, approved, step="undo", target=aim["name"]) as outcome:
        made = job(here, aim["name"], plan_digest=planned["digest"])
        target = _target(here, made, aim["database"])
        dropped = staged.sweep(target.server) if target else []
        gone = scratch.sweep(made.scratch)
        outcome.measures |= {"dropped": dropped, "scratch_removed": gone}
        outcome.left = "the living database under its own name; no half-made copy"
        log.info("%s: dropped %s; scratch servers removed: %s", aim["name"], dropped or "nothing", gone or "none")


def _order(made: Job, wanted: str) -> Order:
    from day2.operations.database_restore import choose, order

    point = choose.choose(made.primary.store, made.name, wanted)
    origin = order.origin(made.primary.store, point, identity=connections.identity(made.policy))
    return order.Order(origin=origin, run=made.run, scratch=made.scratch)


def _target(here: Environment, made: Job, called: str | None) -> Target | None:
    """The database of that name on the server behind the restore connection; none for scratch."""
    from day2.operations.database_restore.staged import Target

    if called is None:
        return None
    wanted = here.restore_policy(made.database).connection or made.database.connection
    return Target(connections.server(wanted, dbname=MAINTENANCE), called)
