"""Drills as the ledger tells them, without servers: the bodies are checked as the ledger checks them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from day2.ledger import entries as kinds
from day2.ledger import record
from day2.ledger.canonical import timestamp
from day2.ledger.store import Entry

T0 = datetime(2026, 11, 15, 6, 30, tzinfo=UTC)
NORMAL = "orders is a primary and takes writes; orders-standby is a standby that streams from the other: state normal"
FENCED = "orders is stopped; orders-standby is a standby that follows nobody: state fenced"
PROMOTED = "orders is stopped; orders-standby is a primary and takes writes: state promoted"
BACK = "orders is a standby that streams from the other; orders-standby is a primary: state failed_over"
ACT_STEPS = (
    "watch", "declare", "fence", "replay", "promote", "route", "verify", "rejoin", "switch_back", "clear_up",
)  # fmt: skip
CHARTER = {
    "scenario": "the primary region is lost",
    "scope": ["orders"],
    "roles": {"commander": "Ada Okafor", "communication": "Jo Lindqvist", "observer": "Internal Audit"},
    "abort_criteria": ["a customer is affected", "the standby lags behind after the fence"],
    "objectives": {"orders": {"rto_seconds": 60.0, "rpo_seconds": 5.0}},
    "manual_steps": [],
}
READINESS = [
    {"name": "replication lag", "ok": True, "observed": "0 B", "needed": "at most 30.0 s", "severity": "critical"},
    {"name": "last restore test", "ok": True, "observed": "20261115T021500Z-1f0c passed", "needed": "passed",
     "severity": "critical"},
    {"name": "room for a clone", "ok": True, "observed": "41.2 GB free", "needed": "18.0 GB", "severity": "warning"},
]  # fmt: skip
CHECKS = (
    ("readiness", "everything was ready when the drill began", True, True),
    ("fence_proven", "the old primary was proven to take no writes before the promotion", True, True),
    ("one_primary", "never did two servers take writes", 0, 0),
    ("rto", "recovery took no longer than the RTO", "at most 60", 17.42),
    ("rpo", "no commit older than the RPO was lost", "at most 5", 0.0),
    ("rejoined", "the old primary follows the new one", True, True),
    ("leftovers", "nothing is left behind", 0, 0),
)


class Drill:
    """Tell what a drill of `orders` wrote, step by step, on a clock of its own."""

    def __init__(self, number: int = 1, *, environment: str = "production", at: datetime = T0, seq: int = 0) -> None:
        self.run_id, self.at, self.seq = f"manual__{number}", at, seq
        self.environment = environment
        self.dag_id = f"dr_drill.{environment}"
        self.entries: list[Entry] = []
        self.attempt = 1

    @property
    def run(self) -> str:
        return f"{self.dag_id}/{self.run_id}"

    def wait(self, seconds: float) -> Drill:
        self.at += timedelta(seconds=seconds)
        return self

    def tell(self, kind: str, /, **body: Any) -> Drill:
        if kind != "corrective_action_closed":
            body = {"attempt": self.attempt} | body
        kinds.check(kind, body)
        self.seq += 1
        digest = hashlib.sha256(b"%d" % self.seq).hexdigest()
        self.entries.append(Entry(self.seq, timestamp(self.at), kind, self.run, body, "0" * 64, digest))
        return self

    def plan(self, mode: str = "drill", charter: dict[str, Any] = CHARTER, **changed: Any) -> Drill:
        names = charter["scope"]
        way = {"strategy": "failover", "from": "pg_orders in eu-west-1", "to": "pg_orders_standby in eu-central-1"}
        body = {
            "schema": 1,
            "operation": "dr_drill",
            "environment": self.environment,
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "digest": hashlib.sha256(self.run.encode()).hexdigest(),
            "change": "normal",
            "dry_run": False,
            "trigger": {"type": "manual", "user": "marta", "reason": "semi-annual drill", "ticket": "CHG-20417"},
            "params": {"targets": names, "mode": mode},
            "mode": mode,
            "act_steps": list(ACT_STEPS),
            "charter": charter,
            "targets": [{"name": each, **way} for each in names],
            "impact": {each: {"dependents": ["service/shop"], "readiness": READINESS} for each in names},
            "policy_hash": hashlib.sha256(b"policy").hexdigest(),
            "code_commit": "bf15abd2c1",
            "tz": "Europe/Berlin",
            "slot_expected": None,
        }
        return self.tell("plan", **body | changed)

    def approval(self) -> Drill:
        digest = self.entries[0].body["digest"]
        who = {"kind": "person", "who": "jonas", "when": timestamp(self.at), "comment": "go", "policy": "1 of 2"}
        return self.tell("approval", plan_digest=digest, decision="approved", **who)

    def lock(self) -> Drill:
        return self.tell("lock", targets=["production/database/orders"], ttl_seconds=21600.0, taken_over=[])

    def step(self, name: str, seconds: float, target: str = "orders", *, failed: str = "", **measures: Any) -> Drill:
        """A step that took so long; `failed` is what went wrong."""
        who = {"step": name, "target": target, "try": 1}
        started = self.at
        self.tell("intent", **who, host="worker-1", pid=7, started=timestamp(started))
        self.wait(seconds)
        error = {"type": "StepFailed", "happened": failed, "target": target, "left": measures.get("state", "")}
        body: dict[str, Any] = {
            "outcome": "failed" if failed else "succeeded",
            "started": timestamp(started),
            "ended": timestamp(self.at),
            "error": error | {"next_step": "look", "runbook": ""} if failed else None,
            "measures": {"seconds": seconds} | measures,
            "artefacts": [],
            "left": measures.get("state", ""),
        }
        return self.tell("outcome", **who, **body)

    def manual(self, name: str, seconds: float, result: str = "done") -> Drill:
        asked: dict[str, Any] = {"asked_at": timestamp(self.at), "answered_at": None, "who": "", "result": "asked"}
        self.tell("manual_step", name=name, target="", after="fence", **asked).wait(seconds)
        who = "" if result == "timed_out" else "ines"
        answer = {"asked_at": "", "answered_at": timestamp(self.at), "who": who, "result": result}
        return self.tell("manual_step", name=name, target="", after="fence", **answer)

    def checks(self, **wrong: Any) -> Drill:
        """All checks; those named in `wrong` failed with what was observed."""
        made = [
            {
                "id": name,
                "name": sentence,
                "target": "orders",
                "expected": expected,
                "observed": wrong.get(name, observed),
                "severity": "critical",
                "passed": name not in wrong,
                "error": None,
            }
            for name, sentence, expected, observed in CHECKS
        ]
        return self.tell("checks", suite="dr_drill", passed=not wrong, checks=made)

    def sign_off(self, sha256: str = "0" * 64) -> Drill:
        when = timestamp(self.at)
        return self.tell("sign_off", who="ruth", when=when, decision="signed", comment="seen", scorecard_sha256=sha256)

    def close(self) -> Drill:
        """The run's own record, as the last step of the graph makes it."""
        info = record.RunInfo(
            dag_id=self.dag_id,
            run_id=self.run_id,
            attempt=self.attempt,
            operation="dr_drill",
            environment=self.environment,
            act_steps=ACT_STEPS,
            started=datetime.fromisoformat(self.entries[0].recorded_at),
            ended=self.at,
        )
        made = record.build(info, self.entries, {})
        record.validate(made)
        return self.tell("record", **made)

    def record(self, verdict: str = "PASSED", **verified: Any) -> Drill:
        """A run record with what the trend needs of it."""
        status = "succeeded" if verdict == "PASSED" else "failed"
        nothing: dict[str, list[str]] = {"succeeded": [], "failed": [], "not_attempted": [], "not_applicable": []}
        return self.tell(
            "record", operation="dr_drill", environment=self.environment, dag_id=self.dag_id, run_id=self.run_id,
            verdict=verdict, reason="", started=timestamp(self.at), ended=timestamp(self.at), params={"mode": "drill"},
            targets=nothing | {status: ["orders"]}, measures={"orders": {"verify": verified}},
        )  # fmt: skip


def whole(number: int = 1, *, at: datetime = T0, seq: int = 0, lost: int = 0, **wrong: Any) -> Drill:
    """A drill that went well, as far as no check is named in `wrong`."""
    drill = Drill(number, at=at, seq=seq).plan().wait(41).approval().wait(3).lock().wait(4)
    t0 = drill.at + timedelta(seconds=0.2)
    drill.step("declare", 0.4, declared_at=timestamp(t0), readiness=READINESS, state=NORMAL, safe_to_abort=True)
    fenced = drill.wait(1.7).at
    drill.step("fence", 1.31, proven=True, state=FENCED, safe_to_abort=True)
    told = drill.wait(0.2).at
    drill.manual("tell-the-shop", 5.6)
    drill.wait(1.5).step("replay", 0.22, lag_bytes=0, last_commit_at=timestamp(told), state=FENCED, safe_to_abort=True)
    drill.wait(1.6).step("promote", 0.84, timeline=2, writable=True, state=PROMOTED, safe_to_abort=False)
    drill.wait(1.7).step("route", 0.41, kind="multi_host", simulated=False, state=PROMOTED, safe_to_abort=False)
    first = drill.at + timedelta(seconds=0.3)
    drill.wait(1.6).step("verify", 2.0, **verified(t0, first, lost=lost), state=PROMOTED, safe_to_abort=False)
    drill.wait(61).step("rejoin", 3.4, means="rewind", streams=True, state=BACK, safe_to_abort=False)
    drill.wait(1.6).step("switch_back", 2.9, outage_seconds=0.61, redundant=True, state=NORMAL, safe_to_abort=True)
    drill.wait(1.5).step("clear_up", 0.7, leftovers=[], state=NORMAL, safe_to_abort=True)
    gap = {"from": timestamp(fenced), "to": timestamp(first), "seconds": (first - fenced).total_seconds()}
    seen = {"beats": 431, "acknowledged": 372, "refused": 59, "split_brain": 0, "longest_gap_seconds": gap["seconds"]}
    drill.step("watch", 0.1, **seen, longest_gap=gap, digest=hashlib.sha256(b"samples").hexdigest())
    return drill.wait(8).checks(**wrong).wait(5)


def verified(t0: datetime, first: datetime, *, lost: int) -> dict[str, Any]:
    """What `verify` measures."""
    rto = (first - t0).total_seconds()
    rows = (("declare", 0.2), ("fence", 1.31), ("tell-the-shop", 5.6), ("replay", 0.22), ("promote", 0.84))
    breakdown, at = [], t0
    for step, seconds in (*rows, ("route", 0.41)):
        ended = at + timedelta(seconds=seconds)
        breakdown.append({"step": step, "started": timestamp(at), "ended": timestamp(ended), "seconds": seconds,
                          "clock": "worker-1"})  # fmt: skip
        at = ended + timedelta(seconds=1.5)
    return {
        "rto_seconds": round(rto, 3),
        "rto_without_orchestration": round(sum(each["seconds"] for each in breakdown), 3),
        "first_write_at": timestamp(first),
        "rpo_seconds": 0.0 if not lost else 1.76,
        "lost": lost,
        "acknowledged": 214,
        "recovered": 214 - lost,
        "assertions": [
            {"sql": "select count(*) > 0 from orders", "expect": "true", "observed": "true", "ok": True},
            {"sql": "select count(*) from accounts where balance < 0", "expect": "0", "observed": "0", "ok": True},
        ],
        "health": [
            {"service": "shop", "kind": "sql", "address": "pg_orders", "expected": "1", "observed": "1", "ok": True}
        ],
        "rpo_method": "markers",
        "server": "10.2.0.7:5432, timeline 2, up since 2026-11-01 03:00:00+00",
        "outside_writes": 5,
        "breakdown": breakdown,
    }


def backups(count: int = 12, *, seq: int = 0, growth: float = 0.02, until: datetime = T0) -> list[Entry]:
    """Records of weekly backups of a database that grows by a share a week, each restored and timed."""
    made = Drill(0, seq=seq)
    made.dag_id = "database_backup.production"
    for week in range(count):
        made.run_id, made.at = f"scheduled__{week}", until - timedelta(weeks=count - week)
        amount = round(2.4e9 * (1 + growth * week))
        made.tell(
            "record", operation="database_backup", environment="production", dag_id=made.dag_id, run_id=made.run_id,
            verdict="PASSED", started=timestamp(made.at), params={}, targets={"succeeded": ["orders"], "failed": []},
            measures={
                "orders": {"back_up": {"source_bytes": amount}, "restore_test": {"restore_seconds": amount / 5.1e7}}
            },
        )  # fmt: skip
    return made.entries
