"""What every strategy of recovery can do; the graph knows no more of it than this.

`failover` promotes a standby, `restore` restores from the repository. A managed service (RDS, Aurora)
is a further one.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from day2.operations.dr_drill.finding import Finding
from day2.postgres.server import Server

Mode = Literal["drill", "live", "failback"]
Measures = dict[str, Any]

# What each mode does, in this order. `watch` runs beside all of it.
FORWARD = ("declare", "fence", "replay", "promote", "route", "verify")
BACK = ("rejoin", "switch_back")
ACT_STEPS: dict[str, tuple[str, ...]] = {
    "drill": ("watch", *FORWARD, *BACK, "clear_up"),
    "live": ("watch", *FORWARD, "clear_up"),
    "failback": ("watch", "declare", *BACK, "clear_up"),
}


class Strategy(Protocol):
    """One target's way to recover. Each step looks first, and does nothing where its result is there."""

    @property
    def endpoint(self) -> Server:
        """What clients, and the outside probe, connect to."""
        ...

    @property
    def servers(self) -> dict[str, Server]:
        """Every server that could take writes, by name: the outside probe watches that only one does."""
        ...

    def acting(self) -> Server:
        """The server that must take the writes once it is promoted."""
        ...

    def home(self) -> Server | None:
        """The server that takes the writes in normal times, and again after the failback; none if none is touched."""
        ...

    def readiness(self) -> list[Finding]:
        """Everything that must hold before a start. A finding that is red and critical forbids it."""
        ...

    def planned(self) -> Measures:
        """What the plan must say of the target, because it is gone later."""
        ...

    def where(self) -> str:
        """What state every server is in."""
        ...

    def safe_to_abort(self) -> bool:
        """Whether going back is still free."""
        ...

    def by_hand(self) -> list[str]:
        """Commands that finish the job from the state it is in."""
        ...

    def fence(self) -> Measures: ...

    def replay(self) -> Measures: ...

    def promote(self) -> Measures: ...

    def route(self) -> Measures: ...

    def rejoin(self) -> Measures: ...

    def switch_back(self) -> Measures: ...

    def settle(self) -> Measures:
        """After a failure: back to normal where that is free; otherwise nothing, and the state is told."""
        ...

    def clear_up(self) -> Measures:
        """Remove what the drill made and nobody needs; `leftovers` names what is left, having looked."""
        ...
