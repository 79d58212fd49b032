"""What a drill found wanting, as actions with an owner and a due date, open until somebody closes them.

An action lives in the ledger: `corrective_action` opens it, and is written again, with the same id and due
date, by each later drill that finds the same gap. `corrective_action_closed` ends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

from day2.errors import PlanRefused
from day2.ledger.store import Entry, Ledger
from day2.units import duration

Severity = Literal["critical", "warning"]
OPENED, CLOSED = "corrective_action", "corrective_action_closed"
SHORTEST_NOTE = 3
RANK = {"critical": 0, "warning": 1}


@dataclass(frozen=True)
class Gap:
    """Something that is not as it should be. `name` is the same each time the same thing is found."""

    target: str
    name: str
    text: str
    severity: Severity = "critical"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was promised of a target, who answers for it, and how long an action on it may take."""

    owner: str
    rto_seconds: float
    rpo_seconds: float
    action_due: timedelta


@dataclass(frozen=True, kw_only=True)
class Found:
    """All that a drill's gaps are derived from: checks, measures by target and step, manual steps, last tries."""

    checks: Sequence[Mapping[str, Any]] = ()
    measures: Mapping[str, Mapping[str, Mapping[str, Any]]]
    manual_steps: Sequence[Mapping[str, Any]] = ()
    tries: Sequence[Mapping[str, Any]] = ()


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


def gaps(found: Found, terms: Mapping[str, Terms]) -> list[Gap]:
    """Everything a drill found wanting, the worst first, once a target and thing."""
    told: dict[tuple[str, str], Gap] = {}
    for each in _all(found, terms):
        told.setdefault((each.target, each.name), each)
    return sorted(told.values(), key=lambda each: (RANK[each.severity], each.target, each.name))


def actions(
    wanting: Iterable[Gap], terms: Mapping[str, Terms], *, environment: str, run: str, today: date
) -> list[Action]:
    """A new action for each gap."""
    made = []
    for gap in wanting:
        agreed = terms.get(gap.target) or next(iter(terms.values()))
        made.append(
            Action(
                id=identifier(environment, gap, run),
                environment=environment,
                target=gap.target,
                gap=gap.name,
                text=gap.text,
                owner=agreed.owner,
                due=today + agreed.action_due,
                severity=gap.severity,
            )
        )
    return made


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


def write(ledger: Ledger, new: Iterable[Action], *, run: str, attempt: int) -> list[Action]:
    """Open the actions of a run in the ledger, and carry those that were open before. Safe to repeat."""
    entries = sorted((*ledger.entries(kind=OPENED), *ledger.entries(kind=CLOSED)), key=lambda each: each.seq)
    written = {entry.body["id"] for entry in entries if entry.kind == OPENED and entry.run == run}
    result = carried(new, every(entry for entry in entries if entry.run != run or entry.kind == CLOSED))
    for action in result:
        if action.id not in written:
            ledger.append(OPENED, run=run, body=action.body(attempt))
    return result


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


def _all(found: Found, terms: Mapping[str, Terms]) -> Iterator[Gap]:
    for target, steps in found.measures.items():
        if target in terms:
            yield from _objectives(target, steps.get("verify", {}), terms[target])
            yield from _pair(target, steps)
    yield from _steps(found.tries)
    yield from (_manual(each) for each in found.manual_steps if each["result"] != "done")
    yield from (_check(each, terms) for each in found.checks if not each["passed"])


def _objectives(target: str, verified: Mapping[str, Any], agreed: Terms) -> Iterator[Gap]:
    for name, words, limit in (
        ("rto", "recovery took", agreed.rto_seconds),
        ("rpo", "the newest data lost was committed over", agreed.rpo_seconds),
    ):
        measured = verified.get(f"{name}_seconds")
        if measured is not None and measured > limit:
            text = f"{words} {duration(measured)}, the {name.upper()} is {duration(limit)}"
            yield Gap(target, f"{name}_missed", text)


def _pair(target: str, steps: Mapping[str, Mapping[str, Any]]) -> Iterator[Gap]:
    """What the measures say of the two servers and of the way clients take."""
    watch, route, rejoin, back, clear_up = (
        steps.get(name, {}) for name in ("watch", "route", "rejoin", "switch_back", "clear_up")
    )
    if watch.get("split_brain"):
        yield Gap(target, "split_brain", f"two servers took writes at once, {watch['split_brain']} times")
    if back.get("redundant") is False or ("redundant" not in back and rejoin.get("streams") is False):
        yield Gap(target, "redundancy_lost", "no standby follows the primary after the drill")
    for left in clear_up.get("leftovers") or ():
        yield Gap(target, f"left_behind:{left}", f"left behind: {left}")
    if rejoin.get("means") == "reclone":
        text = "the old primary had to be cloned anew: pg_rewind could not bring it back"
        yield Gap(target, "recloned", text, "warning")
    if route.get("simulated"):
        yield Gap(target, "route_simulated", "the way clients take was simulated: it is not proven", "warning")
    for each in steps.get("declare", {}).get("readiness") or ():
        if not each["ok"]:
            text = f"not ready: {each['name']}: {each['observed']}, needed {each['needed']}"
            severity: Severity = "critical" if each.get("severity") == "critical" else "warning"
            yield Gap(target, f"readiness:{each['name']}", text, severity)


def _steps(tries: Sequence[Mapping[str, Any]]) -> Iterator[Gap]:
    """Steps whose last try did not succeed."""
    last = {(each["target"], each["step"]): each for each in tries}
    for (target, step), each in last.items():
        if each["outcome"] != "succeeded":
            why = each["error"]["happened"] if each["error"] else each["left"]
            yield Gap(target, f"step_failed:{step}", f"the step {step} {each['outcome']}: {why}")


def _manual(step: Mapping[str, Any]) -> Gap:
    how = "nobody answered in time" if step["result"] == "timed_out" else f"{step['who'] or 'somebody'} said it failed"
    return Gap(step["target"], f"manual_step:{step['name']}", f"manual step {step['name']}: {how}")


def _check(check: Mapping[str, Any], terms: Mapping[str, Terms]) -> Gap:
    """A failed check belongs to the target it is a part of (`orders/public.items`)."""
    seen = f"could not be evaluated: {check['error']}" if check["error"] else f"observed {check['observed']}"
    owner = next((each for each in terms if check["target"].startswith((each + "/", each + " "))), check["target"])
    severity: Severity = "critical" if check["severity"] == "critical" or check["error"] else "warning"
    return Gap(owner, f"check:{check['id']}", f"{check['name']}: expected {check['expected']}, {seen}", severity)
