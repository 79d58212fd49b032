"""What is looked at in an environment, and how each target is reached. A target is called kind/name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from day2 import inventory
from day2.errors import PlanRefused
from day2.hosts.shell import Ssh
from day2.inventory.model import Database, Environment, Host, Repository, Service
from day2.operations import service_probe
from day2.operations.health_check import absence, host_look, postgres_look
from day2.operations.health_check.cycle import Look
from day2.operations.health_check.host_look import Value
from day2.postgres.server import Server
from day2.repository.store import Store

log = logging.getLogger("day2")


@dataclass(frozen=True)
class Reach:
    """How what an inventory names is reached, and how many seconds a look may take. Each raises Day2Error."""

    seconds: float
    shell: Callable[[str], Ssh]
    server: Callable[[Database], Server]
    connect: Callable[[str], Server]
    store: Callable[[Repository], Store]


def looks(here: Environment, reach: Reach, chosen: Iterable[str], *, now: datetime) -> dict[str, tuple[Look, ...]]:
    """How each chosen target is looked at. What cannot even be prepared is a look that fails."""
    known: dict[str, tuple[Look, ...]] = {f"host/{each.name}": (_host(each, reach),) for each in here.hosts}
    known |= {f"service/{each.name}": (_service(each, reach),) for each in here.services}
    known |= {f"repository/{each.name}": (_repository(each, here, reach),) for each in here.repositories}
    for each in here.databases:
        asked = (_server(each, reach), _points(each, here, reach, now), _declared(each, reach))
        known[f"database/{each.name}"] = asked
        if each.standby:
            known[f"standby/{each.name}"] = (_standby(each, reach),)
    return {name: known[name] for name in chosen}


def owner(here: Environment, target: str) -> str:
    """Who answers for a target."""
    kind, _, name = target.partition("/")
    some: tuple[Host | Service | Database, ...] = here.databases
    if kind in ("host", "service"):
        some = here.hosts if kind == "host" else here.services
    return next((each.owner for each in some if each.name == name and each.owner), here.owner)


def _host(host: Host, reach: Reach) -> Look:
    def look() -> Iterable[Value]:
        shell = reach.shell(host.connection)
        try:
            return host_look.look(shell, seconds=reach.seconds)
        finally:
            shell.close()

    return look


def _server(database: Database, reach: Reach) -> Look:
    return lambda: postgres_look.look(reach.server(database), seconds=reach.seconds)


def _standby(database: Database, reach: Reach) -> Look:
    assert database.standby is not None  # noqa: S101 - it is asked for where there is one
    connection = database.standby.connection
    return lambda: postgres_look.look(reach.connect(connection), seconds=reach.seconds)


def _points(database: Database, here: Environment, reach: Reach, now: datetime) -> Look:
    """From the primary repository: it answers also while the server does not."""
    policy = here.backup_policy(database)
    repository = here.repository(policy.repository)
    return lambda: absence.recovery_points(reach.store(repository), database.name, rpo=policy.rpo, now=now)


def _declared(database: Database, reach: Reach) -> Look:
    """Every database of the server that this one is on, whoever it belongs to."""

    def look() -> Iterable[Value]:
        server = reach.server(database)
        others = (_somewhere(each, reach) for here in inventory.environments() for each in here.databases)
        at = (server.host, server.port)
        declared = [each.dbname for each in others if each and (each.host, each.port) == at]
        return absence.undeclared(server, declared, seconds=reach.seconds)

    return look


def _somewhere(database: Database, reach: Reach) -> Server | None:
    """Where a database of any environment is; none where this Airflow has no connection to it."""
    try:
        return reach.server(database)
    except PlanRefused as error:
        log.info("%s: %s", database.name, error.happened)
        return None


def _service(service: Service, reach: Reach) -> Look:
    def look() -> Iterable[Value]:
        for each in service_probe.check(service, reach.connect):
            part = f"{each['kind']} {each['address']}"
            yield Value("probe_failed", float(not each["ok"]), part, "" if each["ok"] else each["observed"])
            yield Value("probe_seconds", each["seconds"], part)

    return look


def _repository(repository: Repository, here: Environment, reach: Reach) -> Look:
    return lambda: absence.unowned(reach.store(repository), here)
