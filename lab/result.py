"""A run record, as a person reads it in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from rich.table import Table

from day2 import units
from lab.say import console, say

Measures = dict[str, dict[str, Any]]
Figure = Callable[[Measures], str]
WORDS = ("Target", "Outcome", "What came of it", "Recovery point", "Engine", "Strategy", "Redundancy", "Why")
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
    figures = FIGURES.get(record["operation"], BACKUP)
    for column in ("Target", "Outcome", *figures, "Checks passed"):
        table.add_column(column, no_wrap=column == "Recovery point", justify="left" if column in WORDS else "right")
    for target in record["targets"]["resolved"]:
        measures = record["measures"].get(target, {})
        outcome = next((each for each in OUTCOMES if target in record["targets"][each]), "unknown")
        told = (figure(measures) for figure in figures.values())
        table.add_row(target, outcome, *(each or "–" for each in told), _checks_passed(record, target))
    return table


def _told(step: str, key: str, form: Callable[[Any], str] = str) -> Figure:
    """A measure of a step, in words; nothing where it was not measured."""

    def figure(measures: Measures) -> str:
        value = measures.get(step, {}).get(key)
        return "" if value is None else form(value)

    return figure


def _tables_equal(measures: Measures) -> str:
    test = measures.get("restore_test", {})
    return f"{test['tables_equal']} of {test['tables_expected']}" if "tables_equal" in test else ""


def _strategy(measures: Measures) -> str:
    """A rebuild comes from a recovery point, a failover from the standby."""
    promoted = measures.get("promote")
    if promoted is None:
        return ""
    return f"rebuild of {promoted['point']}" if "point" in promoted else "failover"


def _failback(measures: Measures) -> str:
    """How long clients could not write when it went home, and how the old primary was taken back."""
    back, rejoined = measures.get("switch_back", {}), measures.get("rejoin", {})
    if back.get("needed") is False:
        return "not needed"
    outage = back.get("outage_seconds")
    means = f" ({rejoined['means']})" if rejoined.get("means") else ""
    return "" if outage is None else f"{units.duration(outage)}{means}"


def _redundancy(measures: Measures) -> str:
    back = measures.get("switch_back", {})
    restored = back.get("redundant", back.get("streams"))
    return "" if restored is None else "restored" if restored else "LOST"


def _yes(key: str, *steps: str) -> Figure:
    """Yes or no, as the last of these steps that measured it says."""

    def figure(measures: Measures) -> str:
        found = [measures[step][key] for step in steps if measures.get(step, {}).get(key) is not None]
        return ("yes" if found[-1] else "NO" if key == "healthy" else "no") if found else ""

    return figure


def _took(measures: Measures) -> str:
    seconds = measures.get("patch", {}).get("seconds")
    return units.duration(sum(seconds.values())) if seconds else ""


def _cost(side: str) -> Figure:
    """What one call of a change's statements cost before it, or with it; with it only where it was kept."""

    def figure(measures: Measures) -> str:
        tried = measures.get("tune", {})
        if side == "after" and tried.get("outcome") != "kept":
            return ""
        unit = {"ms": "ms", "blocks": "blocks"}
        return ", ".join(f"{each[side]:.4g} {unit[each['metric']]}" for each in tried.get("effects", []))

    return figure


def _checks_passed(record: dict[str, Any], target: str) -> str:
    prefixes = (f"{target} ", f"{target}/")
    own = [each["passed"] for each in record["checks"] if f"{each['target']} ".startswith(prefixes)]
    return f"{sum(own)} of {len(own)}"


BACKUP: dict[str, Figure] = {
    "Recovery point": _told("back_up", "point"),
    "Engine": _told("back_up", "engine"),
    "Source": _told("back_up", "source_bytes", units.size),
    "Stored": _told("back_up", "stored_bytes", units.size),
    "Backed up in": _told("back_up", "seconds", units.duration),
    "Restored in": _told("restore_test", "restore_seconds", units.duration),
    "Tables equal": _tables_equal,
}
DRILL: dict[str, Figure] = {
    "Strategy": _strategy,
    "RTO": _told("verify", "rto_seconds", units.duration),
    "RPO": _told("verify", "rpo_seconds", units.duration),
    "Lost": _told("verify", "lost"),
    "Failback": _failback,
    "Redundancy": _redundancy,
}


PATCHING: dict[str, Figure] = {
    "Packages": _told("patch", "packages"),
    "Took": _took,
    "Rebooted": _yes("rebooted", "patch"),
    "Rolled back": _yes("rolled_back", "roll_back", "clear_up"),
    "Healthy": _yes("healthy", "patch", "roll_back", "clear_up"),
}
TUNING: dict[str, Figure] = {
    "What came of it": _told("tune", "outcome"),
    "A call cost": _cost("before"),
    "and costs": _cost("after"),
}
HEALTH: dict[str, Figure] = {
    "Looked at": _told("look", "targets"),
    "Samples": _told("look", "samples"),
    "Without an answer": _told("look", "gaps", lambda gaps: str(len(gaps))),
    "Changes of level": _told("look", "changes"),
}
ALERTS: dict[str, Figure] = {"What came of it": _told("send", "wrong", lambda wrong: wrong or "seen to arrive")}
SCALING: dict[str, Figure] = {
    "Size before": _told("scale", "before"),
    "Size now": _told("scale", "present"),
    "Why": _told("scale", "why"),
}
FIGURES = {
    "alert_drill": ALERTS,
    "dr_drill": DRILL,
    "health_check": HEALTH,
    "performance_tuning": TUNING,
    "scale_resource": SCALING,
    "security_patching": PATCHING,
}


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
