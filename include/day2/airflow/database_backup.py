"""The backup operation's tasks: thin, with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk import TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, run, steps, telling
from day2.errors import Day2Error
from day2.inventory.model import Environment

if TYPE_CHECKING:
    from day2.ledger import Ledger
    from day2.operations.database_backup.job import Job

log = logging.getLogger("day2")
OPERATION = "database_backup"
ACT_STEPS = ("back_up", "copy", "restore_test")
TARGET_NAME = "{{ target }}"


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """Resolve the targets, look at each of them, and write down what would be done."""
    from day2.operations.database_backup import planning

    here, now = steps.environment(environment_name), run.current()
    with connections.ledger(here) as ledger:
        try:
            requested = tuple(now.params["targets"])
            chosen = inventory.select(here, requested)
            request = planning.Request(
                environment=here,
                requested=requested,
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                policy_hash=inventory.policy_hash(here),
            )
            jobs = [job(here, each.name, plan_digest="") for each in chosen]
            planned = planning.make(request, jobs, now=datetime.now(UTC))
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        seconds = here.policies.database_backup.lease_ttl.total_seconds()
        planned |= {"lease_seconds": seconds, "briefing": planning.lines(planned)}
        steps.write_plan(ledger, planned)
    return planned


@task(map_index_template=TARGET_NAME)
@telling.explained
def back_up(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> str:
    """Take one recovery point and commit it. Returns its id."""
    from day2.operations.database_backup import take

    with steps.acting(planned, approved, step="back_up", target=target["name"]) as outcome:
        outcome.measures |= take.back_up(_job(planned, target))
        return str(outcome.measures["point"])


@task(map_index_template=TARGET_NAME)
@telling.explained
def copy(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None, point: str) -> str:
    """Copy the point to the other regions and read it again there."""
    from day2.operations.database_backup import copy as copying

    with steps.acting(planned, approved, step="copy", target=target["name"]) as outcome:
        outcome.measures |= copying.copy(_job(planned, target), point)
    return point


@task(map_index_template=TARGET_NAME)
@telling.explained
def restore_test(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None, point: str) -> None:
    """Restore the point into a scratch server and compare it with the source."""
    from day2.operations.database_backup import prove

    with steps.acting(planned, approved, step="restore_test", target=target["name"]) as outcome:
        made = _job(planned, target)
        key = connections.identity(made.policy)
        prove.restore_test(made, point, identity=key, measures=outcome.measures)


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any]) -> None:
    """Judge what was measured. A database with a failed check has no verified recovery point."""
    from day2 import validation
    from day2.operations.database_backup import expire, facts

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        measured = _measured(ledger, now)
        jobs = [_job(planned, each) for each in planned["targets"]]
        at = datetime.now(UTC)
        today = at.astimezone(ZoneInfo(here.timezone)).date()
        rows = [facts.database_row(each, measured[each.name], now=at) for each in jobs]
        tables = [row for each in jobs for row in facts.table_rows(each, measured[each.name], today=today)]
        results = [validation.run(rows, facts.SUITE)]
        if tables:
            results.append(validation.run(tables, facts.TABLE_SUITE).summed(lambda table: table.split(" ", 1)[0]))
        findings.judge(ledger, results)
        failed = _failed_targets(results, [each.name for each in jobs])
        for each in jobs:
            if point := measured[each.name].get("back_up", {}).get("point"):
                summary = {"restore_seconds": measured[each.name].get("restore_test", {}).get("restore_seconds")}
                expire.attest(each, point, passed=each.name not in failed, summary=summary)
    if failed:
        raise AirflowFailException(f"not verified: {', '.join(sorted(failed))}; the failed checks are above")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def expire(planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """Retention, for the databases whose new recovery point is verified, and only for those."""
    from day2.operations.database_backup import expire as expiring

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
    for target in planned["targets"]:
        made = _job(planned, target)
        if not _verified_now(made, now):
            log.info("%s: nothing expires while its newest recovery point is not verified", made.name)
            continue
        with (
            steps.acting(planned, approved, step="expire", target=made.name) as outcome,
            telling.group(f"Retention of {made.name}"),
        ):
            outcome.measures |= expiring.expire(made, timezone=here.timezone, now=datetime.now(UTC))


@task(trigger_rule=TriggerRule.ONE_FAILED)
@telling.explained
def undo(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """Remove what failed attempts left in the repositories, and say what stays."""
    from day2.operations.database_backup import take
    from day2.postgres import scratch

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    with connections.ledger(steps.environment(planned["environment"])) as ledger:
        steps.skip_unless_locked(ledger, run.current())
    for target in planned["targets"]:
        made = _job(planned, target)
        with steps.acting(planned, approved, step="undo", target=made.name) as outcome:
            swept = take.sweep(made)
            gone = scratch.sweep(made.scratch)
            outcome.measures |= {"swept": swept, "scratch_removed": gone}
            outcome.left = "committed recovery points, verified or marked as not usable; nothing else"
            log.info("%s: removed %d leftovers and %d scratch servers", made.name, len(swept), len(gone))


def job(here: Environment, name: str, *, plan_digest: str) -> Job:
    """One database of the inventory with its clients."""
    from day2.operations.database_backup.job import Job, Place

    database = here.database(name)
    policy = here.backup_policy(database)
    places = [here.repository(each) for each in (policy.repository, *policy.copies)]
    primary, *copies = [Place(each, connections.store(each)) for each in places]
    return Job(
        environment=here.name,
        database=database,
        policy=policy,
        server=connections.server(database.connection, dbname=database.dbname),
        primary=primary,
        copies=tuple(copies),
        recipients=connections.recipients(policy),
        run=run.current().key,
        plan_digest=plan_digest,
        policy_hash=inventory.policy_hash(here),
    )


def _job(planned: dict[str, Any], target: dict[str, Any]) -> Job:
    return job(steps.environment(planned["environment"]), target["name"], plan_digest=planned["digest"])


def _measured(ledger: Ledger, now: run.Run) -> dict[str, dict[str, dict[str, Any]]]:
    """The newest measures since the plan, by database and step, from the ledger."""
    from day2.ledger import evidence

    return defaultdict(dict, evidence.gather(list(ledger.entries(run=now.key))).measures)


def _failed_targets(results: list[Any], names: list[str]) -> set[str]:
    """Databases with a critical check that failed, in either suite; a check of no database is everyone's."""
    failed: set[str] = set()
    for result in results:
        for check in result.checks:
            if not check.passed and (check.severity == "critical" or check.error):
                name = str(check.target).split(" ", 1)[0]
                failed |= {name} if name in names else set(names)
    return failed


def _verified_now(made: Job, now: run.Run) -> bool:
    """Whether this run's own point is the newest and was found verified."""
    from day2.repository import points

    having = points.points(made.primary.store, made.name)
    if not having or not having[-1].verified:
        return False
    return points.manifest(made.primary.store, having[-1]).run == now.key
