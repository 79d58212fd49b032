"""All PostgreSQL servers of one host, around its patch: what is there is kept on the host, then proven again.

In this order: `ready` before the host is drained (`recall` by a task that takes over), `proven` when its new code runs,
and again after a rollback, `updated` when it is well and nothing will be rolled back any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.hosts import script
from day2.hosts.script import Host
from day2.inventory.model import Environment
from day2.inventory.patching import PostgresPatch
from day2.operations.security_patching import extension_pairs, postgresql, restarted, synchronous
from day2.operations.security_patching.postgresql import Patience
from day2.postgres.server import Server

log = logging.getLogger("day2")
Measures = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Reference:
    """A server on a host, as the inventory names it: its connection, and that of the other one of its pair."""

    name: str
    connection: str
    dbname: str | None
    other: str | None


@dataclass(frozen=True)
class Served:
    """A PostgreSQL server on the host, and the other one of its pair, whichever of them is the primary."""

    name: str
    server: Server
    other: Server | None = None


def references(environment: Environment, host: str) -> Iterator[Reference]:
    """The servers that the inventory puts on this host. Several databases may share one: `distinct` sorts that out."""
    for each in environment.databases:
        standby = each.standby
        if each.host == host:
            yield Reference(each.name, each.connection, each.dbname, standby.connection if standby else None)
        if standby and standby.host == host:
            yield Reference(f"{each.name}-standby", standby.connection, each.dbname, each.connection)


def distinct(served: Sequence[Served]) -> list[Served]:
    """Each server once, however many databases of the inventory it holds."""
    first: dict[tuple[str, int], Served] = {}
    for each in served:
        first.setdefault((each.server.host, each.server.port), each)
    return list(first.values())


def ready(host: Host, served: Sequence[Served], *, run: str) -> Measures:
    """Look at each server before the host is touched, keep that on the host, and make the stop short.

    In place of what was kept earlier: only for a host that no task has touched yet. Raises StepFailed.
    """
    if not served:
        return {}
    earlier = {each.name: _before(each) for each in served}
    _keep(host, run, json.dumps(earlier))
    for each in served:
        earlier[each.name] |= postgresql.checkpoint(each.server)
    return earlier


def recall(host: Host, served: Sequence[Served], *, run: str) -> Measures:
    """What `ready` kept, for a task that takes over: it could not look any more. Raises StepFailed."""
    if not served:
        return {}
    kept = "\n".join(script.lines(host, "remember.sh", "recall", f"{run}-postgresql")).strip()
    told: Measures = json.loads(kept) if kept else {}
    return told


def forget(host: Host, served: Sequence[Served], *, run: str) -> None:
    """The host is as it was: whoever touches it again looks again. Raises StepFailed."""
    if served:
        _keep(host, run, "")


def proven(
    served: Sequence[Served], earlier: Measures, policy: PostgresPatch, *, versions: Mapping[str, str]
) -> Measures:
    """Each server after the restart, against what it was. `versions` are the host's packages, by `name:arch`.

    Raises StepFailed naming every server that is not what it was; all of them are looked at.
    """
    patience = Patience(policy.answer, policy.followers)
    measured: Measures = {}
    failed: list[Day2Error] = []
    for each in served:
        was = earlier.get(each.name)
        if was is None:
            log.error("%s: nobody looked at it before the patch: nothing can be proven", each.server.label)
            continue
        installed = restarted.installed_minor(versions, was["version_num"] // 10_000)
        try:
            measured[each.name] = postgresql.after(each.server, was, installed=installed, patience=patience)
        except (StepFailed, Unavailable) as error:
            failed.append(error)
    if failed:
        raise StepFailed(
            "; ".join(each.happened for each in failed),
            left=failed[0].left,
            next_step=failed[0].next_step,
            runbook=failed[0].runbook,
        )
    return measured


def untouched(served: Sequence[Served], policy: PostgresPatch, *, versions: Mapping[str, str]) -> Measures:
    """The same for a host on which nothing was to be done: what runs is the package that is installed."""
    return proven(served, {each.name: _before(each) for each in served}, policy, versions=versions)


def updated(served: Sequence[Served], policy: PostgresPatch) -> Measures:
    """Update the extensions that are behind and that the policy wants updated. Says which are left.

    Never raises for one that fails: the host is well and stays patched; `facts` tells the suite.
    """
    return {each.name: extension_pairs.update(each.server, each.other, policy) for each in served}


def facts(expected: int, measured: Measures, made: Measures) -> dict[str, int | None]:
    """The columns of a host's row in the suite. None is what was not measured. Pure.

    `expected` is how many servers the inventory puts on the host, so one that nobody looked at is no pass.
    """
    seen = len(measured) == expected
    ran = len(made) == expected
    return {
        "postgres_servers": expected,
        "postgres_as_before": len(measured),
        "postgres_databases_unseen": _count(measured, "databases_unseen") if seen else None,
        "postgres_collations_changed": sum(each["collation_mismatches_new"] for each in measured.values())
        if seen
        else None,
        "postgres_extensions_failed": _count(made, "failed") if ran else None,
        "postgres_extensions_left": _count(made, "left") if ran else None,
    }


def _count(told: Measures, name: str) -> int:
    return sum(len(each[name]) for each in told.values())


def _keep(host: Host, run: str, content: str) -> None:
    done = script.run(host, "remember.sh", "keep", f"{run}-postgresql", values={"content": content})
    if done.code != 0:
        raise StepFailed(
            f"what its PostgreSQL was before cannot be kept on it: {done.words}",
            target=host.name,
            left="it is as it was",
            next_step="make space in /var, then clear the task",
            runbook="The disk of a host is full",
        )


def _before(served: Served) -> dict[str, Any]:
    found = postgresql.before(served.server)
    found["commits_wait"] = _commits_wait(served) if found["standby"] else False
    return found


def _commits_wait(served: Served) -> bool | None:
    """None where nobody knows: a primary that does not answer must not keep its standby from being patched."""
    if served.other is None:
        return None
    try:
        found = synchronous.commits_wait(served.other, served.server)
    except (StepFailed, Unavailable) as error:
        log.warning("%s: whether commits wait for it is not known: %s", served.name, error.happened)
        return None
    if found:
        log.warning(
            "%s: commits on %s WAIT while it is away: too few synchronous standbys", served.name, served.other.label
        )
    return found
