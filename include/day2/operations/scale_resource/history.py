"""What the ledger knows of a resource: when it was changed last, and how much of it is used."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from day2.inventory.scaling import Follows
from day2.ledger import Ledger
from day2.ledger.metrics import Metrics, Series
from day2.operations.scale_resource.planning import OPERATION

CHANGED_AT = "changed_at"


def last_changes(ledger: Ledger, environment: str, *, since: datetime, but_not_of: str = "") -> dict[str, datetime]:
    """When each resource was changed last, by its own entries. `but_not_of` is a run that is not counted.

    A worker that was killed left an intent and no outcome: it may have changed something, so that counts.
    """
    mine = f"{OPERATION}.{environment}/"
    found: dict[str, datetime] = {}
    open_intents: dict[tuple[Any, ...], datetime] = {}

    def note(name: str, at: datetime) -> None:
        found[name] = max(at, found.get(name, at))

    for kind in ("intent", "outcome"):
        for entry in ledger.entries(kind=kind, since=since):
            if not entry.run.startswith(mine) or entry.run == but_not_of:
                continue
            body = entry.body
            key = (entry.run, *(body[name] for name in ("attempt", "step", "target", "try")))
            if kind == "intent":
                open_intents[key] = datetime.fromisoformat(body["started"])
                continue
            open_intents.pop(key, None)
            if at := body["measures"].get(CHANGED_AT):
                note(body["target"], datetime.fromisoformat(at))
    for (_, _, _, target, _), started in open_intents.items():
        note(target, started)
    return found


def used(metrics: Metrics, follows: Follows, *, within: timedelta, now: datetime) -> float | None:
    """The newest measured use, in percent; none if nobody measured it lately: an old value is no value."""
    samples = metrics.read(Series(follows.target, follows.metric, follows.part), now - within, now)
    return samples[-1][1] if samples else None
