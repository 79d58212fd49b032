"""Take over and rejoin, by hand with PostgreSQL's own programs and by the drill's steps, on the same kind of pair."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import machine
from bench.tables import Grid
from day2.hosts.shell import require
from day2.operations.dr_drill import fence, promote, rejoin, route
from day2.postgres import binaries
from lab.postgres import reachable_temporary_folder
from tests.integration.drill.making import Living, living

GOAL = 1.3
STOPPED = 3  # pg_ctl status: no server is running
BULK = "create table public.bulk as select g, md5(g::text) from generate_series(1, 200000) g"
PARTS = ("promote to verified write", "rejoin")


@dataclass(frozen=True)
class Times:
    """One failover and rejoin: seconds of each part, in the order of PARTS."""

    take_over: float
    rejoin: float


def runs(repeat: int) -> Iterator[dict[str, Any]]:
    """Both sides in turns, a fresh pair each time. Yields a row a part."""
    load = machine.load()
    ours: list[Times] = []
    bare: list[Times] = []
    for number in range(repeat):
        for side in (ours, bare) if number % 2 else (bare, ours):
            side.append(_measured(_by_steps if side is ours else _by_hand))
    for part, name in zip(PARTS, ("take_over", "rejoin"), strict=True):
        mine, theirs = ([getattr(each, name) for each in side] for side in (ours, bare))
        pair = statistics.median(mine), statistics.median(theirs)
        yield {
            "part": part,
            "ours": mine,
            "bare": theirs,
            "median": pair,
            "ratio": pair[0] / pair[1],
            "goal": GOAL,
            "load": (load, machine.load()),
        }


def grid(rows: list[dict[str, Any]]) -> Grid:
    """The rows as a table."""
    heads = ("the drill's steps / by hand", "ours s", "by hand s", "ratio", "goal", "runs")
    return Grid("A drill's steps against pg_ctl and pg_rewind", heads, tuple(_cells(each) for each in rows))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ours, bare = row["median"]
    return row["part"], f"{ours:.2f}", f"{bare:.2f}", f"{row['ratio']:.2f}", f"{row['goal']:.2f}", str(len(row["ours"]))


def _measured(work: Callable[[Living], Times]) -> Times:
    with _pair() as made:
        made.sql(made.pair.primary, BULK)
        return work(made)


@contextmanager
def _pair() -> Iterator[Living]:
    folder = reachable_temporary_folder(binaries.unprivileged())
    with living(Path(folder)) as made:
        yield made


def _by_steps(made: Living) -> Times:
    fence.fence(made.pair, mode="immediate", crashed_ok=True)
    began = time.monotonic()
    promote.replay(made.pair, seconds=60)
    promote.promote(made.pair, seconds=60)
    tools = route.Tools(shell=_nobody, aws=_nobody)
    route.move(_multi_host(), made.pair, made.pair.standby, tools=tools)
    _write(made)
    taken = time.monotonic() - began
    began = time.monotonic()
    rejoin.rejoin(made.pair, seconds=300)
    return Times(taken, time.monotonic() - began)


def _by_hand(made: Living) -> Times:
    """The same steps with PostgreSQL's programs: is it stopped, is all replayed, keep WAL, promote, write."""
    old, new = made.pair.primary, made.pair.standby
    made.ctl(old, "stop", "--mode=immediate", "--silent")
    began = time.monotonic()
    if old.shell.run("pg_ctl", "status").code != STOPPED:
        raise AssertionError("the old primary runs")
    while _psql(made, "select pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn()") != "t":
        time.sleep(0.02)
    _psql(made, "select pg_create_physical_replication_slot('day2_peer', true)")
    made.ctl(new, "promote", "--wait", "--silent")
    _psql(made, "checkpoint")
    _write(made)
    taken = time.monotonic() - began
    began = time.monotonic()
    _psql(made, "checkpoint")
    source = f"host=127.0.0.1 port={new.server.port} user=postgres passfile={made.home(old)}/.pgpass dbname=postgres"
    data = made.home(old) / "data"
    saved = {path: path.read_bytes() for path in data.glob("*.conf")}
    require(old.shell, "pg_rewind", "--target-pgdata", str(data), "--source-server", source, "-R", "-c", seconds=300)
    for path, content in saved.items():
        path.write_bytes(content)
    made.start(old)
    while _psql(made, "select count(*) from pg_stat_replication where state = 'streaming'") != "1":
        time.sleep(0.05)
    return Times(taken, time.monotonic() - began)


def _psql(made: Living, query: str) -> str:
    """A query on the new primary, as somebody at a terminal asks it."""
    new = made.pair.standby
    where = f"host=127.0.0.1 port={new.server.port} user=postgres passfile={made.home(new)}/.pgpass dbname=orders"
    return require(new.shell, "psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", where, "-c", query).strip()


def _write(made: Living) -> None:
    """Until a write through the clients' endpoint is committed."""
    info = made.pair.endpoint
    ports = info.options["port"]
    while True:
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(
                host=info.host, port=ports, user="postgres", password=info.password, dbname=info.dbname,
                target_session_attrs="read-write", connect_timeout=2,
            ) as connection,
        ):  # fmt: skip
            connection.execute("insert into orders (note) values ('bench')")
            return
        time.sleep(0.02)


def _multi_host() -> Any:
    from day2.inventory.drill import MultiHost

    return MultiHost(kind="multi_host")


def _nobody(connection: str) -> Any:
    raise AssertionError(f"this route needs no connection, and asked for {connection}")
