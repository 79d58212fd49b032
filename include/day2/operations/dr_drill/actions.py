"""Corrective actions: what somebody has to mend by when, open until somebody says how it was mended. Pure.

An action lives in the ledger: `corrective_action` opens it, and is written again, with the same id and due
date, by each later drill that finds the same gap. `corrective_action_closed` ends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from day2.errors import PlanRefused
from day2.ledger.store import Entry

Severity = Literal["critical", "warning"]
OPENED, CLOSED = "corrective_action", "corrective_action_closed"
SHORTEST_NOTE = 3


@dataclass(frozen=True)
class Gap:
    """Something that is not as it should be. `name` is the same each time the same thing is found."""

    target: str
    name: str
    text: str
    severity: Severity = "critical"


@dataclass(frozen=True, kw_only=True)
class Action:
    """A gap with an owner and a due date. `seen` counts the drills that found it; `note` says how it was closed."""

    id: str
    environment: str
    target: str
    gap: str
    text: str
    owner: str
    due: date
    severity: Severity
    seen: int = 1
    opened: str = ""
    closed: str = ""
    closed_by: str = ""
    note: str = ""

    def __str__(self) -> str:
        carried = f", found by {self.seen} drills" if self.seen > 1 else ""
        return f"{self.id} {self.target or 'the run'}: {self.text} ({self.owner}, due {self.due}{carried})"

    @property
    def is_open(self) -> bool:
        return not self.closed

    def is_overdue(self, today: date) -> bool:
        return self.is_open and today > self.due

    def state(self, today: date) -> str:
        """In a word or two, for a list."""
        if self.closed:
            return f"closed {self.closed[:10]}"
        return f"OVERDUE by {(today - self.due).days} days" if self.is_overdue(today) else "open"

    def body(self, attempt: int) -> dict[str, Any]:
        """Its ledger entry."""
        names = ("id", "environment", "target", "gap", "text", "owner", "severity", "seen")
        return {"attempt": attempt} | {name: getattr(self, name) for name in names} | {"due": self.due.isoformat()}


def opened(gap: Gap, *, environment: str, run: str, owner: str, due: date) -> Action:
    """A new action for a gap."""
    return Action(
        id=identifier(environment, gap, run),
        environment=environment,
        target=gap.target,
        gap=gap.name,
        text=gap.text,
        owner=owner,
        due=due,
        severity=gap.severity,
    )


def carried(new: Iterable[Action], known: Iterable[Action]) -> list[Action]:
    """The new actions, each replaced by the one that is open for the same gap already: same id, seen once more."""
    still = {(each.environment, each.target, each.gap): each for each in known if each.is_open}
    return [_again(still.get((each.environment, each.target, each.gap)), each) for each in new]


def every(entries: Iterable[Entry]) -> list[Action]:
    """All actions that ledger entries tell of, open and closed, in the order they were opened."""
    told: dict[str, Action] = {}
    runs: dict[str, set[str]] = {}
    for entry in entries:
        if entry.kind == OPENED:
            runs.setdefault(entry.body["id"], set()).add(entry.run)
            told[entry.body["id"]] = _told(entry, told.get(entry.body["id"]), len(runs[entry.body["id"]]))
        elif entry.kind == CLOSED and (action := told.get(entry.body["id"])):
            names = {"closed": entry.body["when"], "closed_by": entry.body["who"], "note": entry.body["note"]}
            told[action.id] = replace(action, **names)
    return list(told.values())


def open_actions(entries: Iterable[Entry]) -> list[Action]:
    """Those still open, the soonest due first."""
    return sorted((each for each in every(entries) if each.is_open), key=lambda each: (each.due, each.id))


def closing(action: Action, *, who: str, when: str, note: str) -> dict[str, Any]:
    """The entry that closes an action. Raises PlanRefused without a note, and for one that is closed."""
    if not action.is_open:
        raise PlanRefused(
            f"was closed on {action.closed[:10]} by {action.closed_by}: {action.note}",
            target=action.id,
            left="nothing was written",
        )
    if len(note.strip()) < SHORTEST_NOTE:
        raise PlanRefused(
            "closing an action needs a note: what was done, and how is it known to help?",
            target=action.id,
            left="the action stays open",
            next_step="say it with --note",
        )
    return {"id": action.id, "who": who, "when": when, "note": note.strip()}


def identifier(environment: str, gap: Gap, run: str) -> str:
    """Short enough to type, the same for the same gap of the same run."""
    text = "\0".join((environment, gap.target, gap.name, run))
    return f"CA-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _told(entry: Entry, before: Action | None, seen: int) -> Action:
    body = entry.body
    names = ("id", "environment", "target", "gap", "text", "owner", "severity")
    opened = before.opened if before else entry.recorded_at
    values = {name: body[name] for name in names}
    return Action(**values, due=date.fromisoformat(body["due"]), seen=seen, opened=opened)


def _again(known: Action | None, new: Action) -> Action:
    return replace(known, text=new.text, severity=new.severity, seen=known.seen + 1) if known else new
