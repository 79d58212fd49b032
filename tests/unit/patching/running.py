"""A real plan over the ten hosts of `making`, and tries as the ledger tells them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from day2.operations.security_patching import planning
from tests.unit.patching.making import NOW, SET, environment, request, scan, seen


def planned(blocked: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    """The plan of a run over every host; those of `blocked` were not fit, and why."""
    made = environment(**changes)
    unfit = blocked or {}
    scans = {each.name: scan(each.name) for each in made.hosts if each.name not in unfit}
    found = seen(made, scans=scans, unreachable=unfit)
    return planning.make(request(made), found, SET, now=NOW)


def tried(target: str, step: str = "patch", **told: Any) -> dict[str, Any]:
    """One try, as `evidence.gather` tells it. `minute` is when it ended, `back` what a rollback measured."""
    outcome, minute = told.get("outcome", "succeeded"), told.get("minute", 1)
    measures = dict(told.get("measures", {})) | ({"rolled_back": told["back"]} if "back" in told else {})
    interrupted = outcome == "interrupted"
    return {
        "step": step,
        "target": target,
        "attempt": told.get("attempt", 1),
        "outcome": outcome,
        "ended": None if interrupted else (NOW + timedelta(minutes=minute)).isoformat(),
        "error": {"happened": told.get("why", "it failed")} if outcome == "failed" else None,
        "measures": {} if interrupted else measures,
        "left": "unknown: the worker ended before it could tell" if interrupted else "",
    }
