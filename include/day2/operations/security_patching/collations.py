"""Indexes that a new libc or ICU has put out of order.

A package that changes how text sorts makes every index on text wrong, silently: rows are not found, unique
constraints let duplicates in. PostgreSQL keeps the version of each collation it built with; this compares them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from day2.operations.security_patching import databases
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")
# From this version on a database's own collation has a version: https://www.postgresql.org/docs/15/release-15.html
DATABASE_VERSIONS = 150_000
SHOWN = 20


@dataclass(frozen=True)
class Mismatch:
    """A collation that sorts otherwise than when its indexes were built. No name: the database's own."""

    dbname: str
    schema: str
    name: str
    recorded: str
    actual: str | None
    indexes: int
    bytes: int
    commands: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For XCom and the record."""
        return asdict(self) | {"commands": list(self.commands)}


def mismatches(server: Server) -> databases.Seen:
    """Every one, over all databases, under `mismatches`. Raises Unavailable."""
    return databases.look(server, {"mismatches": inside})


def inside(connection: psycopg.Connection[Any], dbname: str) -> Iterator[Mismatch]:
    """Those of one database. Before version 15 nothing is known of a database's own collation."""
    for each in rows(connection, "collation_mismatches"):
        refresh = f"ALTER COLLATION {_quoted(each['schema'], each['name'])} REFRESH VERSION"
        yield _mismatch(dbname, each, refresh)
    if connection.info.server_version >= DATABASE_VERSIONS:
        for each in rows(connection, "database_collation_mismatch"):
            refresh = f"ALTER DATABASE {_quoted(dbname)} REFRESH COLLATION VERSION"
            yield _mismatch(dbname, {"schema": "", "name": "", **each}, refresh)


def key(told: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells one mismatch from another, also after JSON."""
    return tuple(told[each] for each in ("dbname", "schema", "name", "recorded", "actual"))


def say(server: Server, fresh: Iterable[Mapping[str, Any]], *, standby: bool) -> None:
    """In the log, what to run and why."""
    where = "on its primary, once that has the same libc and ICU" if standby else "there"
    for each in fresh:
        log.warning(
            "%s: database %s: text sorts otherwise since this patch (%s was %s): %d indexes out of order. Run %s: %s",
            server.label, each["dbname"], each["actual"], each["recorded"], each["indexes"], where,
            "; ".join(each["commands"]),
        )  # fmt: skip


def _mismatch(dbname: str, told: Mapping[str, Any], refresh: str) -> Mismatch:
    """The indexes first: once the version is refreshed, nothing tells any more that they are wrong."""
    listed = told["indexes"]
    size = sum(each["bytes"] for each in listed)
    return Mismatch(
        dbname, told["schema"], told["name"], told["recorded"], told["actual"], len(listed), size,
        (*_rebuild(dbname, listed), refresh),
    )  # fmt: skip


def _rebuild(dbname: str, indexes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Without blocking writers, except those of exclusion constraints, which PostgreSQL can only rebuild alone."""
    alone = [each for each in indexes if each["alone"]]
    others = [each for each in indexes if not each["alone"]]
    if len(others) > SHOWN:
        yield f"REINDEX DATABASE CONCURRENTLY {_quoted(dbname)}"
        others = []
    for each in others:
        yield f"REINDEX INDEX CONCURRENTLY {_quoted(each['schema'], each['name'])}"
    for each in alone:
        yield f"REINDEX INDEX {_quoted(each['schema'], each['name'])}"


def _quoted(*names: str) -> str:
    return ".".join('"' + each.replace('"', '""') + '"' for each in names)
