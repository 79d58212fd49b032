"""A database's two servers, and the states the two can be in. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from day2.hosts.shell import Shell
from day2.postgres.server import Server

Role = Literal["primary", "standby", "starting", "stopped", "unreachable"]
State = Literal[
    "normal",  # the primary takes writes, the standby follows it
    "alone",  # the primary takes writes, the standby is not running
    "fenced",  # the primary is stopped, the standby follows nobody
    "promoted",  # the primary is stopped, the standby took over
    "failed_over",  # the standby took over, the old primary follows it
    "no_primary",  # both run, none takes writes
    "down",  # none runs
    "split_brain",  # both take writes
    "unknown",  # a server or its host does not answer
]


@dataclass(frozen=True)
class Node:
    """One server of a pair: SQL as the drill's role, and the login that owns its files.

    `data` is its data directory; none where the login's PGDATA says it. `unit` is its systemd unit; none
    where pg_ctl starts and stops it.
    """

    name: str
    region: str
    server: Server
    shell: Shell
    data: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Pair:
    """A database with its standby. `primary` and `standby` are what they are in normal times.

    `endpoint` is what clients connect to.
    """

    name: str
    primary: Node
    standby: Node
    endpoint: Server

    @property
    def nodes(self) -> tuple[Node, Node]:
        return self.primary, self.standby

    def replacing(self, node: Node, by: Node) -> Pair:
        """The same pair with one of the two as it is known better now."""
        return replace(self, primary=by) if node is self.primary else replace(self, standby=by)

    def other(self, node: Node) -> Node:
        """The other one of the two."""
        return self.standby if node is self.primary else self.primary


@dataclass(frozen=True)
class Seen:
    """What a server looked like a moment ago. `follows` is whether it streams from the other one.

    `timeline` is that of what it replays or writes now, never the last checkpoint's: after a promotion
    that one still shows the old timeline until the next checkpoint. `lsn` is the last position written,
    or replayed on a standby.
    """

    node: str
    role: Role
    follows: bool = False
    timeline: int | None = None
    lsn: int | None = None
    said: str = ""

    @property
    def takes_writes(self) -> bool:
        return self.role == "primary"

    @property
    def text(self) -> str:
        """For a message: `orders-standby is a standby that follows nobody`."""
        if self.role == "standby":
            return f"{self.node} is a standby that {'streams from the other' if self.follows else 'follows nobody'}"
        words = {
            "primary": "is a primary and takes writes",
            "starting": "is starting up",
            "stopped": "is stopped",
            "unreachable": "does not answer",
        }
        return f"{self.node} {words[self.role]}{f' ({self.said})' if self.said else ''}"


def state(primary: Seen, standby: Seen) -> State:
    """Which state two servers are in, from what each looked like."""
    roles = primary.role, standby.role
    if roles == ("primary", "primary"):
        return "split_brain"
    if "unreachable" in roles or "starting" in roles:
        return "unknown"
    if roles == ("primary", "standby"):
        return "normal"
    if roles == ("standby", "primary"):
        return "failed_over"
    table: dict[tuple[Role, Role], State] = {
        ("primary", "stopped"): "alone",
        ("stopped", "standby"): "fenced",
        ("stopped", "primary"): "promoted",
        ("standby", "stopped"): "no_primary",
        ("standby", "standby"): "no_primary",
        ("stopped", "stopped"): "down",
    }
    return table[roles]


def going_back_is_free(now: State) -> bool:
    """Whether the old primary can simply take writes again: until the standby is promoted.

    With both stopped, or both standbys, nobody can tell from their roles which one wrote last.
    """
    return now in ("normal", "alone", "fenced")
