"""Expected failures, told the way an on-call engineer needs them.

Day2Error
├── InventoryError    an environment file is wrong
├── PlanRefused       the run may not start; nothing was touched
├── LeaseHeld         another run holds a target
├── StepFailed        something was attempted and did not work
│   └── Corrupt       stored bytes are not what was written
└── Unavailable       a server we need does not answer; trying again may help
"""

from __future__ import annotations


class Day2Error(Exception):
    """What happened, to what, what state is left behind and what to do next.

    `transient` says whether a retry without a person can help. `runbook` is the section of the
    operation's runbook to open.
    """

    transient = False

    def __init__(
        self, happened: str, *, target: str = "", left: str = "", next_step: str = "", runbook: str = ""
    ) -> None:
        super().__init__(happened, target, left, next_step, runbook)
        self.happened = happened
        self.target = target
        self.left = left
        self.next_step = next_step
        self.runbook = runbook

    def __str__(self) -> str:
        parts = [f"{self.target}: {self.happened}" if self.target else self.happened]
        if self.left:
            parts.append(f"Left behind: {self.left}")
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        if self.runbook:
            parts.append(f"Runbook: {self.runbook}")
        return " · ".join(part.rstrip(".") for part in parts) + "."

    def as_dict(self) -> dict[str, str]:
        """The same, for a ledger entry."""
        return {
            "type": type(self).__name__,
            "happened": self.happened,
            "target": self.target,
            "left": self.left,
            "next_step": self.next_step,
            "runbook": self.runbook,
        }


class InventoryError(Day2Error):
    """An environment file, or something it refers to, is wrong."""


class PlanRefused(Day2Error):
    """The run may not start. Nothing was touched."""


class LeaseHeld(Day2Error):
    """Another run holds a lease on a target."""

    transient = True


class StepFailed(Day2Error):
    """A step was attempted and did not work."""


class Corrupt(StepFailed):
    """Stored bytes are not the bytes that were written."""


class Unavailable(Day2Error):
    """A server we need does not answer, or answers with an error of its own."""

    transient = True
