"""A recovery point as a running scratch server: how restore tests and restores begin."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from day2.operations.progress import Progress
from day2.postgres import restore, scratch
from day2.postgres.binaries import Binaries, for_server
from day2.postgres.content import DatabaseContent
from day2.postgres.scratch import Scratch
from day2.postgres.server import Server
from day2.readable import Readable
from day2.repository import points, streams
from day2.repository.manifest import Manifest, StoredObject
from day2.repository.points import Point
from day2.repository.store import Store
from day2.units import duration

log = logging.getLogger("day2")
# A physical copy starts only with at least its source's values (hot standby rules apply to recovery).
CARRIED = ("max_connections", "max_worker_processes", "max_prepared_transactions", "max_locks_per_transaction")


@dataclass(frozen=True)
class Origin:
    """Where a point is read from: its store, the point, and the key that opens it."""

    store: Store
    point: Point
    described: Manifest
    identity: str | None

    def object(self, role: str) -> StoredObject:
        return next(each for each in self.described.objects if each.role == role)

    def plain(self, role: str) -> AbstractContextManager[Readable]:
        """The object of that role, decrypted and decompressed, checked at its end; with progress lines."""
        stored = self.object(role)
        watch = Progress.of(f"{self.described.database}: reading {stored.name}", stored.bytes)
        return points.plain(self.store, self.point, stored, identity=self.identity, watch=watch)


@dataclass(frozen=True)
class Restored:
    """A restored copy in a running scratch server. `seconds` is until it took writes."""

    made: Scratch
    seconds: float
    notes: tuple[str, ...]


@contextmanager
def running(origin: Origin, *, parent: Path | None, run: str) -> Iterator[Restored]:
    """Restore a point into a scratch server and start it; all of it is gone when the block ends."""
    described = origin.described
    binaries = for_server(described.source.version_num // 10_000, need_server=True)
    for each in scratch.sweep(parent):
        log.info("removed the scratch server of a killed run: %s", each)
    with scratch.scratch(parent, binaries, superuser=described.source.superuser, run=run) as made:
        log.info("%s: restoring %s into %s", described.database, described.point, made.folder)
        begun = time.monotonic()
        notes = _physical(origin, made) if described.engine == "physical" else _logical(origin, made)
        seconds = time.monotonic() - begun
        log.info("%s: %s restored and started in %s", described.database, described.point, duration(seconds))
        yield Restored(made=made, seconds=seconds, notes=tuple(notes))


def load(origin: Origin, binaries: Binaries, server: Server) -> list[str]:
    """Restore a dump into a server under the database's own name. Returns what had to differ.

    `server` names a maintenance database. A locale this machine lacks is replaced by C and noted.
    """
    content = origin.described.databases[0]
    available = locale_available(server, content)
    target = server if available else server.at(content.name)
    if not available:
        create(server, content.name, content, locale=False)
    with origin.plain("dump") as source:
        restore.load(binaries, target, source, create=available)
    return [] if available else [f"{content.name}: locale {content.collate!r} is not on this machine, restored with C"]


def create(server: Server, name: str, content: DatabaseContent, *, locale: bool) -> None:
    """An empty database like the one in the manifest."""
    from psycopg import sql

    statement = sql.SQL("create database {name} template template0 encoding {encoding} lc_collate {c} lc_ctype {t}")
    with server.connect() as connection:
        connection.execute(
            statement.format(
                name=sql.Identifier(name),
                encoding=sql.Literal(content.encoding),
                c=sql.Literal(content.collate if locale else "C"),
                t=sql.Literal(content.ctype if locale else "C"),
            )
        )


def drop(server: Server, name: str) -> None:
    from psycopg import sql

    with server.connect() as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def locale_available(server: Server, content: DatabaseContent) -> bool:
    """Whether a database of that locale can be made here; found out by making one."""
    import psycopg

    probe = f"day2_probe_{os.getpid()}"
    try:
        create(server, probe, content, locale=True)
    except psycopg.errors.WrongObjectType:
        return False
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.ObjectNotInPrerequisiteState):
        return False
    drop(server, probe)
    return True


def read_all(source: Readable) -> bytes:
    return b"".join(iter(lambda: source.read(streams.CHUNK), b""))


def _physical(origin: Origin, made: Scratch) -> list[str]:
    made.data.mkdir(mode=0o700)
    if "user" in made.run_as:
        os.chown(made.data, made.run_as["user"], made.run_as["group"])
    with origin.plain("base") as source:
        restore.unpack(source, made.data, run_as=made.run_as)
    needed, notes = settings(origin.described, made.binaries)
    scratch.start(made, needed)
    return notes


def _logical(origin: Origin, made: Scratch) -> list[str]:
    scratch.initdb(made, encoding=origin.described.databases[0].encoding)
    needed, notes = settings(origin.described, made.binaries)
    scratch.start(made, needed)
    with origin.plain("roles") as source:
        restore.roles(made.binaries, made.server(), read_all(source), existing=(made.superuser,))
    # Not from `postgres`: initdb made that one, and it may be the very database to restore.
    server = made.server("template1")
    drop(server, origin.described.databases[0].name)
    return notes + load(origin, made.binaries, server)


def settings(described: Manifest, binaries: Binaries) -> tuple[dict[str, str], list[str]]:
    """What the copy needs to start; preload libraries this machine lacks are left out and noted."""
    source = described.source.settings
    having, lacking = scratch.libraries(source.get("shared_preload_libraries", ""), binaries)
    carried = {name: source[name] for name in CARRIED if name in source}
    carried["shared_preload_libraries"] = ", ".join(having)
    return carried, [f"preload library {name} is not on this machine, left out" for name in lacking]
