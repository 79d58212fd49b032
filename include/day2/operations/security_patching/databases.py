"""Look into every database of a server, one session each: a database that cannot be seen is named, not skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

# What to look for in one database, given a session there and the database's name.
Look = Callable[["psycopg.Connection[Any]", str], Iterable[Any]]


@dataclass(frozen=True)
class Seen:
    """What each look found in all databases together, and why one could not be looked at, by its name."""

    found: dict[str, list[Any]]
    unseen: dict[str, str]


def look(server: Server, looks: Mapping[str, Look]) -> Seen:
    """All looks in every database that accepts connections, templates too. Raises Unavailable."""
    seen = Seen({name: [] for name in looks}, {})
    with server.connect() as connection:
        known = rows(connection, "patch_databases")
    for each in known:
        if not each["may_connect"]:
            seen.unseen[each["name"]] = f"{server.user} may not connect to it"
            continue
        try:
            with server.at(each["name"]).connect() as connection:
                for name, ask in looks.items():
                    seen.found[name] += ask(connection, each["name"])
        except StepFailed as error:  # pg_hba.conf refuses it, or it was dropped meanwhile
            seen.unseen[each["name"]] = error.happened
    return seen
