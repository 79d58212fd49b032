"""A new copy of a server by pg_basebackup, beside the old one, which is kept until the copy streams.

Every state in between can be started safely: the copy gets its own settings and standby.signal before it
takes the old one's place.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import aside, configured, control, observe, rewind, settings_kept
from day2.operations.dr_drill.configured import Settings
from day2.operations.dr_drill.pair import Node
from day2.units import size

log = logging.getLogger("day2")
NEW, READY, OLD = "new", "ready", "old-"
# Beside the databases: WAL that is written while the copy is made.
ROOM = 1.1
BYTES = """
select
    (select sum(pg_catalog.pg_database_size(database.oid)) from pg_catalog.pg_database as database)
    + (select coalesce(sum(file.size), 0) from pg_catalog.pg_ls_waldir() as file) as bytes
"""
# One command, so that a worker that dies leaves no half of it; it can be run again at any point.
SWAP = """set -e
if test -d "$2/ready"; then
    if test -d "$1"; then mv "$1" "$2/$3"; fi
    mv "$2/ready" "$1"
fi
"""


def reclone(node: Node, source: Node, *, settings: Settings, slot: str, seconds: float) -> int:
    """Replace a stopped server's data by a copy of the source's. `settings` are its own. Returns the copy's bytes."""
    data = control.data(node)
    _possible(node, data)
    needed = _room(node, source, data)
    settings_kept.keep(node)
    folder = aside.make(node)
    aside.forget(node, NEW, READY)
    with configured.source(node, settings, application_name="day2_clone") as conninfo:
        target = ("--dbname", conninfo, f"--pgdata={folder}/{NEW}", "--wal-method=stream", "--checkpoint=fast")
        command = ("pg_basebackup", *target, "--no-password", *((f"--slot={slot}",) if slot else ()))
        done = aside.alone(node, *command, seconds=seconds)
    if done.code:
        raise StepFailed(
            f"pg_basebackup answered {done.code}: {done.words or 'it said nothing'}",
            target=node.name,
            left=f"the data directory of {node.name} is as it was; half a copy is in {folder}/{NEW}",
            next_step=f"run it by hand on {node.shell.label}: pg_basebackup into a new directory",
            runbook="A re-clone did not work",
        )
    settings_kept.put_back(node, into=f"{folder}/{NEW}")
    require(node.shell, "touch", f"{folder}/{NEW}/{control.SIGNAL}")
    require(node.shell, "mv", f"{folder}/{NEW}", f"{folder}/{READY}")
    finish(node)
    aside.forget(node, rewind.MARK)
    log.info("%s: a copy of %s (about %s) took its place; the old data is kept", node.name, source.name, size(needed))
    return needed


def finish(node: Node) -> None:
    """Put a complete copy in its place. Does nothing if there is none: safe at any time."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    require(node.shell, "sh", "-c", SWAP, "swap", control.data(node), aside.folder(node), f"{OLD}{stamp}")


def is_fresh(node: Node) -> bool:
    """Whether its data is a copy that nobody has started: its control file says what the source's said."""
    data = control.data(node)
    there = node.shell.run("test", "-e", f"{data}/backup_label", "-a", "-e", f"{data}/{control.SIGNAL}")
    return there.code == 0


def _possible(node: Node, data: str) -> None:
    """A copy would put tablespaces and linked WAL where the old ones still are: that is done by hand."""
    links = require(node.shell, "find", f"{data}/pg_tblspc", f"{data}/pg_wal", "-maxdepth", "1", "-type", "l")
    if links.strip():
        raise StepFailed(
            f"its data directory links to others ({', '.join(links.split())}), which a copy beside it cannot replace",
            target=node.name,
            left=f"the data directory of {node.name} is as it was",
            next_step="re-clone it by hand: pg_basebackup with --tablespace-mapping and --waldir",
            runbook="A re-clone did not work",
        )


def _room(node: Node, source: Node, data: str) -> int:
    """What the source holds, if the host has room for it beside the old data."""
    needed = int(float(observe.ask(source.server, BYTES)["bytes"]) * ROOM)
    free = int(require(node.shell, "df", "--output=avail", "--block-size=1", data).split()[-1])
    if free < needed:
        raise StepFailed(
            f"a re-clone beside the old data needs {size(needed)}; the host has {size(free)}",
            target=node.name,
            left=f"the data directory of {node.name} is as it was",
            next_step=f"make room on {node.shell.label}, or move {data} to another disk, and run the step again",
            runbook="A re-clone did not work",
        )
    return needed
