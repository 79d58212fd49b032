"""`python -m bench.many_tables`: what a look at 5,000 tables with 10,000 indexes takes, and costs the server."""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import typer

from bench import machine
from bench.measure import server_cpu
from day2.operations.performance_tuning.advise import advise
from day2.operations.performance_tuning.collect import collect
from day2.operations.performance_tuning.facts import Facts
from day2.operations.performance_tuning.hypothetical import weigh
from day2.operations.performance_tuning.thresholds import Thresholds
from day2.postgres import binaries
from day2.postgres.server import Server as Target
from lab import postgres, roles
from lab.postgres import free_standing, reachable_temporary_folder
from lab.preload import preload
from lab.roles import ensure_role
from lab.say import say

GOAL_SECONDS = 10.0
DATABASE = "many"
PASSWORD = "for-this-bench-alone"  # noqa: S105 - a server on loopback that ends with the bench
# As many as fit below max_locks_per_transaction.
AT_ONCE = 500
SETTLED = 0.5
MAKE = """
DO $$ BEGIN
  FOR i IN {first}..{last} LOOP
    EXECUTE format('CREATE TABLE bench.t%s (id int PRIMARY KEY, other int, said text) ', i);
    EXECUTE format('INSERT INTO bench.t%s SELECT n, n %% 7, md5(n::text) FROM generate_series(1, 20) AS n', i);
    EXECUTE format('CREATE INDEX ON bench.t%s (other)', i);
  END LOOP;
END $$
"""
STATEMENT = "SELECT count(*) AS s{number} FROM bench.t{table} WHERE other = 3"
SPENT = """
SELECT count(*), coalesce(sum(calls), 0), coalesce(sum(total_exec_time + total_plan_time), 0),
  coalesce(sum(shared_blks_hit + shared_blks_read), 0)
FROM pg_stat_statements WHERE userid = 'day2_tuning'::regrole
"""
SIZES = """
SELECT count(*) FILTER (WHERE relkind = 'r'), count(*) FILTER (WHERE relkind = 'i'),
  (SELECT count(*) FROM pg_stat_statements)
FROM pg_class WHERE relnamespace = 'bench'::regnamespace
"""


@dataclass(frozen=True)
class Look:
    """One look: how long it took, what the server did for it by its own count, and its processes' CPU."""

    seconds: float
    statements: int
    server_ms: float
    blocks: int
    server_cpu: float
    facts: Facts


def main(tables: int = 5000, statements: int = 5000, repeat: int = 3) -> None:
    """Make the database, look at it, print, and fail when a look misses its goal."""
    with _server() as server:
        started = time.perf_counter()
        _fill(server, tables, statements)
        say(f"made in {time.perf_counter() - started:.0f} s: {_sizes(server)}")
        looks = [_look(server) for _ in range(repeat)]
        for each in looks:
            say(
                f"collect {each.seconds:5.2f} s; of the server {each.server_cpu:5.2f} CPU-s, by its own count "
                f"{each.server_ms / 1000:5.2f} s in {each.statements} statements, {each.blocks} blocks"
            )
        _judge(looks[-1].facts, _target(server))
        median = statistics.median(each.seconds for each in looks)
        say(f"median {median:.2f} s (goal: under {GOAL_SECONDS:.0f} s), load {machine.load()}")
    if median >= GOAL_SECONDS:
        raise SystemExit(1)


@contextmanager
def _server() -> Iterator[postgres.Server]:
    folder = reachable_temporary_folder(binaries.unprivileged())
    settings = {"pg_stat_statements.max": "20000", "pg_stat_statements.track_planning": "on", "autovacuum": "off"}
    server = free_standing("many-tables", folder, password=PASSWORD, settings=settings)
    server.settings = {**server.settings, **preload(server.binaries)}
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


def _fill(server: postgres.Server, tables: int, statements: int) -> None:
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        ensure_role(connection, roles.tuning_role(PASSWORD))
    with server.connect(DATABASE) as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")
        connection.execute("CREATE SCHEMA bench")
        for first in range(1, tables + 1, AT_ONCE):
            connection.execute(MAKE.format(first=first, last=min(first + AT_ONCE - 1, tables)).encode())
        connection.execute("ANALYZE")
        connection.execute("SELECT pg_stat_statements_reset()")
        # Texts that differ in what they name are statements of their own.
        for number in range(1, statements + 1):
            connection.execute(STATEMENT.format(number=number, table=number % tables + 1).encode())


def _look(server: postgres.Server) -> Look:
    with server.connect(DATABASE) as connection:
        connection.execute("SELECT pg_stat_statements_reset('day2_tuning'::regrole)")
    pids = [server.processes.pid(server.name) or 0]
    burnt, started = server_cpu(pids), time.perf_counter()
    facts = collect(_target(server))
    seconds = time.perf_counter() - started
    time.sleep(SETTLED)  # the session's process ends after its client, and only then counts as reaped
    cpu = server_cpu(pids) - burnt
    with server.connect(DATABASE) as connection:
        [(_, calls, spent, blocks)] = connection.execute(SPENT).fetchall()
    return Look(seconds, int(calls), float(spent), int(blocks), cpu, facts)


def _judge(facts: Facts, target: Target) -> None:
    started = time.perf_counter()
    weighed = weigh(target, facts, Thresholds())
    planned = time.perf_counter() - started
    advice = advise(weighed)
    took = time.perf_counter() - started - planned
    say(f"candidates tried in {planned:.2f} s, judged in {took:.2f} s: {len(advice.recommendations)} findings")


def _sizes(server: postgres.Server) -> str:
    with server.connect(DATABASE) as connection:
        [(tables, indexes, statements)] = connection.execute(SIZES).fetchall()
    return f"{tables} tables, {indexes} indexes, {statements} statements counted"


def _target(server: postgres.Server) -> Target:
    return Target("127.0.0.1", server.port, "day2_tuning", DATABASE, PASSWORD)


if __name__ == "__main__":
    typer.run(main)
