"""Part 8: a capacity review of 1,000 series over 400 days, from the ledger's database to the page.

The series are made (`bench.made_series`): five resources of 200 targets, each a kind of growth. 398 days are rolled up
as a health check leaves them; the last two are raw, a sample every five minutes.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench import ledgers, machine
from bench.tables import Grid
from day2.inventory import Environment
from day2.postgres import binaries
from day2.units import size
from lab.places import CHECKOUT
from lab.postgres import Server, free_standing, reachable_temporary_folder
from lab.say import timed

if TYPE_CHECKING:
    from psycopg import Connection

SERIES, DAYS, RAW_DAYS, GOAL_SECONDS = 1000, 400, 2, 120.0
ENVIRONMENT = "made"
# How a point of a made series is written; a limit that some of them reach.
METRICS = ("cpu_percent", "memory_percent", "connections_percent", "disk_used", "inodes_used")
LIMITED = {"disk_used": "disk_total", "inodes_used": "inodes_total"}
LIMIT, SHARE = 100.0, 0.25
RAW = """
    insert into ledger.metric_sample
    select s.id, moment, r.high from ledger.metric_series s
      join ledger.metric_rollup r on r.series = s.id and r.span = 'day' and r.at = %(last)s,
      generate_series(%(since)s::timestamptz, %(until)s::timestamptz, interval '5 minutes') moment
"""


def environment(targets: list[str]) -> Environment:
    """The inventory of the made fleet."""
    hosts = [
        {"name": name.partition("/")[2], "address": name, "connection": "ssh", "region": "here"} for name in targets
    ]
    return Environment.model_validate(
        {
            "name": ENVIRONMENT,
            "tier": "production",
            "owner": "platform-team",
            "regions": {"primary": "here", "recovery": "there"},
            "repositories": [{"name": "primary", "url": "file:///tmp/points", "region": "here"}],
            "hosts": hosts,
            "policies": {"database_backup": {"encryption": "none"}, "capacity_review": {}},
        }
    )


def runs(series: int = SERIES) -> list[dict[str, Any]]:
    """A row for each part, and one for the whole."""
    load = machine.load()
    run_as = binaries.unprivileged()
    folder = reachable_temporary_folder(run_as)
    server = free_standing("ledger", folder, password=secrets.token_hex(16), settings={"shared_buffers": "128MB"})
    try:
        server.create()
        server.start()
        with timed("Made samples"):
            conninfo = _ledger(server, series)
        env = os.environ | {
            "BENCH_LEDGER": conninfo,
            "PYTHONPATH": f"{CHECKOUT / 'include'}{os.pathsep}{CHECKOUT}",
        }
        command = (sys.executable, "-m", "bench.reviewed")
        with timed("Review"):
            done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the review failed: {done.stderr[-3000:]}")
        return _rows(json.loads(done.stdout.splitlines()[-1]), [load, machine.load()])
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> list[str]:
    """The server that is asked."""
    return [next(each for each in binaries.installed() if each.has_server)["postgres"]]


def grid(rows: list[dict[str, Any]]) -> Grid:
    """Wall clock, CPU and memory of each part."""
    title = f"A capacity review of {rows[0]['series']} series × {DAYS} days"
    heads = ("part", "wall s", "CPU s", "peak memory so far", "goal")
    return Grid(title, heads, tuple(_line(each) for each in rows))


def _line(each: dict[str, Any]) -> tuple[str, ...]:
    goal = each.get("goal")
    met = "–" if goal is None else f"≤ {goal:g} s {'met' if each['wall'] <= goal else 'missed'}"
    return (each["part"], f"{each['wall']:.1f}", f"{each['cpu']:.1f}", size(each["memory"]), met)


def _rows(told: dict[str, Any], load: list[float]) -> list[dict[str, Any]]:
    parts = told["parts"]
    whole = {"part": "all", "goal": GOAL_SECONDS, "memory": max(each["memory"] for each in parts)}
    whole |= {name: sum(each[name] for each in parts) for name in ("wall", "cpu")}
    counted = {name: told[name] for name in ("series", "targets", "forecasts", "bytes")}
    return [each | counted | {"load": load} for each in (*parts, whole)]


def _ledger(server: Server, series: int) -> str:
    """A ledger with the samples in it; how the application logs in."""
    conninfo = ledgers.make(server)
    with server.connect(ledgers.DATABASE) as connection:
        _fill(connection, series, datetime.now(UTC))
    return conninfo


def _fill(connection: Connection[Any], series: int, now: datetime) -> None:
    from bench import made_series

    made = made_series.make(series, days=DAYS - RAW_DAYS, ahead=0, seed=2026).history
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=DAYS)
    copy = "copy ledger.metric_rollup (series, span, at, low, mean, high, last, samples) from stdin"
    with connection.cursor() as cursor:
        ids = [_series(cursor, number) for number in range(series)]
        with cursor.copy(copy) as rollups:
            for values, (own, limit) in zip(made, ids, strict=True):
                for day, value in enumerate(values):
                    at, used = first + timedelta(days=day), max(SHARE * float(value), 0.0)
                    rollups.write_row((own, "day", at, 0.5 * used, 0.8 * used, used, 0.9 * used, 288))
                    if limit:
                        rollups.write_row((limit, "day", at, LIMIT, LIMIT, LIMIT, LIMIT, 288))
        since = today - timedelta(days=RAW_DAYS)
        for moment in (since, now):
            cursor.execute("select ledger.metric_month(%s)", (moment,))
        cursor.execute(RAW, {"last": since - timedelta(days=1), "since": since, "until": now})
    connection.execute("vacuum analyze ledger.metric_series, ledger.metric_rollup, ledger.metric_sample")


def _series(cursor: Any, number: int) -> tuple[int, int | None]:
    """A new series, and the one of its limit where it has one."""
    target, metric = f"host/made-{number // len(METRICS):03}", METRICS[number % len(METRICS)]
    part = "/" if metric in LIMITED else ""
    names = [each for each in (metric, LIMITED.get(metric)) if each]
    insert = "insert into ledger.metric_series (environment, target, metric, part) values (%s, %s, %s, %s) returning id"
    found = [cursor.execute(insert, (ENVIRONMENT, target, each, part)).fetchone()[0] for each in names]
    return found[0], found[1] if len(found) > 1 else None
