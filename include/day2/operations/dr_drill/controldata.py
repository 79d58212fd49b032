"""What a server's control file says, read on its host: also of a server that is stopped.

It names the last checkpoint and its timeline. After a promotion that is still the old timeline until the
next checkpoint, so a running server is asked for its timeline itself (`lineage`).
"""

from __future__ import annotations

from dataclasses import dataclass

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import control
from day2.operations.dr_drill.pair import Node

# The programs translate their messages; ours to read are in English.
ENGLISH = ("env", "LC_ALL=C")
FIELDS = {
    "Database cluster state": "state",
    "Latest checkpoint location": "checkpoint",
    "Latest checkpoint's REDO location": "redo",
    "Latest checkpoint's TimeLineID": "timeline",
    "Minimum recovery ending location": "recovered",
    "Min recovery ending loc's timeline": "recovered_timeline",
    "Bytes per WAL segment": "segment_bytes",
}


@dataclass(frozen=True)
class Control:
    """The part of a control file that a rejoin turns on; positions are byte numbers in the WAL."""

    state: str
    timeline: int
    checkpoint: int
    redo: int
    recovered: int
    recovered_timeline: int
    segment_bytes: int

    @property
    def ended_cleanly(self) -> bool:
        """Shut down as a primary: its last record is the checkpoint."""
        return self.state == "shut down"

    @property
    def was_standby(self) -> bool:
        """Last ran as a standby, stopped or killed, or was made one by pg_rewind."""
        return self.state in ("shut down in recovery", "in archive recovery")


def read(node: Node) -> Control:
    """The control file of a node. Raises StepFailed when pg_controldata cannot read it."""
    return parsed(require(node.shell, *ENGLISH, "pg_controldata", control.data(node)), node.name)


def parsed(text: str, name: str) -> Control:
    """The same, from what pg_controldata printed. Pure."""
    said = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        found = {field: said[label].strip() for label, field in FIELDS.items()}
    except KeyError as missing:
        raise StepFailed(
            f"pg_controldata says nothing of {missing}: is it of the server's version?",
            target=name,
            left="nothing was changed by this step",
            next_step="run pg_controldata by hand on the host",
            runbook="A command on a host failed",
        ) from missing
    return Control(
        state=found["state"],
        timeline=int(found["timeline"]),
        checkpoint=position(found["checkpoint"]),
        redo=position(found["redo"]),
        recovered=position(found["recovered"]),
        recovered_timeline=int(found["recovered_timeline"]),
        segment_bytes=int(found["segment_bytes"]),
    )


def position(text: str) -> int:
    """The byte number of a WAL position such as 0/3000148."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)


def written(position: int) -> str:
    """A position the way PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
