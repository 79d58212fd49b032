"""From a host of the inventory to what patches it: its login, its checks, its way out of traffic."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from day2.airflow import connections
from day2.errors import Day2Error

if TYPE_CHECKING:
    from day2.hosts.model import Manager, Scan
    from day2.hosts.script import Host
    from day2.inventory import PatchPolicy
    from day2.inventory.model import Environment
    from day2.inventory.model import Host as Known
    from day2.operations.security_patching.gates import Proof
    from day2.operations.security_patching.patient import Patient
    from day2.operations.security_patching.postgresql_host import Served

log = logging.getLogger("day2")
# An SSH login and a package list cost a tenth of a second of this machine's processor, and seconds of waiting.
AT_ONCE = 10
ROOT = "root@"


def policy(here: Environment) -> PatchPolicy:
    """The environment's policy, which it has: there is no DAG without one."""
    found = here.policies.security_patching
    assert found is not None  # noqa: S101 - see above
    return found


def reach(known: Known, manager: Manager = "apt") -> Host:
    """A login on a host, which may become root."""
    from day2.hosts.script import SUDO, Host

    shell = connections.shell(known.connection)
    return Host(known.name, shell, () if shell.label.startswith(ROOT) else SUDO, manager)


def patient(here: Environment, planned: dict[str, Any], name: str, *, run: str) -> Patient:
    """A host of a plan, with the policy that holds for it."""
    from day2.hosts.saved import Saved
    from day2.operations.security_patching import configured, progress
    from day2.operations.security_patching.patient import Patient

    known = here.host(name)
    manager = next(each["manager"] for each in planned["targets"] if each["name"] == name)
    host, rules = reach(known, manager), here.patch_policy(known)
    drained_by = connections.shell(rules.drain.connection) if rules.drain and rules.drain.connection else host.shell
    snapshot = rules.snapshot.connection if rules.snapshot else None
    files = [{**each} for each in planned["carried"] if each["canary"] != name]
    canaries = {each["canary"]: reach(here.host(each["canary"]), manager) for each in files}
    return Patient(
        host=host,
        policy=rules,
        frozen=progress.patch_set(planned),
        run=run,
        hook=configured.hook(rules, drained_by),
        probes=tuple(configured.probes(rules, known, host.shell)),
        snapshot=connections.shell(snapshot) if snapshot else None,
        carried=tuple((canaries[each.pop("canary")], Saved(**each)) for each in files),
        served=served(here, name),
    )


def served(here: Environment, host: str) -> tuple[Served, ...]:
    """The PostgreSQL servers that the inventory puts on a host, each once."""
    from day2.operations.security_patching import postgresql_host
    from day2.operations.security_patching.postgresql_host import Served

    found = [
        Served(
            each.name,
            connections.server(each.connection, dbname=each.dbname),
            connections.server(each.other, dbname=each.dbname) if each.other else None,
        )
        for each in postgresql_host.references(here, host)
    ]
    return tuple(postgresql_host.distinct(found))


def scan(here: Environment, hosts: Iterable[Known], *, fresh: bool = True) -> tuple[dict[str, Scan], dict[str, str]]:
    """Look at hosts, ten at a time: scans by host, and why there is none of the others. One never stops the rest."""
    scans: dict[str, Scan] = {}
    unreachable: dict[str, str] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda each: (each.name, _scanned(here, each, fresh=fresh)), hosts)
        for name, seen in found:
            if isinstance(seen, Day2Error):
                log.warning("%s: cannot be looked at: %s", name, seen.happened)
                unreachable[name] = seen.happened
            else:
                scans[name] = seen
    return scans, unreachable


def _scanned(here: Environment, known: Known, *, fresh: bool) -> Scan | Day2Error:
    from day2.hosts import scan as scanning

    seconds = here.patch_policy(known).scan_timeout.total_seconds()
    try:
        host = reach(known)
        wait = min(scanning.LISTS_WAIT, timedelta(seconds=seconds / 2))
        return scanning.scan(host, lists="refresh" if fresh else "cached", lists_wait=wait, seconds=seconds)
    except Day2Error as error:
        return error


def proofs(here: Environment, names: Iterable[str]) -> Iterator[tuple[str, Proof | None]]:
    """The newest recovery point of each database that passed its restore test. A store that is away is no proof."""
    from day2.operations.security_patching.gates import Proof
    from day2.repository import points

    for name in names:
        rules = here.backup_policy(here.database(name))
        try:
            found = points.points(connections.store(here.repository(rules.repository)), name)
        except Day2Error as error:
            log.warning("%s: its recovery points cannot be listed: %s", name, error.happened)
            yield name, None
            continue
        good = [each for each in found if each.verified]
        yield name, Proof(good[-1].id, good[-1].taken_at) if good else None
