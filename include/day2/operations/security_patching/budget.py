"""The disruption budget: how many hosts may be out of service at once. Pure.

A host counts from the start of its drain to the end of what follows its patch. One that failed, or that
did not answer when the run was planned, keeps counting: nobody may rely on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

HostState = Literal[
    "waiting",  # not begun
    "busy",  # between the start of its drain and the end of its last step
    "succeeded",
    "failed",  # also: rolled back, or left drained
    "blocked",  # was not fit to be patched when the run was planned: counts, but says nothing about the patch
    "not_attempted",
]
OUT = frozenset({"busy", "failed", "blocked"})
LOST = frozenset({"failed", "blocked"})


def allowed(budget: str, hosts: int) -> int:
    """The hosts a budget lets out at once: `2`, or a share such as `10%`, rounded down but never to none."""
    if budget.endswith("%"):
        return min(hosts, max(1, hosts * int(budget[:-1]) // 100))
    return min(hosts, int(budget))


def out(states: Mapping[str, HostState], hosts: Iterable[str]) -> list[str]:
    """Those of these hosts that use up budget now."""
    return [each for each in hosts if states.get(each) in OUT]


def lost(states: Mapping[str, HostState], hosts: Iterable[str]) -> list[str]:
    """Those that use it up for the rest of the run."""
    return [each for each in hosts if states.get(each) in LOST]
