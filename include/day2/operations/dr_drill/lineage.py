"""A running primary's timeline and where it left the ones before: whether another server's WAL is an ancestor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from day2.operations.dr_drill import observe
from day2.operations.dr_drill.control import position
from day2.operations.dr_drill.controldata import Control
from day2.operations.dr_drill.pair import Node


@dataclass(frozen=True)
class Lineage:
    """`left` holds (timeline, the position at which it was left), oldest first. `lsn` is the newest position."""

    timeline: int
    lsn: int
    left: tuple[tuple[int, int], ...] = ()

    def fork(self, timeline: int) -> int | None:
        """Where this server left a timeline; None if it never was on it, or still is."""
        return dict(self.left).get(timeline)


def read(node: Node) -> Lineage:
    """Ask a primary over the replication protocol, which knows its timeline without a checkpoint.

    Needs a role with REPLICATION.
    """
    server = observe.impatient(node.server)
    with replace(server, options={**server.options, "replication": "database"}).connect() as connection:
        system: Any = connection.execute("IDENTIFY_SYSTEM").fetchone()
        timeline, lsn = int(system[1]), position(system[2])
        if timeline == 1:
            return Lineage(timeline, lsn)  # the first one has no history
        file: Any = connection.execute(f"TIMELINE_HISTORY {timeline:d}".encode()).fetchone()
    history = file[1].decode() if isinstance(file[1], bytes) else str(file[1])
    return Lineage(timeline, lsn, parsed(history))


def parsed(history: str) -> tuple[tuple[int, int], ...]:
    """A timeline history file: number, position and reason in a line each. Pure."""
    lines = [line.split() for line in history.splitlines()]
    return tuple((int(words[0]), position(words[1])) for words in lines if words and words[0].isdigit())


def is_ancestor(control: Control, source: Lineage) -> bool:
    """Whether a stopped server can follow as it is: nothing in its files is from after the fork.

    Of a server that was killed while it took writes nobody knows: pages may be ahead of what anybody
    received, and it would start as a standby all the same. Such a one is never an ancestor.
    """
    if control.ended_cleanly:
        fork = source.fork(control.timeline)
        # The fork is where a record ends. A checkpoint that begins before it is on both sides.
        return fork is not None and control.checkpoint < fork
    if control.was_standby:
        on = max(control.timeline, control.recovered_timeline)
        fork = source.fork(on)
        return on == source.timeline or (fork is not None and max(control.recovered, control.checkpoint) <= fork)
    return False
