"""What earlier runs gained, in the ledger for years: the changes that were kept, and what each saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from day2.ledger import Ledger
from day2.operations.performance_tuning.model import Advice
from day2.operations.performance_tuning.story import Kept, advice

GAINED, LOOKED = "tuning_gain", "tuning_look"


def gains(ledger: Ledger, environment: str) -> tuple[Kept, ...]:
    """Every change that a run of this environment kept, oldest first."""
    bodies = (each.body for each in ledger.entries(kind=GAINED) if each.body["environment"] == environment)
    return tuple(Kept(**each) for body in bodies for each in body["kept"])


def gain(environment: str, kept: Sequence[Kept], *, attempt: int) -> dict[str, Any]:
    """The body of a run's entry."""
    return {"attempt": attempt, "environment": environment, "kept": [each.as_dict() for each in kept]}


def looked(environment: str, found: Advice, *, attempt: int) -> dict[str, Any]:
    """The body of the entry that the next run compares with: what became slower, what was changed by hand."""
    return {"attempt": attempt, "environment": environment, "advice": found.as_dict()}


def last_look(ledger: Ledger, environment: str, database: str) -> Advice | None:
    """What the last run that looked at this database saw; none if no run did."""
    found = None
    for each in ledger.entries(kind=LOOKED):
        if each.body["environment"] == environment and each.body["advice"]["database"] == database:
            found = each.body["advice"]
    return advice(found) if found else None
