"""What an interrupted build of ours left: indexes that cannot be used, and that every write still pays for."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning.session import session
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")

# Every index that tuning makes is called so.
OURS = "day2_"
# What REINDEX CONCURRENTLY calls the new index, and the old one when both have changed places.
REBUILDING = re.compile(r"(?P<index>.+)_cc(?:new|old)\d*")
LONGEST_NAME = 63


def ours(found: Iterable[Mapping[str, Any]], rebuilt: Collection[tuple[str, str]] = ()) -> list[Mapping[str, Any]]:
    """Those that we made, or that a rebuild by us left; `rebuilt` has its indexes as (schema, name). Pure."""
    return [each for each in found if each["name"].startswith(OURS) or _of_a_rebuild(each, rebuilt)]


def find(server: Server, *, rebuilt: Collection[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """Indexes of ours that are not valid, and that nobody builds now."""
    with session(server) as connection:
        return [dict(each) for each in ours(rows(connection, "tuning_leftovers"), rebuilt)]


def sweep(server: Server, policy: TuningPolicy, *, rebuilt: Collection[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """Drop them; returns what was dropped. Raises Unavailable while somebody holds a lock on their tables."""
    timeouts = {"lock_timeout": policy.lock_timeout, "statement_timeout": policy.statement_timeout}
    with session(server, **timeouts) as connection:
        return drop(connection, rebuilt)


def drop(connection: psycopg.Connection[Any], rebuilt: Collection[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    """The same in a session that is open already."""
    dropped = []
    for each in ours(rows(connection, "tuning_leftovers"), rebuilt):
        connection.execute(each["remedy"].encode())
        log.warning("%s.%s was not valid, left by an interrupted build: dropped", each["schema_name"], each["name"])
        dropped.append(dict(each))
    return dropped


def _of_a_rebuild(found: Mapping[str, Any], rebuilt: Collection[tuple[str, str]]) -> bool:
    named = REBUILDING.fullmatch(found["name"])
    if not named:
        return False
    cut = len(found["name"].encode()) >= LONGEST_NAME - 1  # a long name is shortened to make room for the ending
    return any(
        found["schema_name"] == schema and (named["index"] == name or (cut and name.startswith(named["index"])))
        for schema, name in rebuilt
    )
