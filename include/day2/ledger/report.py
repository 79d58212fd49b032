"""A run record in words, for a terminal or a log. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from day2.units import duration

WIDTH = 60  # of what was expected and observed


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The record, a line at a time, the verdict first."""
    yield f"{record['verdict']}: {record['reason']}"
    yield ""
    for name, value in _identity(record):
        if value:
            yield f"{name:<12}{value}"
    for title, part in (
        ("Targets", _targets(record)),
        ("Approvals", map(_approval, record["approvals"])),
        ("Refusals", (f"{each['step']}: {each['error']['happened']}" for each in record["refusals"])),
        ("Steps", map(_step, record["steps"])),
        ("Checks", map(_check, record["checks"])),
        ("Measures", _measures(record)),
        ("Artefacts", (f"{each['uri']}  sha256:{each['sha256']}" for each in record["artefacts"])),
        ("Marked by hand", (f"{each['task']}: {each['detail']}" for each in record["overrides"])),
        ("Exceptions", map(_exception, record["exceptions"])),
        ("Simulated", iter(record["simulated"])),
    ):
        rows = list(part)
        if rows:
            yield from ("", f"{title}:", *(f"  {row}" for row in rows))


def summary(record: Mapping[str, Any]) -> Iterator[str]:
    """What on-call wants to know of it, a line at a time, the verdict first."""
    yield f"{record['verdict']}: {record['reason']} (record {record['record_id']})"
    yield from _targets(record)
    yield from map(_step, record["steps"])
    failed = [each for each in record["checks"] if not each["passed"]]
    yield f"checks: {len(record['checks']) - len(failed)} passed, {len(failed)} failed"
    yield from map(_check, failed)
    yield from (f"marked by hand: {each['task']}" for each in record["overrides"])


def _identity(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    trigger = record["trigger"]
    told = {"operation": f"{record['operation']} in {record['environment']}", "run": record["run_id"]}
    yield from told.items()
    yield "attempt", str(record["attempt"])
    yield "slot", record["slot_expected"] or ""
    yield "time", f"{record['started']} to {record['ended']}, {_took(record)}"
    yield "started by", " ".join(filter(None, (trigger["type"], trigger["user"])))
    yield "reason", trigger["reason"] or ""
    yield "ticket", trigger["ticket"] or ""
    yield "plan", record["plan_digest"] or ""
    yield "policy", record["policy_hash"] or ""
    yield "code", record["code_commit"] or ""


def _targets(record: Mapping[str, Any]) -> Iterator[str]:
    for status in ("succeeded", "failed", "not_attempted", "not_applicable"):
        if names := record["targets"][status]:
            yield f"{status}: {', '.join(names)}"


def _approval(approval: Mapping[str, Any]) -> str:
    comment = f": {approval['comment']}" if approval["comment"] else ""
    return f"{approval['decision']} ({approval['kind']}) by {approval['who']} at {approval['when']}{comment}"


def _step(step: Mapping[str, Any]) -> str:
    told = f"{step['step']} {step['target']}, attempt {step['attempt']} try {step['try']}: {step['outcome']}"
    took = f" in {_took(step)}" if step["ended"] else ""
    error = f": {step['error']['happened']}" if step["error"] else ""
    left = f"; left behind: {step['left']}" if step["outcome"] != "succeeded" and step["left"] else ""
    return told + took + error + left


def _check(check: Mapping[str, Any]) -> str:
    sign = "ok    " if check["passed"] else "FAILED"
    seen = f"expected {_short(check['expected'])}, observed {_short(check['observed'])}"
    error = f", could not be evaluated: {check['error']}" if check["error"] else ""
    return f"{sign} {check['target'] or 'run'}: {check['name']} ({check['severity']}): {seen}{error}"


def _measures(record: Mapping[str, Any]) -> Iterator[str]:
    for target, steps in record["measures"].items():
        for step, measures in steps.items():
            yield f"{target} {step}: " + ", ".join(f"{name} {_short(value)}" for name, value in measures.items())


def _exception(exception: Mapping[str, Any]) -> str:
    state = "until" if exception["valid"] else "EXPIRED"
    return f"{exception['target']}: {exception['reason']} ({state} {exception['expiry']})"


def _took(row: Mapping[str, Any]) -> str:
    return duration((datetime.fromisoformat(row["ended"]) - datetime.fromisoformat(row["started"])).total_seconds())


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
