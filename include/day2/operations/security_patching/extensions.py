"""ALTER EXTENSION … UPDATE: a new package brings an extension's files, but not what each database made of the old ones.

There is no way back: extensions have no downgrade scripts. So it is done last, when the host is well and stays patched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, StepFailed
from day2.operations.security_patching import databases
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")


@dataclass(frozen=True)
class Extension:
    """An installed extension whose files offer another version. `reachable`: there are scripts that lead to it."""

    name: str
    installed: str
    available: str
    schema: str
    dbname: str
    owner: str
    may_update: bool = True
    reachable: bool = True

    def as_dict(self) -> dict[str, Any]:
        """For XCom and the record; `Extension(**told)` brings it back."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """How long an update may wait for others' locks, which makes later sessions wait as well, and take itself."""

    lock: timedelta = timedelta(seconds=10)
    statement: timedelta = timedelta(minutes=10)


def extensions(server: Server) -> databases.Seen:
    """Those behind in any database that accepts connections, under `extensions`. Raises Unavailable."""
    return databases.look(server, {"extensions": behind})


def behind(connection: psycopg.Connection[Any], dbname: str) -> Iterator[Extension]:
    """Those of one database."""
    for each in rows(connection, "extensions_behind"):
        yield Extension(dbname=dbname, **each)


def update(server: Server, wanted: Iterable[Extension], *, limits: Limits | None = None) -> dict[str, Any]:
    """Update each in its own transaction, so that one that fails leaves the others as they are.

    Returns what became of each; `require` raises for those that failed. Does nothing on a standby.
    """
    chosen = list(wanted)
    made = nothing()
    if is_standby(server):
        log.info("%s: a standby: its extensions are updated on its primary and come by replication", server.label)
        made["skipped"] = [each.as_dict() | {"why": "a standby: they come from its primary"} for each in chosen]
        return made
    if chosen:
        log.warning("%s: updating %d extensions: there is no way back from it", server.label, len(chosen))
    for each in chosen:
        outcome, told = _update(server.at(each.dbname), each, limits or Limits())
        made[outcome].append(told)
    return made


def nothing() -> dict[str, Any]:
    """What `update` returns where there is nothing to update."""
    return {"reversible": False, "updated": [], "failed": [], "skipped": [], "left": []}


def is_standby(server: Server) -> bool:
    """Whether it only replays another's changes. Raises Unavailable or StepFailed."""
    with server.connect() as connection:
        return connection.execute("select pg_is_in_recovery()").fetchone() == (True,)


def require(server: Server, made: Mapping[str, Any]) -> None:
    """Raises StepFailed naming every extension that was to be updated and was not."""
    if failed := made["failed"]:
        raise StepFailed(
            f"{server.label}: not updated: " + "; ".join(f"{_label(each)}: {each['why']}" for each in failed),
            left=f"each of these is in its earlier version and works; {len(made['updated'])} others were updated",
            next_step="mend the cause and run the update again: what is done is not done twice",
            runbook="An extension could not be updated",
        )


def _update(server: Server, wanted: Extension, limits: Limits) -> tuple[str, dict[str, Any]]:
    import psycopg
    from psycopg import sql

    told = wanted.as_dict()
    statement = sql.SQL("alter extension {} update to {}").format(
        sql.Identifier(wanted.name), sql.Literal(wanted.available)
    )
    try:
        if _version(server, wanted.name) == wanted.available:
            return "skipped", told | {"why": "it has this version already"}
        with _fresh(server, limits) as connection:
            connection.execute(statement)
        now = _version(server, wanted.name)
    except (psycopg.Error, Day2Error) as error:
        why = _why(server, wanted, error)
        log.error("%s: extension %s stays at %s: %s", server.label, wanted.name, wanted.installed, why)
        return "failed", told | {"why": why}
    log.info("%s: extension %s: %s, was %s", server.label, wanted.name, now, wanted.installed)
    return "updated", told | {"now": now}


def _version(server: Server, name: str) -> str | None:
    with server.connect() as connection:
        return next((each["version"] for each in rows(connection, "extension_version", name=name)), None)


@contextmanager
def _fresh(server: Server, limits: Limits) -> Iterator[psycopg.Connection[Any]]:
    """A session that has its limits from its start: some extensions must be updated by its very first command.

    https://docs.timescale.com/self-hosted/latest/upgrades/minor-upgrade/
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    with server.connect() as connection:
        known = connection.info.get_parameters()
    told = {"lock_timeout": limits.lock, "statement_timeout": limits.statement}
    added = " ".join(f"-c {name}={int(span.total_seconds() * 1000)}" for name, span in told.items())
    fields: dict[str, Any] = {**known, "password": server.password or None, "options": f"{known['options']} {added}"}
    conninfo = make_conninfo(**fields)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield connection


def _why(server: Server, wanted: Extension, error: Exception) -> str:
    """The server's words, and what they mean where they do not say it."""
    from psycopg import errors

    said = error.happened if isinstance(error, Day2Error) else str(error).strip().splitlines()[0]
    if isinstance(error, errors.InsufficientPrivilege):
        return f"{said} ({server.user} must be a superuser, or own it, and {wanted.owner} does)"
    if isinstance(error, errors.LockNotAvailable):
        return f"{said} (somebody uses what it must change; it waited no longer, so that nobody waits for it)"
    if isinstance(error, errors.QueryCanceled):
        return f"{said} (it took longer than the policy's statement_timeout)"
    if not wanted.reachable:
        return f"{said} (its files know no way from {wanted.installed}: they are older, or its own notes say more)"
    return said


def _label(told: Mapping[str, Any]) -> str:
    return f"{told['name']} in {told['dbname']} stays at {told['installed']}, {told['available']} is there"
