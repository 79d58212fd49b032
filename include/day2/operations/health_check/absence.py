"""What should be there and is not: asked of the repository, the servers and the ledger, not of who should have made it.

So a backup that never ran, a database nobody declared, and a drill that is overdue become metrics like any other, with
thresholds, also while a server is stopped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from day2.inventory.model import Environment
from day2.ledger import Ledger
from day2.operations.health_check import postgres_look
from day2.operations.health_check.host_look import Value
from day2.postgres.server import Server, rows
from day2.repository import points
from day2.repository.points import Point
from day2.repository.store import Store

# What initdb makes for administrators: it has no data of anybody's.
MAINTENANCE = "postgres"


def recovery_points(store: Store, database: str, *, rpo: timedelta, now: datetime) -> tuple[Value, ...]:
    """How many recovery points a database has in a repository, and how old the newest verified one is."""
    return aged(points.points(store, database), rpo=rpo, now=now)


def aged(found: Sequence[Point], *, rpo: timedelta, now: datetime) -> tuple[Value, ...]:
    """The same, of points that were read. One that was never verified counts as none. Pure."""
    good = [each for each in found if each.verified]
    values = [Value("recovery_points", len(good))]
    if good:
        age = (now - good[-1].taken_at).total_seconds()
        values.append(Value("recovery_point_age_seconds", age))
        values.append(Value("recovery_point_age_percent", 100 * age / rpo.total_seconds()))
    return tuple(values)


def unowned(store: Store, here: Environment) -> tuple[Value, ...]:
    """Databases of which recovery points are kept, and which the inventory does not know (any more)."""
    # Reports are kept there too, in folders of their own: a database is what has a recovery point.
    others = set(points.databases(store)) - {each.name for each in here.databases}
    strange = sorted(each for each in others if points.points(store, each))
    return (Value("unowned_recovery_points", len(strange), note=", ".join(strange)),)


def undeclared(server: Server, declared: Iterable[str], *, seconds: float = postgres_look.SECONDS) -> tuple[Value, ...]:
    """Databases of a server that nobody declared: nobody backs them up. Raises Unavailable, StepFailed."""
    with postgres_look.asked(server, seconds=seconds) as connection:
        there = {str(row["name"]) for row in rows(connection, "databases")} - {MAINTENANCE}
    return missing(there, declared)


def missing(there: Iterable[str], declared: Iterable[str]) -> tuple[Value, ...]:
    """The same, of names: their count, so that the end of the last one is seen too. Pure."""
    strange = sorted(set(there) - set(declared))
    return (Value("undeclared_databases", len(strange), note=", ".join(strange)),)


def patch_scans(ledger: Ledger, here: Environment, *, since: datetime, now: datetime) -> dict[str, tuple[Value, ...]]:
    """How long ago each patched host was scanned, by target; of one that never was, since the ledger began."""
    seen: dict[str, datetime] = {}
    for entry in ledger.entries(kind="patch_scan", since=since):
        if entry.body["environment"] == here.name:
            at = datetime.fromisoformat(entry.body["at"])
            seen |= {each.name: at for each in here.patched if each.name not in entry.body["unreachable"]}
    return {
        f"host/{each.name}": (Value("patch_scan_age_seconds", (now - seen.get(each.name, since)).total_seconds()),)
        for each in here.patched
    }


def drills(ledger: Ledger, here: Environment, *, since: datetime, now: datetime) -> dict[str, tuple[Value, ...]]:
    """How long ago a drill of each database passed, by target; of one that never did, since the ledger began."""
    seen: dict[str, datetime] = {}
    for entry in ledger.entries(kind="record", dag=f"dr_drill.{here.name}", since=since):
        if entry.body["verdict"] == "PASSED":
            seen |= dict.fromkeys(entry.body["targets"]["succeeded"], datetime.fromisoformat(entry.body["ended"]))
    return {
        f"database/{each.name}": (Value("drill_age_seconds", (now - seen.get(each.name, since)).total_seconds()),)
        for each in here.databases
    }


def since(ledger: Ledger, *, now: datetime) -> datetime:
    """From when on it is asked: since the ledger began, and for two years at most."""
    return max(now - timedelta(days=2 * 366), ledger.began_at() or now)
