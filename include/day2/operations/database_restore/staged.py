"""A database is built under a name of its own and takes its place when it is proven: whole, or not at all.

The passing name is the mark: a later restore drops what has one and nobody building it.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from day2.errors import StepFailed
from day2.operations import materialize
from day2.operations.database_restore import archive, proof, roles
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.supply import Supply, supply
from day2.operations.database_restore.telling import explained
from day2.postgres import inspection, restore
from day2.postgres.inspection import TableComparison
from day2.postgres.server import Server, rows
from day2.units import duration

log = logging.getLogger("day2")
LONGEST_NAME = 63
UNTOUCHED = "what was built so far is dropped; every other database is untouched"


@dataclass(frozen=True)
class Target:
    """A database's name on a server; `server` names a maintenance database, never that one."""

    server: Server
    name: str

    @property
    def label(self) -> str:
        return self.server.at(self.name).label


@dataclass(frozen=True)
class Staged:
    """A complete, proven database under its passing name, and what is still to be set on it."""

    target: Target
    name: str
    properties: tuple[bytes, ...]
    tables: tuple[TableComparison, ...]
    moment: str


def derived(name: str, kind: str, stamp: str) -> str:
    """`<name>_<kind>_<stamp>`, cut where the server would cut it, but keeping the end. Pure."""
    tail = f"_{kind}_{stamp}"
    head = name.encode()[: LONGEST_NAME - len(tail)].decode(errors="ignore")
    return head + tail


@contextmanager
def building(order: Order, target: Target, *, measures: dict[str, Any]) -> Iterator[Staged]:
    """Restore into a passing name and prove it there. If anything fails, also in the block, it is dropped.

    The block moves it to its place. Raises StepFailed when the content differs from the manifest.
    """
    begun = time.monotonic()
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    stamp = f"{moment}_{secrets.token_hex(4)}"
    name = derived(target.name, "day2", stamp)
    sweep(target.server)
    with (
        supply(order, _major(target.server), measures=measures) as supplied,
        roles.present(order, supplied, target.server) as created,
    ):
        create, properties = archive.properties(supplied.binaries, supplied.contents, name)
        log.info("%s: restoring %s into %s", target.label, order.origin.point.id, name)
        with _made(target.server, name, create=create, stamp=stamp):
            server = target.server.at(name)
            with supplied.whole() as source:
                restore.load(supplied.binaries, server, source, create=False)
            measures |= {"restore_finished": True, "notes": _notes(order, supplied, created)}
            tables = _prove(supplied, server, measures=measures)
            proof.analyze(server)
            measures["seconds"] = round(time.monotonic() - begun, 3)
            log.info("%s: restored and proven in %s", target.label, duration(measures["seconds"]))
            yield Staged(target, name, tuple(properties), tuple(tables), moment)


def sweep(server: Server) -> list[str]:
    """Drop databases that a killed restore left half-made. Returns their names."""
    with server.connect() as connection:
        found = [each["name"] for each in rows(connection, "restores_under_way") if not each["alive"]]
    for each in found:
        materialize.drop(server, each)
        log.info("%s: dropped the half-made database of a killed restore: %s", server.label, each)
    return found


@contextmanager
def _made(server: Server, name: str, *, create: bytes, stamp: str) -> Iterator[None]:
    """An empty database that is ours; the session that says somebody builds it ends with the block."""
    with server.connect() as keeper:
        with explained(server.at(name).label, left="nothing was created"):
            # Before the database is made: killed at any moment, it is either not there or known as ours.
            keeper.execute("select pg_catalog.set_config('application_name', %s, false)", (f"day2-restore-{stamp}",))
            keeper.execute(create)
        try:
            yield
        except BaseException:
            materialize.drop(server, name)
            log.info("%s: dropped what was built of %s", server.label, name)
            raise


def _prove(supplied: Supply, server: Server, *, measures: dict[str, Any]) -> list[TableComparison]:
    tables = proof.compare([(supplied.expected, inspection.read(supplied.binaries, server))], measures=measures)
    if supplied.objects is not None:
        proof.compare_objects(supplied.objects, proof.objects(server), measures=measures)
    proof.require_equal(measures, server.label, left=UNTOUCHED)
    return tables


def _notes(order: Order, supplied: Supply, created: list[str]) -> list[str]:
    notes = list(supplied.notes)
    if created and not order.logins:
        notes.append(f"roles created without login, to own what they owned: {', '.join(created)}")
    elif created:
        notes.append(f"roles created as in the dump: {', '.join(created)}")
    if created and order.logins and not order.origin.described.role_passwords:
        notes.append("the dump has no passwords: set them before the roles are used")
    return notes


def _major(server: Server) -> int:
    with server.connect() as connection:
        return int(rows(connection, "restore_target")[0]["version_num"]) // 10_000


def require_absent(target: Target) -> None:
    """Raises StepFailed if there is a database of that name: a restore never overwrites one."""
    with target.server.connect() as connection:
        row = connection.execute(
            "select exists (select from pg_catalog.pg_database where datname operator(pg_catalog.=) %s)",
            (target.name,),
        ).fetchone()
    if row and row[0]:
        raise StepFailed(
            "there is a database of that name, and a restore never overwrites one",
            target=target.label,
            left="nothing was touched",
            next_step="choose another name, or restore in place, which keeps the old data",
            runbook="The name is taken",
        )
