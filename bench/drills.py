"""Take over and rejoin, by hand with PostgreSQL's own programs and by the drill's steps, on the same kind of pair."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from bench import by_hand, machine
from bench.tables import Grid
from day2.operations.dr_drill import fence, observe, promote, rejoin, route
from day2.operations.dr_drill.control import position
from day2.postgres import binaries
from day2.units import size
from lab.postgres import reachable_temporary_folder
from tests.integration.drill.making import Living, living

GOAL = 1.3
PARTS = {
    "take_over": "promote to verified write",
    "same_steps": "rejoin, the same steps",
    "rejoin": "rejoin, and the WAL kept that nobody else has",
}
# What nobody does by hand has no goal; what it costs is stated.
STATED = ("rejoin",)
# Rows; each takes about 1 KB.
SMALL, BIG = 1000, 1_000_000
BULK = (
    "create table bulk as select g as id, 0 as changed, repeat(md5(g::text), 30) as note from generate_series(1, {}) g"
)
CHANGE = "update bulk set changed = changed + 1 where id % 400 = {}"
CATCH_UP_SECONDS = 600.0
BYTES = "select pg_database_size('orders')"
RECEIVER = "select pid from pg_stat_wal_receiver where pid is not null"
RECEIVED = "select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '{}') >= 0"
REPLAYED = "select pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '{}') >= 0"


@dataclass(frozen=True)
class Times:
    """One failover and rejoin: seconds of each of PARTS, and what it was done to."""

    take_over: float
    same_steps: float
    rejoin: float
    database: int
    to_replay: int
    diverged: int


def runs(repeat: int, scale: float) -> Iterator[dict[str, Any]]:
    """A pair with next to nothing in it, where only what is fixed counts, and a big one: a row a part of each."""
    for name, rows in (("small", SMALL), ("big", max(SMALL, round(BIG * scale)))):
        for each in _compared(repeat, rows):
            yield each | {"part": f"{each['part']}, {name}"}


def grid(rows: list[dict[str, Any]]) -> Grid:
    """The rows as a table."""
    sizes, figures = ("database", "to replay", "diverged"), ("ours s", "by hand s", "ratio", "goal", "runs")
    heads = ("the drill's steps / by hand", *sizes, *figures)
    return Grid("A drill's steps against pg_ctl and pg_rewind", heads, tuple(_cells(each) for each in rows))


def _compared(repeat: int, rows: int) -> Iterator[dict[str, Any]]:
    """Both sides in turns, a fresh pair each time."""
    load = machine.load()
    ours: list[Times] = []
    bare: list[Times] = []
    for number in range(repeat):
        for side in (ours, bare) if number % 2 else (bare, ours):
            side.append(_measured(_by_steps if side is ours else _by_hand, rows))
    for name, part in PARTS.items():
        mine, theirs = ([getattr(each, name) for each in side] for side in (ours, bare))
        pair = statistics.median(mine), statistics.median(theirs)
        yield {
            "part": part,
            "bytes": (ours[0].database, ours[0].to_replay, ours[0].diverged),
            "ours": mine,
            "bare": theirs,
            "median": pair,
            "ratio": pair[0] / pair[1],
            "goal": None if name in STATED else GOAL,
            "load": (load, machine.load()),
        }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ours, bare = row["median"]
    seconds = f"{ours:.2f}", f"{bare:.2f}", f"{row['ratio']:.2f}"
    goal = f"≤ {row['goal']:.2f} {_verdict(row)}" if row["goal"] else "stated"
    return row["part"], *map(size, row["bytes"]), *seconds, goal, str(len(row["ours"]))


def _verdict(row: dict[str, Any]) -> str:
    return "met" if row["ratio"] <= row["goal"] else "missed"


def _measured(work: Callable[[Living], tuple[float, float, float]], rows: int) -> Times:
    with _pair() as made:
        made.sql(made.pair.primary, BULK.format(rows))
        sizes = _leave_work(made)
        # What the making left in memory is nobody's to write in the measured time.
        os.sync()
        return Times(*work(made), *sizes)


@contextmanager
def _pair() -> Iterator[Living]:
    folder = reachable_temporary_folder(binaries.unprivileged())
    try:
        with living(folder) as made:
            yield made
    finally:
        shutil.rmtree(folder)


def _leave_work(made: Living) -> tuple[int, int, int]:
    """Changes that the standby received and has yet to replay, then changes that it never got.

    Returns the database's bytes, and those of the two.
    """
    old, new = made.pair.primary, made.pair.standby
    # Else the first change would log every page: a database that is in use has its hint bits set.
    made.sql(old, "vacuum (freeze, analyze) bulk")
    for each in made.pair.nodes:  # the standby's is a restart point
        _until(made, REPLAYED)
        made.sql(each, "checkpoint")
    start = _until(made, REPLAYED)
    made.sql(new, "select pg_wal_replay_pause()")
    made.sql(old, CHANGE.format(1))
    sent = _until(made, RECEIVED)
    # A paused replay starts no other receiver.
    os.kill(made.sql(new, RECEIVER), signal.SIGTERM)
    gone = observe.until(lambda: made.sql(new, RECEIVER) is None, seconds=CATCH_UP_SECONDS)
    by_hand.expect("the receiver has ended", gone)
    made.sql(old, CHANGE.format(2))
    end = made.sql(old, "select pg_current_wal_lsn()")
    return made.sql(old, BYTES), position(sent) - position(start), position(end) - position(sent)


def _until(made: Living, reached: str) -> str:
    """Wait until the standby is where the primary is. Returns where."""
    lsn: str = made.sql(made.pair.primary, "select pg_current_wal_lsn()")
    there = observe.until(lambda: bool(made.sql(made.pair.standby, reached.format(lsn))), seconds=CATCH_UP_SECONDS)
    by_hand.expect(f"the standby is at {lsn}", there)
    return lsn


def _by_steps(made: Living) -> tuple[float, float, float]:
    fence.fence(made.pair, mode="immediate", crashed_ok=True)
    began = _resumed(made)
    promote.replay(made.pair, seconds=60)
    promote.promote(made.pair, seconds=60)
    tools = route.Tools(shell=_nobody, aws=_nobody)
    route.move(_multi_host(), made.pair, made.pair.standby, tools=tools)
    _write(made)
    taken = time.monotonic() - began
    began = time.monotonic()
    measures = rejoin.rejoin(made.pair, seconds=600)
    back = time.monotonic() - began
    return taken, back - measures["parts"]["evidence"], back


def _by_hand(made: Living) -> tuple[float, float, float]:
    made.ctl(made.pair.primary, "stop", "--mode=immediate", "--silent")
    began = _resumed(made)
    by_hand.take_over(made)
    taken = time.monotonic() - began
    began = time.monotonic()
    by_hand.rejoin(made)
    back = time.monotonic() - began
    return taken, back, back


def _resumed(made: Living) -> float:
    """The clock starts when the standby may go on replaying: what it had to do is the same on both sides."""
    made.sql(made.pair.standby, "select pg_wal_replay_resume()")
    return time.monotonic()


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
