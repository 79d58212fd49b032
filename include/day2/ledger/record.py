"""The run record: what an auditor gets of a run, derived from the run's own ledger entries alone.

A record never replaces another. When a run is cleared, its next attempt is recorded beside the first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from day2.errors import StepFailed
from day2.ledger import evidence, verdict
from day2.ledger.canonical import timestamp
from day2.ledger.store import Entry, Ledger

SCHEMA = Path(__file__).with_name("run_record.schema.json")
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What the ledger's entries do not say of a run, or might not if its plan was refused."""

    dag_id: str
    run_id: str
    attempt: int
    operation: str
    environment: str
    act_steps: tuple[str, ...]
    started: datetime
    ended: datetime
    tz: str = "UTC"
    slot_expected: str | None = None
    trigger: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    dag_version: str | None = None
    code_commit: str | None = None
    policy_hash: str | None = None
    control_ids: Sequence[str] = ()
    simulated: Sequence[str] = ()
    suppressed_by: str = ""

    @property
    def run(self) -> str:
        """The run as the ledger's entries name it."""
        return f"{self.dag_id}/{self.run_id}"


def build(run: RunInfo, entries: Iterable[Entry], task_states: Mapping[str, str]) -> dict[str, Any]:
    """The record of this attempt of the run. Pure: the same entries give the same record."""
    own = [entry for entry in entries if entry.run == run.run and entry.body.get("attempt", 0) <= run.attempt]
    found = evidence.gather([entry for entry in own if entry.kind != "record"])
    ruling = verdict.decide(_facts(run, found, task_states))
    return _identity(run, found) | _work(found, ruling) | _judgement(run, found, ruling)


def append_record(ledger: Ledger, run: RunInfo, task_states: Mapping[str, str]) -> Entry:
    """Record this attempt of the run, once: a repeated call returns the record that is there."""
    entries = list(ledger.entries(run=run.run))
    for entry in entries:
        if entry.kind == "record" and entry.body["attempt"] == run.attempt:
            return entry
    record = build(run, entries, task_states)
    validate(record)
    return ledger.append("record", run=run.run, body=record)


def so_far(own: Sequence[Entry], plan: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The record of a run's newest attempt, and True; before there is one, what its entries alone say of it."""
    attempt = max(int(entry.body.get("attempt", 1)) for entry in own)
    for entry in reversed(own):
        if entry.kind == "record" and entry.body["attempt"] == attempt:
            return entry.body, True
    started, ended = (datetime.fromisoformat(entry.recorded_at) for entry in (own[0], own[-1]))
    info = RunInfo(
        dag_id=plan["dag_id"],
        run_id=plan["run_id"],
        attempt=attempt,
        operation=plan["operation"],
        environment=plan["environment"],
        act_steps=tuple(plan["act_steps"]),
        started=started,
        ended=ended,
    )
    return build(info, own, {}), False


def validate(record: Mapping[str, Any]) -> None:
    """Check a record against the published schema. Raises StepFailed naming each field that does not fit."""
    problems = sorted(_validator().iter_errors(record), key=lambda each: each.json_path)
    if problems:
        raise StepFailed(
            "; ".join(f"{each.json_path}: {each.message[:200]}" for each in problems[:5]),
            target=str(record.get("record_id", "")),
            left="the run has no record yet; its entries are in the ledger",
            next_step="correct what the task wrote, then clear the step `record`",
        )


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _facts(run: RunInfo, found: evidence.Evidence, task_states: Mapping[str, str]) -> verdict.Facts:
    plan = found.plan or {}
    return verdict.Facts(
        act_steps=run.act_steps,
        targets=tuple(target["name"] for target in plan.get("targets", [])),
        excused=frozenset(each["target"] for each in _exceptions(run, found) if each["valid"]),
        tries=tuple(_try(each) for each in found.tries if each["step"] in run.act_steps),
        checks=tuple(_check(each) for each in found.checks),
        left_by=found.left_by,
        approvals=tuple(
            verdict.Approval(attempt=each["attempt"], decision=each["decision"]) for each in found.approvals
        ),
        task_states=task_states,
        refusal=_told(found.refusal),
        change=plan.get("change", "standard"),
        dry_run=plan.get("dry_run", False),
        suppressed_by=run.suppressed_by,
    )


def _try(step: Mapping[str, Any]) -> verdict.Try:
    return verdict.Try(**{name: step[name] for name in ("step", "target", "attempt", "outcome")})


def _check(check: Mapping[str, Any]) -> verdict.Check:
    # A check that could not be evaluated has not passed, and nobody knows what it would have found.
    error = bool(check["error"])
    critical = check["severity"] == "critical" or error
    return verdict.Check(target=check["target"], passed=check["passed"] and not error, critical=critical)


def _identity(run: RunInfo, found: evidence.Evidence) -> dict[str, Any]:
    plan = found.plan or {}
    trigger = dict.fromkeys(("type", "user", "reason", "ticket")) | dict(plan.get("trigger") or run.trigger)
    return {
        "record_id": f"{run.run}#{run.attempt}",
        "schema_version": SCHEMA_VERSION,
        "operation": run.operation,
        "environment": run.environment,
        "control_ids": list(run.control_ids),
        "run_id": run.run_id,
        "dag_id": run.dag_id,
        "attempt": run.attempt,
        "dag_version": run.dag_version,
        "code_commit": plan.get("code_commit") or run.code_commit,
        "policy_hash": plan.get("policy_hash") or run.policy_hash,
        "plan_digest": plan.get("digest"),
        "change": plan.get("change"),
        "dry_run": plan.get("dry_run", False),
        "trigger": trigger,
        "params": dict(plan.get("params") or run.params),
        "slot_expected": plan.get("slot_expected") or run.slot_expected,
        "started": timestamp(run.started),
        "ended": timestamp(run.ended),
        "tz": plan.get("tz") or run.tz,
        "window": plan.get("window"),
    }


def _work(found: evidence.Evidence, ruling: verdict.Ruling) -> dict[str, Any]:
    requested = (found.plan or {}).get("params", {}).get("targets")
    grouped: dict[str, list[str]] = {"succeeded": [], "failed": [], "not_attempted": [], "not_applicable": []}
    for target, status in ruling.targets.items():
        grouped[status].append(target)
    return {
        "approvals": found.approvals,
        "refusals": found.refusals,
        "targets": {
            "requested": requested if isinstance(requested, list) else [],
            "resolved": list(ruling.targets),
            **grouped,
        },
        "steps": found.steps,
        "checks": found.checks,
        "measures": found.measures,
        "artefacts": found.artefacts,
        "lock": found.lock,
    }


def _judgement(run: RunInfo, found: evidence.Evidence, ruling: verdict.Ruling) -> dict[str, Any]:
    return {
        "verdict": ruling.verdict,
        "reason": ruling.reason,
        "overrides": [{"task": task, "detail": "green without its entry"} for task in ruling.overrides],
        "exceptions": _exceptions(run, found),
        "simulated": list(run.simulated),
        "derived_from": found.derived_from,
    }


def _exceptions(run: RunInfo, found: evidence.Evidence) -> list[dict[str, Any]]:
    """Targets that need nothing. One whose expiry has passed is listed, and needs all again."""
    today = run.started.date().isoformat()
    return [
        {"target": target["name"], **excuse, "valid": excuse["expiry"] >= today}
        for target in (found.plan or {}).get("targets", [])
        if (excuse := target.get("not_applicable"))
    ]


def _told(refusal: Mapping[str, Any] | None) -> str:
    if refusal is None:
        return ""
    error = refusal["error"]
    return f"{refusal['step']} refused: {error['target'] + ': ' if error['target'] else ''}{error['happened']}"
