"""The steps every operation has around its act: lock, unlock, record, close."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, run, telling
from day2.control import approval
from day2.errors import Day2Error, PlanRefused
from day2.inventory.model import Environment

if TYPE_CHECKING:
    from day2.ledger import Ledger, Outcome

log = logging.getLogger("day2")


def environment(name: str) -> Environment:
    """The environment as the inventory has it now. Raises InventoryError with file and line."""
    return inventory.load(inventory.environments_folder() / f"{name}.yaml")


def lease_key(planned: dict[str, Any], target: str) -> str:
    """What a lease on a target of this plan is called: the same for every operation on it.

    A change of a database is leased as its database.
    """
    leased = {each["name"]: each["database"] for each in planned["targets"] if "database" in each}
    return f"{planned['environment']}/{planned.get('target_kind', 'database')}/{leased.get(target, target)}"


@task
@telling.explained
def lock(planned: dict[str, Any], approved: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Take a lease on every target, across all operations; refuse if another run holds one.

    Returns the leased targets: what is acted on is what is leased.
    """
    from day2.ledger import leases

    now = run.current()
    approval.require(approved, planned["digest"])
    ttl = timedelta(seconds=planned["lease_seconds"])
    keys = list(dict.fromkeys(lease_key(planned, each["name"]) for each in planned["targets"]))
    with connections.ledger(environment(planned["environment"])) as ledger:
        try:
            reason = f"{planned['operation']} {planned['digest'][:12]}"
            taken = leases.acquire(ledger, keys, owner=now.key, ttl=ttl, reason=reason)
        except Day2Error as error:
            refuse(ledger, "lock", error)
            raise
        over = [each for each in taken if each.taken_over_from]
        for each in taken:
            log.info("%s: leased to %s until %s", each.lease.target, each.lease.owner, each.lease.expires_at)
        for each in over:
            log.warning("%s: took over the expired lease of %s", each.lease.target, each.taken_over_from)
        body = {"attempt": now.attempt, "targets": keys, "ttl_seconds": ttl.total_seconds()}
        taken_over = [
            {
                "target": each.lease.target,
                "from": each.taken_over_from.owner,
                "expired_at": each.taken_over_from.expires_at.isoformat(),
            }
            for each in taken
            if each.taken_over_from
        ]
        ledger.append("lock", run=now.key, body=body | {"taken_over": taken_over})
    return list(planned["targets"])


@task(retries=3, retry_delay=timedelta(seconds=10))
@telling.explained
def unlock(environment_name: str) -> None:
    """Give every lease of this run back, whatever became of it."""
    from day2.ledger import leases

    now = run.current()
    with connections.ledger(environment(environment_name)) as ledger:
        released = leases.release(ledger, now.key)
        ledger.append("unlock", run=now.key, body={"attempt": now.attempt, "targets": released})
    log.info("released: %s", ", ".join(released) or "nothing was held")


@task(retries=3, retry_delay=timedelta(seconds=10))
@telling.explained
def record(environment_name: str, *, operation: str, act_steps: tuple[str, ...]) -> dict[str, Any]:
    """Append the run to the ledger, whatever happened to it."""
    from day2.airflow import recording
    from day2.ledger import report

    here = environment(environment_name)
    with connections.ledger(here) as ledger:
        made = recording.append(ledger, run.current(), here, operation=operation, act_steps=act_steps)
    for line in report.summary(made):
        log.info("%s", line)
    telling.say("The whole record", report.lines(made))
    return {"verdict": made["verdict"], "reason": made["reason"], "record_id": made["record_id"]}


@task
def close(recorded: dict[str, Any]) -> None:
    """Green only when every check passed and the record was written."""
    if recorded["verdict"] == "DRY_RUN":
        raise AirflowSkipException(f"dry run: {recorded['reason']}")
    if recorded["verdict"] != "PASSED":
        raise AirflowFailException(f"this run is {recorded['verdict']}, not PASSED: {recorded['reason']}")
    log.info("PASSED: %s (record %s)", recorded["reason"], recorded["record_id"])


def write_plan(ledger: Ledger, planned: dict[str, Any]) -> None:
    """Show a plan in the log and append it to the ledger, with what Airflow knows of the run."""
    now = run.current()
    for line in planned["briefing"]:
        log.info("%s", line)
    known = {
        "attempt": now.attempt,
        "dag_id": now.dag_id,
        "run_id": now.run_id,
        "params": now.params,
        "code_commit": run.code_commit(),
        "slot_expected": now.slot,
    }
    ledger.append("plan", run=now.key, body=planned | known)


def refuse(ledger: Ledger, step: str, error: Day2Error) -> None:
    """Write down that a plan or a lock said no."""
    now = run.current()
    ledger.append("refusal", run=now.key, body={"attempt": now.attempt, "step": step, "error": error.as_dict()})


def skip_unless_locked(ledger: Ledger, now: run.Run) -> None:
    """Skip a step that runs after failures too, if the run stopped before its leases: nothing was touched."""
    if not any(True for _ in ledger.entries(kind="lock", run=now.key)):
        raise AirflowSkipException("this run stopped before it touched anything")


def same_policy(planned: dict[str, Any], now: Environment) -> None:
    """An approval is for a plan, and a plan for a policy. Raises PlanRefused if the policy changed since."""
    if inventory.policy_hash(now) != planned["policy_hash"]:
        raise PlanRefused(
            f"the policy of {now.name} changed after the plan was made",
            left="nothing was touched by this step",
            next_step="clear `plan` to plan and approve again",
            runbook="The plan was refused",
        )


@contextmanager
def acting(
    planned: dict[str, Any], approved: dict[str, Any] | None, *, step: str, target: str, finishing: bool = False
) -> Iterator[Outcome]:
    """Around everything that changes something: approval and lease checked again, intent and outcome written.

    `finishing`: stopping half-way would be worse than a policy that changed meanwhile, which is only said.
    """
    from day2.ledger import Act, attempt, leases

    get_current_context()["target"] = target
    now = run.current()
    approval.require(approved, planned["digest"])
    here = environment(planned["environment"])
    if not finishing:
        same_policy(planned, here)
    elif inventory.policy_hash(here) != planned["policy_hash"]:
        log.warning(
            "%s: the policy of %s changed after the plan was made; what was begun is finished", target, here.name
        )
    with connections.ledger(here) as ledger:
        ttl = timedelta(seconds=planned["lease_seconds"])
        # Again, not only extended: a task that somebody cleared runs after the run gave its leases back.
        reason = f"{planned['operation']} {planned['digest'][:12]}"
        leases.acquire(ledger, [lease_key(planned, target)], owner=now.key, ttl=ttl, reason=reason)
        act = Act(run=now.key, attempt=now.attempt, step=step, target=target, try_number=now.try_number)
        with attempt(ledger, act) as outcome:
            yield outcome
            outcome.artefacts += outcome.measures.pop("artefacts", [])
