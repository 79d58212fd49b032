"""What else a rejoin reads in a control file: where recovery ends, and how WAL is cut into files."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from day2.hosts.shell import require
from day2.operations.dr_drill import control
from day2.operations.dr_drill.control import ControlFile, position
from day2.operations.dr_drill.pair import Node

# The programs translate their messages; ours to read are in English.
ENGLISH = ("env", "LC_ALL=C")


@dataclass(frozen=True)
class Control(ControlFile):
    """A control file. `recovered` is up to where a standby must replay before it is consistent."""

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
    return parsed(require(node.shell, *ENGLISH, "pg_controldata", control.data(node)))


def parsed(text: str) -> Control:
    """The same, from what pg_controldata printed. Pure."""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    return Control(
        **asdict(control.parsed(text)),
        redo=position(fields["Latest checkpoint's REDO location"]),
        recovered=position(fields["Minimum recovery ending location"]),
        recovered_timeline=int(fields["Min recovery ending loc's timeline"]),
        segment_bytes=int(fields["Bytes per WAL segment"]),
    )
