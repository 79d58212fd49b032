"""What two servers and their hosts say before a drill. Looking changes nothing on them.

A look that fails is kept with its reason: what could not be looked at counts as red, never as fine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from day2.errors import Day2Error
from day2.hosts.shell import require
from day2.operations.dr_drill import configured, control, observe, promote
from day2.operations.dr_drill.pair import Node, Pair, Seen

QUESTION = (Path(__file__).parent / "standing.sql").read_text()
PROGRAMS = ("pg_ctl", "postgres", "pg_controldata", "pg_rewind", "pg_basebackup", "psql")
# What the standby must have replayed by then of what the primary had written, to count as not behind.
CATCH_UP_SECONDS = 2.0
SECONDS = 15.0
# What pg_rewind reads through a login that is no superuser: https://www.postgresql.org/docs/current/app-pgrewind.html
REWIND_RIGHTS = """
select pg_catalog.pg_is_in_recovery(), coalesce(string_agg(needed.name, ', '), '')
from (
    values
    ('pg_catalog.pg_ls_dir(text, boolean, boolean)'),
    ('pg_catalog.pg_stat_file(text, boolean)'),
    ('pg_catalog.pg_read_binary_file(text)'),
    ('pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)')
) as needed (name)
where not pg_catalog.has_function_privilege(needed.name, 'execute')
"""


@dataclass
class Standing:
    """What one server said, by SQL and on its host; `unseen` is why something could not be looked at."""

    node: str
    seen: Seen
    sql: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)


@dataclass
class Standings:
    """Both, and what lies between them: the lag, the way of a rewind, the clients' endpoint."""

    primary: Standing
    standby: Standing
    between: dict[str, Any] = field(default_factory=dict)
    unseen: dict[str, str] = field(default_factory=dict)

    @property
    def both(self) -> tuple[Standing, Standing]:
        return self.primary, self.standby


def look(pair: Pair) -> Standings:
    """Everything readiness needs, both servers at the same time. Never raises for what does not answer."""
    seen = observe.look(pair)
    with ThreadPoolExecutor(max_workers=2) as pool:
        one = pool.submit(_standing, pair.primary, seen[0])
        two = pool.submit(_standing, pair.standby, seen[1])
        found = Standings(one.result(), two.result())
    _try(found.unseen, "rewind", lambda: found.between.update(_rewind(pair)))
    _try(found.unseen, "endpoint", lambda: found.between.update(endpoint=_endpoint(pair)))
    if seen[0].takes_writes and seen[1].role == "standby":
        _try(found.unseen, "lag", lambda: found.between.update(_lag(pair)))
    return found


def _standing(node: Node, seen: Seen) -> Standing:
    found = Standing(node.name, seen)
    _try(found.unseen, "sql", lambda: found.sql.update(_by_sql(node)))
    _try(found.unseen, "host", lambda: found.host.update(_on_host(node)))
    return found


def _try(unseen: dict[str, str], name: str, look: Callable[[], object]) -> None:
    try:
        look()
    except Day2Error as error:
        unseen[name] = error.happened


def _by_sql(node: Node) -> dict[str, Any]:
    begun = time.time()
    found = observe.ask(node.server, QUESTION)
    # Between asking and answer; a connection takes milliseconds, a wrong clock seconds.
    return found | {"clock_off": found["clock"] - (begun + time.time()) / 2}


def _on_host(node: Node) -> dict[str, Any]:
    folder = control.data(node)
    begun = time.time()
    clock = float(require(node.shell, "date", "+%s.%N", seconds=SECONDS))
    off = clock - (begun + time.time()) / 2
    free = require(node.shell, "df", "--output=avail", "--block-size=1", folder, seconds=SECONDS).split()[-1]
    missing = [each for each in PROGRAMS if node.shell.run(each, "--version", seconds=SECONDS).code]
    return {"clock_off": off, "free_bytes": int(free), "missing": missing, "unit": _unit(node)}


def _unit(node: Node) -> str:
    """Why this login may not start and stop the unit; empty if it may, or there is none."""
    if not node.unit:
        return ""
    for verb in ("stop", "start"):
        if node.shell.run("sudo", "-n", "-l", "systemctl", verb, node.unit, seconds=SECONDS).code:
            return f"sudo systemctl {verb} {node.unit}"
    return ""


def _rewind(pair: Pair) -> dict[str, Any]:
    """From the old primary's host, with the connection its configuration names: where that leads, and its rights.

    pg_rewind itself is not tried: its dry run needs a target that is shut down.
    """
    node = pair.primary
    settings = configured.read(node, configured.SOURCE)
    with configured.source(node, settings, dbname="postgres") as conninfo:
        command = ("psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-c", " ".join(REWIND_RIGHTS.split()))
        standby, _, lacks = require(node.shell, *command, seconds=SECONDS).strip().partition("|")
    return {"rewind_reaches_standby": standby == "t", "rewind_lacks": lacks}


def _endpoint(pair: Pair) -> str:
    """Which server a client's write reaches now."""
    observe.try_write(pair.endpoint)
    return "a write is accepted"


def _lag(pair: Pair) -> dict[str, Any]:
    """How far the standby is behind what the primary has written now, in bytes and in seconds."""
    target = observe.observe(pair.primary, pair.standby).lsn or 0
    begun = time.monotonic()
    first = last = observe.ask(pair.standby.server, promote.PROGRESS)
    while (last["replayed"] or 0) < target and time.monotonic() - begun < CATCH_UP_SECONDS:
        time.sleep(0.1)
        last = observe.ask(pair.standby.server, promote.PROGRESS)
    caught_up = (last["replayed"] or 0) >= target
    return {
        "lag_bytes": max(0, target - (first["replayed"] or 0)),
        "lag_seconds": round(time.monotonic() - begun if caught_up else last["since_last_commit"], 3),
        "caught_up": caught_up,
        "pause_state": last["pause_state"],
    }
