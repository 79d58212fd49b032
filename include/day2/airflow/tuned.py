"""From a database of the inventory to what tunes it: its login, its machine, its standby, its last recovery point."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from day2.airflow import connections
from day2.errors import Day2Error, StepFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from day2.hosts.shell import Ssh
    from day2.inventory import TuningPolicy
    from day2.inventory.model import Database, Environment
    from day2.ledger import Ledger
    from day2.operations.materialize import Origin
    from day2.operations.performance_tuning.facts import Machine
    from day2.operations.performance_tuning.model import Advice
    from day2.operations.performance_tuning.planning import Looked
    from day2.operations.performance_tuning.ready import Host
    from day2.postgres.server import Server

log = logging.getLogger("day2")


def server(here: Environment, database: Database) -> Server:
    """The database, as the role that tunes it."""
    policy = here.tuning_policy(database)
    return connections.server(policy.connection or database.connection, dbname=database.dbname)


def host(here: Environment, database: Database) -> Host:
    """The machine of its server. Where the inventory names none, nobody sees the disk, and no index is built."""
    from day2.operations.performance_tuning import machine
    from day2.operations.performance_tuning.ready import Host

    shell = _shell(here, database)
    return machine.host(shell, database.data_directory or "") if shell else Host()


def policy(here: Environment) -> TuningPolicy:
    """The environment's policy, which it has: there is no DAG without one."""
    found = here.policies.performance_tuning
    assert found is not None  # noqa: S101 - see above
    return found


def look(ledger: Ledger, here: Environment, database: Database) -> tuple[Looked, dict[str, Any]]:
    """What is to be said of it now, and what changes by hand are told from later. Never raises: it says why not."""
    from day2.operations.performance_tuning import by_hand_changes, history, seen
    from day2.operations.performance_tuning.planning import Looked

    before = history.last_look(ledger, here.name, database.name)
    try:
        found = advise(here, database, earlier=before.advice.facts if before else None)
        now = seen.seen(server(here, database))
    except Day2Error as error:
        log.warning("%s: cannot be looked at: %s", database.name, error)
        return Looked(None, error.happened), {}
    courses = history.courses(ledger, here.name, database.name)
    if before and before.seen:
        kept = [each.result for each in courses if each.seq > before.seq and each.result]
        found = replace(
            found, recommendations=(*found.recommendations, *by_hand_changes.changes(before.seen, now, kept))
        )
    patched = _patched(ledger, here, database)
    left = tuple(each.recommendation.key for each in courses if each.unfinished)
    return Looked(found, patched=patched, unfinished=left), now


def advise(here: Environment, database: Database, *, earlier: Mapping[str, Any] | None = None) -> Advice:
    """Collect, ask the planner, and judge. `earlier` is what the last look remembered: without it nothing regressed."""
    from day2.operations.performance_tuning import advise as advising
    from day2.operations.performance_tuning import collect, configured, hypothetical

    at, limits = server(here, database), configured.thresholds(here.tuning_policy(database).find)
    known = _machine(here, database)
    facts = hypothetical.weigh(at, collect.collect(at, _standbys(database)), limits, machine=known)
    return replace(advising.advise(facts, limits, machine=known, earlier=earlier), database=database.name)


def origin(here: Environment, database: Database) -> Origin:
    """The newest verified recovery point, to be restored for a rehearsal. Raises StepFailed where there is none."""
    from day2.operations.materialize import Origin
    from day2.repository import points

    policy = here.backup_policy(database)
    store = connections.store(here.repository(policy.repository))
    good = [each for each in points.points(store, database.name) if each.verified]
    if not good:
        raise StepFailed(
            "it has no verified recovery point to try changes on",
            target=database.name,
            left="nothing was touched",
            next_step="run database_backup, which proves its points; or set `rehearse: never` by review",
            runbook="A rehearsal is not possible",
        )
    return Origin(store, good[-1], points.manifest(store, good[-1]), connections.identity(policy))


def _shell(here: Environment, database: Database) -> Ssh | None:
    """A login on the host of its server; none where the inventory names no host."""
    return connections.shell(here.host(database.host).connection) if database.host else None


def _machine(here: Environment, database: Database) -> Machine | None:
    from day2.operations.performance_tuning import machine

    try:
        shell = _shell(here, database)
        return machine.look(shell, database.data_directory or "")[0] if shell else None
    except Day2Error as error:
        log.warning("%s: its machine cannot be looked at: %s", database.name, error.happened)
        return None


def _standbys(database: Database) -> tuple[Server, ...]:
    if database.standby is None:
        return ()
    return (connections.server(database.standby.connection, dbname=database.dbname),)


def _patched(ledger: Ledger, here: Environment, database: Database) -> datetime | None:
    from day2.operations.performance_tuning import history

    if database.host is None:
        return None
    since = datetime.now(UTC) - here.tuning_policy(database).after_patch
    return history.last_patched(ledger, here.name, database.host, since=since)
