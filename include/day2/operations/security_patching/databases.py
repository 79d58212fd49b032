"""Look into every database of a server, one session each: a database that cannot be seen is named, not skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed, Unavailable
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg

# Catalogs are small; one that is locked must not hold up the patch of its host.
SECONDS = 60
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
                connection.execute(f"set statement_timeout = '{SECONDS}s'".encode())
                for name, ask in looks.items():
                    seen.found[name] += ask(connection, each["name"])
        except (StepFailed, Unavailable) as error:  # refused, dropped meanwhile, or locked for too long
            seen.unseen[each["name"]] = error.happened
    return seen
