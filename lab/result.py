"""A run record, as a person reads it in a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.table import Table

from day2 import units
from lab.say import console, say

OUTCOMES = ("succeeded", "failed", "not_attempted", "not_applicable")


def show_record(record: dict[str, Any]) -> None:
    """Targets, where the recovery points are, what was checked, and the verdict."""
    say("")
    console.print(targets(record))
    _say_artefacts(record["artefacts"])
    _say_checks(record["checks"])
    style = "bold green" if record["verdict"] == "PASSED" else "bold red"
    say(f"Verdict: {record['verdict']}  {record['reason'] or ''}".rstrip(), style=style)


def targets(record: dict[str, Any]) -> Table:
    """One row a target. What an operation did not measure stays empty."""
    table = Table(title=f"{record['dag_id']} · {record['run_id']}")
    for column in ("Target", "Outcome", "Recovery point", "Engine"):
        table.add_column(column, no_wrap=column == "Recovery point")
    for column in ("Source", "Stored", "Backed up in", "Restored in", "Tables equal", "Checks passed"):
        table.add_column(column, justify="right")
    for target in record["targets"]["resolved"]:
        table.add_row(target, *_row(record, target))
    return table


def _row(record: dict[str, Any], target: str) -> list[str]:
    measures = record["measures"].get(target, {})
    backup, test = measures.get("back_up", {}), measures.get("restore_test", {})
    prefixes = (f"{target} ", f"{target}/")
    own = [each["passed"] for each in record["checks"] if f"{each['target']} ".startswith(prefixes)]
    return [
        next((each for each in OUTCOMES if target in record["targets"][each]), "unknown"),
        backup.get("point", "–"),
        backup.get("engine", "–"),
        units.size(backup["source_bytes"]) if "source_bytes" in backup else "–",
        units.size(backup["stored_bytes"]) if "stored_bytes" in backup else "–",
        units.duration(backup["seconds"]) if "seconds" in backup else "–",
        units.duration(test["restore_seconds"]) if "restore_seconds" in test else "–",
        f"{test['tables_equal']} of {test['tables_expected']}" if "tables_equal" in test else "–",
        f"{sum(own)} of {len(own)}",
    ]


def _say_artefacts(artefacts: list[dict[str, Any]]) -> None:
    for each in artefacts:
        until = each.get("retain_until")
        locked = f"locked until {until[:16]}Z" if until else ""
        say(f"  {units.size(each['size']):>9}  sha256 {each['sha256'][:10]}…  {each['uri']}  {locked}".rstrip())


def _say_checks(checks: list[dict[str, Any]]) -> None:
    """Each check once with how often it passed, those that only ask whether something was measured in one line."""
    told = [check for check in checks if not check["id"].startswith("measured.")]
    asked, passed = (
        Counter(check["name"] for check in told),
        Counter(check["name"] for check in told if check["passed"]),
    )
    say("What was checked:", style="bold")
    for name, count in asked.items():
        good = passed[name] == count
        say(f"  {'✓' if good else '✗'} {passed[name]:>3} of {count:<3} {name}", style="green" if good else "red")
    say(f"  and {len(checks) - len(told)} that nothing these checks rest on was left unmeasured")
    for check in checks:
        if not check["passed"]:
            say(f"  ✗ {check['target']}: {check['name']} ({check['severity']})", style="red")
            say(f"      observed {check['observed']}, expected {check['expected']}", style="red")
