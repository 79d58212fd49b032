"""What earlier runs left in the ledger, for years: what each saw, began, ended, and what it gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from day2.ledger import Entry, Ledger
from day2.operations.performance_tuning import settle
from day2.operations.performance_tuning.model import Advice, Recommendation
from day2.operations.performance_tuning.story import Kept, advice, recommendation

GAINED, LOOKED, NOTED, PUT_OFF, ENDED = "tuning_gain", "tuning_look", "tuning_note", "tuning_put_off", "tuning_end"
BEGINS, DECIDED, STAYS = "apply", "keep", "kept"
# A look has every index in it: those of many years are not read through each time.
COMPARED = timedelta(days=400)


@dataclass(frozen=True)
class Look:
    """What a run saw of a database; `seen` is what changes made by hand are told from."""

    advice: Advice
    seen: Mapping[str, Any]
    seq: int


@dataclass(frozen=True)
class Course:
    """One change as its notes tell it, since it was last begun."""

    run: str
    recommendation: Recommendation
    notes: tuple[tuple[str, Mapping[str, Any]], ...]
    seq: int

    @property
    def unfinished(self) -> bool:
        """Whether nobody wrote down how it ended."""
        return settle.unfinished(self.notes)

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The measures of a change that was kept; none of any other."""
        if self.notes[-1][0] != STAYS:
            return None
        found: Mapping[str, Any] | None = next(
            (facts["result"] for phase, facts in self.notes if phase == DECIDED), None
        )
        return found


def gains(ledger: Ledger, environment: str) -> tuple[Kept, ...]:
    """Every change that a run of this environment kept, oldest first."""
    bodies = (each.body for each in ledger.entries(kind=GAINED) if each.body["environment"] == environment)
    return tuple(Kept(**each) for body in bodies for each in body["kept"])


def gain(environment: str, kept: Sequence[Kept], *, attempt: int) -> dict[str, Any]:
    """The body of a run's entry."""
    return {"attempt": attempt, "environment": environment, "kept": [each.as_dict() for each in kept]}


def looked(environment: str, found: Advice, seen: Mapping[str, Any], *, attempt: int) -> dict[str, Any]:
    """The body of the entry that the next run compares with: what became slower, what was changed by hand."""
    return {"attempt": attempt, "environment": environment, "advice": found.as_dict(), "seen": dict(seen)}


def last_look(ledger: Ledger, environment: str, database: str, *, run: str | None = None) -> Look | None:
    """What the last run, or this one, saw of this database; none if it was not looked at within `COMPARED`."""
    found = None
    for each in ledger.entries(kind=LOOKED, run=run, since=datetime.now(UTC) - COMPARED):
        if each.body["environment"] == environment and each.body["advice"]["database"] == database:
            found = each
    return Look(advice(found.body["advice"]), found.body["seen"], found.seq) if found else None


def note(
    environment: str, database: str, item: Recommendation, step: tuple[str, Mapping[str, Any]], *, attempt: int
) -> dict[str, Any]:
    """The body of the entry before each step that changes something; `step` is its name and what it needs."""
    phase, facts = step
    return _about(environment, database, item, attempt) | {"phase": phase, "facts": dict(facts)}


def courses(ledger: Ledger, environment: str, database: str) -> list[Course]:
    """Every change of a database that was ever begun, as it went last, in the order they began."""
    entries = (each for each in ledger.entries(kind=NOTED) if each.body["environment"] == environment)
    return _courses(each for each in entries if each.body["database"] == database)


def has_ended(ledger: Ledger, run: str, *, attempt: int) -> bool:
    """Whether this attempt of a run was ended: nothing of it may begin another step."""
    return any(each.body["attempt"] == attempt for each in ledger.entries(kind=ENDED, run=run))


def put_off(environment: str, database: str, item: Recommendation, why: str, *, attempt: int) -> dict[str, Any]:
    """The body of the entry of a change that was due, and was left for another run."""
    return _about(environment, database, item, attempt) | {"why": why}


def last_patched(ledger: Ledger, environment: str, host: str, *, since: datetime) -> datetime | None:
    """When a patch run of this environment last changed something on a host; none if not since then."""
    dag = f"security_patching.{environment}/"
    found = None
    for each in ledger.entries(kind="outcome", since=since):
        body = each.body
        if each.run.startswith(dag) and (body["step"], body["target"]) == ("patch", host) and _changed(body):
            found = datetime.fromisoformat(body["ended"])
    return found


def _about(environment: str, database: str, item: Recommendation, attempt: int) -> dict[str, Any]:
    """What every entry about one change says of it."""
    return {
        "attempt": attempt,
        "environment": environment,
        "database": database,
        "key": item.key,
        "recommendation": asdict(item),
    }


def _changed(outcome: Mapping[str, Any]) -> bool:
    """Whether a patch installed something, or began to; a host with nothing to do is as it was."""
    return bool(outcome["measures"].get("packages"))


def _courses(entries: Iterable[Entry]) -> list[Course]:
    """By run and change: a change may be begun again after it ended."""
    found: dict[tuple[str, str], Course] = {}
    for each in entries:
        body = each.body
        key, step = (each.run, body["key"]), (body["phase"], body["facts"])
        known = found.get(key)
        if known is None or body["phase"] == BEGINS:
            found.pop(key, None)
            found[key] = Course(each.run, recommendation(body["recommendation"]), (step,), each.seq)
        else:
            found[key] = Course(known.run, known.recommendation, (*known.notes, step), known.seq)
    return list(found.values())
