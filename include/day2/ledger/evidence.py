"""Read a run's entries as one story: what was planned, tried, checked. Pure.

A new plan opens a new chapter: what an earlier plan's attempts did is still told, and proves nothing for
this one. Within a chapter a cleared task's new try replaces its old one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from day2.ledger.store import Entry
from day2.ledger.verdict import Step, covers

# The entry that a step must leave. A refusal of the step counts until this entry comes.
LEAVES: dict[str, Step] = {"plan": "plan", "approval": "approve", "lock": "lock", "checks": "validate"}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A run's entries, sorted by what they say. `steps` are all the run's, `tries` those of its last plan."""

    plan: dict[str, Any] | None
    refusal: dict[str, Any] | None  # the one that still stands
    refusals: list[dict[str, Any]]
    approvals: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    tries: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    lock: dict[str, Any] | None
    left_by: frozenset[Step]
    derived_from: dict[str, Any] | None

    @property
    def measures(self) -> dict[str, dict[str, Any]]:
        """What was measured, by target and step; the last try that measured counts."""
        told: dict[str, dict[str, Any]] = {}
        for each in self.tries:
            if each["measures"]:
                told.setdefault(each["target"], {})[each["step"]] = each["measures"]
        return told

    @property
    def artefacts(self) -> list[dict[str, Any]]:
        """Everything the tries left in storage, with who left it; and what was made of the run as a whole."""
        whose = [({"step": each["step"], "target": each["target"]}, each["artefacts"]) for each in self.tries]
        whose += [({"step": each["step"], "target": ""}, each["artefacts"]) for each in self.kept]
        return [owner | artefact for owner, artefacts in whose for artefact in artefacts]


def gather(entries: Sequence[Entry]) -> Evidence:
    """Sort the entries of one run, which come in the order of the ledger."""
    chapter = entries[_last_planning(entries) :]
    steps = _steps(entries)
    tries = [each for each in steps if each["evidence"]["seq"] >= (chapter[0].seq if chapter else 0)]
    checks, all_fresh = _checks(chapter, tries)
    left_by = {LEAVES[entry.kind] for entry in chapter if entry.kind in LEAVES}
    return Evidence(
        plan=next((entry.body for entry in chapter if entry.kind == "plan"), None),
        refusal=_standing(chapter),
        refusals=[entry.body for entry in entries if entry.kind == "refusal"],
        approvals=[entry.body for entry in chapter if entry.kind == "approval"],
        steps=steps,
        tries=tries,
        checks=checks,
        kept=[entry.body for entry in chapter if entry.kind == "evidence"],
        lock=_lock(chapter),
        left_by=frozenset(left_by if all_fresh else left_by - {"validate"}),
        derived_from=_derived_from(entries),
    )


def _last_planning(entries: Sequence[Entry]) -> int:
    planning = [index for index, entry in enumerate(entries) if entry.kind == "plan" or _refused(entry) == "plan"]
    return planning[-1] if planning else 0


def _refused(entry: Entry) -> str | None:
    return str(entry.body["step"]) if entry.kind == "refusal" else None


def _standing(chapter: Sequence[Entry]) -> dict[str, Any] | None:
    """The last refusal whose step did not succeed later (a lock that was waited for)."""
    standing: dict[str, Entry] = {}
    for entry in chapter:
        if step := _refused(entry):
            standing[step] = entry
        else:
            standing.pop(LEAVES.get(entry.kind) or str(entry.body.get("step")), None)
    return max(standing.values(), key=lambda entry: entry.seq).body if standing else None


def _steps(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One row a try, in the order they began. An intent that no outcome followed is interrupted."""
    rows: list[dict[str, Any]] = []
    begun: dict[tuple[Any, ...], dict[str, Any]] = {}
    for entry in entries:
        if entry.kind not in ("intent", "outcome"):
            continue
        key = tuple(entry.body[name] for name in ("attempt", "step", "target", "try"))
        row = begun.pop(key, None) if entry.kind == "outcome" else None
        if row is None:
            row = _begun(entry)
            rows.append(row)
        if entry.kind == "intent":
            begun[key] = row
        else:
            names = ("outcome", "ended", "error", "measures", "artefacts", "left")
            row |= {name: entry.body[name] for name in names}
            row["evidence"] |= {"outcome_seq": entry.seq, "hash": entry.hash}
    return rows


def _begun(entry: Entry) -> dict[str, Any]:
    names = ("attempt", "step", "target", "try", "started")
    return {name: entry.body[name] for name in names} | {
        "host": entry.body.get("host"),
        "ended": None,
        "outcome": "interrupted",
        "error": None,
        "measures": {},
        "artefacts": [],
        "left": "unknown: the worker ended before it could tell",
        "evidence": {"seq": entry.seq, "outcome_seq": None, "hash": entry.hash},
    }


def _checks(chapter: Sequence[Entry], tries: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """The newest of each check, as far as it still counts; and whether none of them is out of date."""
    newest: dict[tuple[str, str, str], tuple[Entry, dict[str, Any]]] = {}
    for entry in chapter:
        for check in entry.body["checks"] if entry.kind == "checks" else ():
            newest[entry.body["suite"], check["target"], check["id"]] = (entry, check)
    counting = [
        {"suite": entry.body["suite"], "evidence": {"seq": entry.seq, "hash": entry.hash}, **check}
        for entry, check in newest.values()
        if not _outdated(entry.seq, check["target"], tries)
    ]
    return counting, len(counting) == len(newest)


def _outdated(seq: int, checked: str, tries: Sequence[dict[str, Any]]) -> bool:
    """Whether a step that had acted on the checked target acted on it again since."""
    began = [(each["step"], each["evidence"]["seq"]) for each in tries if covers(each["target"], checked)]
    return bool({step for step, at in began if at < seq} & {step for step, at in began if at > seq})


def _lock(chapter: Sequence[Entry]) -> dict[str, Any] | None:
    locks = [entry for entry in chapter if entry.kind == "lock"]
    if not locks:
        return None
    names = ("targets", "ttl_seconds", "taken_over")
    released = any(entry.kind == "unlock" and entry.seq > locks[-1].seq for entry in chapter)
    return {name: locks[-1].body[name] for name in names} | {"released": released}


def _derived_from(entries: Sequence[Entry]) -> dict[str, Any] | None:
    if not entries:
        return None
    last = entries[-1]
    return {"entries": len(entries), "first_seq": entries[0].seq, "last_seq": last.seq, "last_hash": last.hash}
