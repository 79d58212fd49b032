"""The restore's transfer, ours and the bare tool's: from the same encrypted object to the same place."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg import sql

from bench.servers import BUCKET, TARGET, Bench
from bench.transfers import Engine, Ours, Where, credentials, shell
from day2.postgres.binaries import unprivileged
from day2.repository.manifest import StoredObject
from day2.repository.points import Point

ROLE = {"physical": "base", "logical": "dump"}


def point(prefix: str) -> Point:
    """A point whose objects are under a prefix of two parts, as a listing would give it."""
    database, identity = prefix.strip("/").split("/")
    return Point(database, identity, datetime.now(UTC), bytes=0, verified=None, held=False)


@dataclass
class Stored:
    """An object that was put there to be restored."""

    bench: Bench
    engine: Engine
    where: Where
    prefix: str
    described: StoredObject

    @property
    def key(self) -> str:
        return self.prefix + self.described.name


def put(bench: Bench, engine: Engine, where: Where) -> Stored:
    """Store one encrypted object, the way the act step does."""
    taking = Ours(bench, engine, where, encrypt=True, prefix=f"restore/{engine}/")
    taking.prepare()
    return Stored(bench, engine, where, taking.prefix, taking.take())


@dataclass
class Restore:
    """What both sides need: an empty folder for a base backup, or an empty database for a dump."""

    stored: Stored
    bare = False

    @property
    def folder(self) -> Path:
        return self.stored.bench.folder / "servers" / "unpacked"

    def prepare(self) -> None:
        self.clean()
        if self.stored.engine == "physical":
            self.folder.mkdir(mode=0o700)
            if run_as := unprivileged():
                os.chown(self.folder, run_as["user"], run_as["group"])
            return
        with self.stored.bench.target.at("postgres").connect() as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(TARGET)))

    def clean(self) -> None:
        if self.stored.engine == "physical":
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        with self.stored.bench.target.at("postgres").connect() as connection:
            statement = sql.SQL("drop database if exists {} with (force)")
            connection.execute(statement.format(sql.Identifier(TARGET)))
            connection.execute("checkpoint")


@dataclass
class OurRestore(Restore):
    """`points.plain` into `restore.unpack` or `restore.load`, as the restore test does it."""

    def prepare(self) -> None:
        import psycopg
        import pyrage
        import zstandard

        self._imported = (psycopg, pyrage, zstandard)
        self._store = self.stored.bench.store(self.stored.where)
        super().prepare()

    def run(self) -> int:
        from day2.postgres import restore
        from day2.repository import points

        stored, bench = self.stored, self.stored.bench
        with points.plain(self._store, point(stored.prefix), stored.described, identity=bench.identity) as source:
            if stored.engine == "physical":
                restore.unpack(source, self.folder, run_as=unprivileged())
            else:
                restore.load(bench.binaries, bench.target, source, create=False)
        return stored.described.bytes


@dataclass
class BareRestore(Restore):
    """The tools themselves, in a shell pipeline."""

    bare = True

    @property
    def command(self) -> str:
        reading = "age -d -i $KEY $IN"
        if self.stored.where == "s3":
            reading = "aws s3 cp --only-show-errors --endpoint-url $ENDPOINT $IN - | age -d -i $KEY"
        writing = "tar -x -C $OUT" if self.stored.engine == "physical" else "$BIN/pg_restore -e -d $DB"
        return f"{reading} | zstd -q -d | {writing}"

    def run(self) -> int:
        bench, stored = self.stored.bench, self.stored
        key = bench.folder / "age.key"
        key.touch(mode=0o600)
        key.write_text(bench.identity + "\n")
        in_s3, in_folder = f"s3://{BUCKET}/{stored.key}", str(bench.repository / stored.key)
        place = in_s3 if stored.where == "s3" else in_folder
        with bench.target.environment() as env:
            env |= credentials(bench) | {"KEY": str(key), "IN": place, "OUT": str(self.folder)}
            env |= {"BIN": str(bench.binaries.folder), "DB": TARGET, "ENDPOINT": bench.s3.endpoint_url}
            shell(self.command, env)
        return stored.described.bytes
