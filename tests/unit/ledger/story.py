"""A run's entries without a database: the bodies are checked as the ledger checks them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from day2.ledger import entries
from day2.ledger.record import RunInfo
from day2.ledger.store import Entry

RUN = "database_backup.production/manual__1"
AT = "2026-11-23T02:00:00.000000Z"


class Story:
    """Tell what a run wrote, entry by entry."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.attempt = 1

    def tell(self, kind: str, /, **body: Any) -> Story:
        body = {"attempt": self.attempt} | body
        entries.check(kind, body)
        seq = len(self.entries) + 1
        self.entries.append(Entry(seq, AT, kind, RUN, body, "0" * 64, hashlib.sha256(b"%d" % seq).hexdigest()))
        return self

    def plan(self, *targets: str | dict[str, Any], **changed: Any) -> Story:
        return self.tell("plan", **plan_body(*targets) | changed)

    def approval(self, decision: str = "approved") -> Story:
        who = {"kind": "person", "who": "approver", "when": AT, "comment": None, "policy": "1 of 2"}
        return self.tell("approval", plan_digest="d1", decision=decision, **who)

    def lock(self, *targets: str) -> Story:
        return self.tell("lock", targets=list(targets), ttl_seconds=60, taken_over=[])

    def refusal(self, step: str) -> Story:
        error = {
            "type": "PlanRefused",
            "happened": "no",
            "target": "orders",
            "left": "",
            "next_step": "",
            "runbook": "",
        }
        return self.tell("refusal", step=step, error=error)

    def intent(self, target: str, number: int = 1, step: str = "backup") -> Story:
        who = {"step": step, "target": target, "try": number}
        return self.tell("intent", **who, host="worker", pid=1, started=AT)

    def outcome(self, target: str, number: int = 1, **changed: Any) -> Story:
        who = {"step": "backup", "target": target, "try": number, "started": AT, "ended": AT}
        what: dict[str, Any] = {
            "outcome": "succeeded",
            "error": None,
            "measures": {"bytes": 5},
            "artefacts": [],
            "left": "",
        }
        return self.tell("outcome", **who | what | changed)

    def acted(self, target: str, number: int = 1, **changed: Any) -> Story:
        return self.intent(target, number, changed.get("step", "backup")).outcome(target, number, **changed)

    def checks(self, *targets: str, passed: bool = True, suite: str = "backup") -> Story:
        detail = {"id": "c", "name": "restored", "expected": 1, "observed": 1, "severity": "critical", "error": None}
        checks = [{"target": target, "passed": passed, **detail} for target in targets]
        return self.tell("checks", suite=suite, passed=passed, checks=checks)

    def cleared(self) -> Story:
        """A person cleared the run, or tasks of it."""
        self.attempt += 1
        return self

    @property
    def info(self) -> RunInfo:
        dag_id, run_id = RUN.split("/")
        return RunInfo(
            dag_id=dag_id,
            run_id=run_id,
            attempt=self.attempt,
            operation="database_backup",
            environment="production",
            act_steps=("backup",),
            started=datetime(2026, 11, 23, 2, tzinfo=UTC),
            ended=datetime(2026, 11, 23, 3, tzinfo=UTC),
        )


def plan_body(*targets: str | dict[str, Any]) -> dict[str, Any]:
    """A whole plan for these targets."""
    dag_id, run_id = RUN.split("/")
    return {
        "schema": 1,
        "operation": "database_backup",
        "environment": "production",
        "dag_id": dag_id,
        "run_id": run_id,
        "digest": "d1",
        "change": "standard",
        "dry_run": False,
        "trigger": {"type": "manual", "user": "operator", "reason": "because", "ticket": None},
        "params": {"targets": []},
        "targets": [{"name": each} if isinstance(each, str) else each for each in targets],
        "impact": {},
        "policy_hash": "p1",
        "code_commit": "abc",
        "tz": "Europe/Berlin",
        "slot_expected": None,
    }
