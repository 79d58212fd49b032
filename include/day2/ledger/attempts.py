"""Write down that something is about to be done, and then how it went.

The intent comes first: a worker that is killed leaves an intent without an outcome, and that is a
finding, where silence would look like nothing ever happened.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from day2.errors import Day2Error
from day2.ledger.canonical import printable, timestamp
from day2.ledger.store import Ledger


@dataclass(frozen=True, kw_only=True)
class Act:
    """One try of one step on one target. `run` is `<dag id>/<run id>`; `attempt` counts the run's clears."""

    run: str
    attempt: int
    step: str
    target: str
    try_number: int

    def as_dict(self) -> dict[str, Any]:
        """What an entry about this try says of it."""
        return {"attempt": self.attempt, "step": self.step, "target": self.target, "try": self.try_number}


@dataclass
class Outcome:
    """What the step fills in while it works: written down however it ends."""

    measures: dict[str, Any] = field(default_factory=dict)
    artefacts: list[dict[str, Any]] = field(default_factory=list)
    left: str = ""


@contextmanager
def attempt(ledger: Ledger, act: Act) -> Iterator[Outcome]:
    """Write the intent, let the caller act, write the outcome. Whatever the caller raises goes on."""
    started = _now()
    intent = {"host": socket.gethostname(), "pid": os.getpid(), "started": started}
    ledger.append("intent", run=act.run, body=act.as_dict() | intent)
    outcome = Outcome()
    try:
        yield outcome
    # Also what ends a task from outside (a timeout, a termination): it is the outcome, and it goes on.
    except BaseException as error:
        _write_failure(ledger, act, _body(outcome, started, _told(error, act)), error)
        raise
    ledger.append("outcome", run=act.run, body=act.as_dict() | _body(outcome, started, None))


def _write_failure(ledger: Ledger, act: Act, body: dict[str, Any], error: BaseException) -> None:
    try:
        ledger.append("outcome", run=act.run, body=act.as_dict() | body)
    except Day2Error as refused:
        # The step's own error matters more; the missing outcome shows in the record as interrupted.
        error.add_note(f"The outcome could not be written to the ledger either: {refused}")


def _body(outcome: Outcome, started: str, error: dict[str, str] | None) -> dict[str, Any]:
    return {
        "outcome": "failed" if error else "succeeded",
        "started": started,
        "ended": _now(),
        "error": error,
        "measures": outcome.measures,
        "artefacts": outcome.artefacts,
        "left": outcome.left or (error["left"] if error else ""),
    }


def _told(error: BaseException, act: Act) -> dict[str, str]:
    if isinstance(error, Day2Error):
        told = error.as_dict()
    else:
        told = Day2Error(
            f"{error}" or "no message", left="unknown: this error was not expected", next_step="read the task's log"
        ).as_dict()
    told |= {"type": type(error).__name__, "target": told["target"] or act.target}
    return {key: printable(value) for key, value in told.items()}


def _now() -> str:
    return timestamp(datetime.now(UTC))
