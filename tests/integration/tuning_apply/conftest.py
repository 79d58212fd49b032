"""A server that counts its statements, a shop with planted faults, and a load that calls it steadily."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from psycopg import sql

from day2.inventory.tuning import Allow, Measure, TuningPolicy
from day2.operations.performance_tuning.model import Change, Kind, Recommendation, Risk
from day2.operations.performance_tuning.ready import Disk, Host
from day2.postgres.server import Server
from lab import postgres as lab_postgres
from lab.ports import LOOPBACK
from tests.integration.conftest import PASSWORD

ROWS = 60_000
SHOP = """
create extension pg_stat_statements;
create table orders (id bigint primary key, customer int not null, note text, touched int not null default 0);
insert into orders select i, i % 6000, repeat('x', 40) || i from generate_series(1, {rows}) as i;
create table "Odd ""Tab"" le" ("the column" int, other text);
insert into "Odd ""Tab"" le" select i, 'o' || i from generate_series(1, 2000) as i;
vacuum analyze;
"""
BY_CUSTOMER = "\\set customer random(0, 5999)\nselect count(*), max(note) from orders where customer = :customer;\n"
BY_ID = f"\\set id random(1, {ROWS})\nselect note from orders where id = :id;\n"
BY_TOUCHED = "\\set n random(900, 999)\nselect count(*), min(id) from orders where touched = :n;\n"
TOUCH = f"\\set id random(1, {ROWS})\nupdate orders set touched = touched + 1, note = note || '' where id = :id;\n"


@dataclass
class Shop:
    """The database as it runs in the lab, and as Day 2 reaches it."""

    runs: lab_postgres.Server
    dbname: str
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def server(self) -> Server:
        return Server(LOOPBACK, self.runs.port, "postgres", self.dbname, PASSWORD)

    def note(self, phase: str, facts: Any) -> None:
        self.notes.append((phase, dict(facts)))

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.runs.connect(self.dbname) as connection:
            found = connection.execute(statement.encode(), values or None)
            return found.fetchall() if found.description else []

    def queryids(self, like: str) -> tuple[int, ...]:
        found = self.run(
            "select distinct queryid from pg_stat_statements where query like %s and query not like '%%pg_stat%%'", like
        )
        return tuple(each for (each,) in found)

    def index(self, name: str) -> tuple[bool] | None:
        """Whether an index can be used; none if it is not there."""
        found = self.run("select indisvalid from pg_index join pg_class on oid = indexrelid where relname = %s", name)
        return found[0] if found else None  # type: ignore[return-value]

    def setting(self, name: str) -> tuple[str, str]:
        """Its value, and the name of the file it comes from."""
        [(value, file)] = self.run("select setting, sourcefile from pg_settings where name = %s", name)
        return value, (file or "").rpartition("/")[2]

    @contextmanager
    def load(
        self, *scripts: str, rate: int = 100, clients: int = 1, survives: bool = True, more: tuple[str, ...] = ()
    ) -> Iterator[None]:
        """Call the scripts steadily while the block lasts."""
        steadily = ("-T", "300", "-R", str(rate), "-c", str(clients), *more)
        with self.pgbench(*scripts, more=steadily) as running:
            yield
            assert not survives or running.poll() is None, running.communicate()

    @contextmanager
    def pgbench(self, *scripts: str, more: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
        folder = self.runs.home.parent / "scripts"
        folder.mkdir(exist_ok=True)
        files = []
        for text in scripts:
            path = folder / f"{abs(hash(text))}.sql"
            path.write_text(text, encoding="utf-8")
            files += ["-f", str(path)]
        env = {"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": PASSWORD, "PGHOST": LOOPBACK,
               "PGPORT": str(self.runs.port), "PGUSER": "postgres"}  # fmt: skip
        running = subprocess.Popen(
            (self.runs.binaries["pgbench"], "-n", *files, *more, self.dbname),
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        try:
            yield running
        finally:
            # Not an interrupt: whoever starts us in the background may have it ignored.
            running.terminate()
            running.communicate(timeout=20)

    def latency_ms(self, script: str, *, seconds: int = 1) -> float:
        """What pgbench itself says of a call: nothing of ours is in it."""
        with self.pgbench(script, more=("-T", str(seconds), "-c", "1")) as running:
            out, _ = running.communicate(timeout=60)
        [line] = [each for each in out.splitlines() if each.startswith("latency average")]
        return float(line.split("=")[1].split()[0])


POLICY = TuningPolicy(
    mode="apply_approved",
    allow=Allow(
        kinds=("missing_index", "unused_index", "invalid_index", "index_bloat", "stale_statistics", "setting"),
        settings=("*",),
    ),
    low_load=50,
    cpus=2,
    lock_timeout=timedelta(seconds=1),
    attempts=2,
    measure=Measure(
        block=timedelta(seconds=1.5), settle=timedelta(seconds=0.2), minimum_calls=20, load_percent=80,
    ),
)  # fmt: skip
HOST = Host(cpus=2, disk=lambda: Disk(10**12, 10**11))


def recommended(
    statement: str, reverse: str, *, kind: Kind = "missing_index", risk: Risk = "moderate", **more: Any
) -> Recommendation:
    """A finding that comes with this change."""
    change = Change(statement, reverse, locks="none that anybody waits for", **more)
    return Recommendation(kind, "a thing", "it is so", (), "less time", risk, "a test", change=change)


@pytest.fixture(scope="session")
def counting(make_postgres: Callable[..., lab_postgres.Server]) -> lab_postgres.Server:
    settings = {
        "shared_preload_libraries": "pg_stat_statements",
        "autovacuum": "off",
        "checkpoint_timeout": "1h",
        "max_wal_size": "4GB",
    }
    return make_postgres(settings=settings)


@pytest.fixture
def shop(counting: lab_postgres.Server) -> Iterator[Shop]:
    """As new, or nearly: made again only when the test before it changed the data."""
    if not counting.running:
        counting.start()
    made = Shop(counting, "the \"shop\" 'x'")
    if not as_new(made):
        with counting.connect() as connection:
            name = sql.Identifier(made.dbname)
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        for statement in SHOP.format(rows=ROWS).split(";"):
            if statement.strip():
                made.run(statement)
    yield made
    with counting.connect() as connection:
        connection.execute("ALTER SYSTEM RESET ALL")
        connection.execute("select pg_reload_conf()")
    for (each,) in made.run(
        "select indexrelid::regclass::text from pg_index where not indisprimary and "
        "indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)"
    ):
        made.run(f"drop index {each}")


def as_new(shop: Shop) -> bool:
    """Whether its table has all rows and nothing but them, and statements are counted."""
    with shop.runs.connect() as connection:
        found = connection.execute("select 1 from pg_database where datname = %s", (shop.dbname,)).fetchall()
    if not found or not shop.run("select 1 from pg_extension where extname = 'pg_stat_statements'"):
        return False
    shop.run("select pg_stat_statements_reset()")
    return shop.run("select count(*), max(touched), pg_relation_size('orders') / 8192 from orders") == [(ROWS, 0, 682)]
