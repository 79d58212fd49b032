"""The fleet's compliance report: one page that needs nothing else, printable, with plots. Pure.

The same values give the same bytes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from day2.operations.security_patching import figures
from day2.operations.security_patching.compliance import STANDINGS, Fleet, Run
from day2.operations.security_patching.sla import RANK, Due
from day2.operations.security_patching.states import BEFORE, Became
from day2.reports import page

TEMPLATE = Path(__file__).with_name("report.html.j2")
SOON = timedelta(days=7)
LISTED = 60
WORST_FIRST = {"late": 0, "unknown": 1, "excused": 2, "in_time": 3, "current": 4}
KINDS = {"late": "bad", "unknown": "warn", "excused": "warn", "in_time": "none", "current": "good"}
STATE_KINDS = {
    "installed": "good",
    "missing": "bad",
    "pending_reboot": "warn",
    "held": "warn",
    "rejected": "none",
    "failed": "bad",
    "rolled_back": "bad",
    "not_attempted": "warn",
    "not_applicable": "none",
}
VERDICTS = {"PASSED": "good", "PARTIAL": "warn", "DRY_RUN": "none", "CANCELLED": "none", "SUPPRESSED": "none"}

# What the last run made of each package, by host, name and architecture.
Last = Mapping[tuple[str, str, str], str]


@dataclass(frozen=True)
class Group:
    """One update, on all the hosts that wait for it and stand alike."""

    first: Due
    hosts: tuple[str, ...]
    oldest_days: int
    why: tuple[str, ...]


def render(fleet: Fleet) -> bytes:
    """The page."""
    due = fleet.due
    late = [each for each in due if each.standing == "late"]
    soon = [each for each in due if each.standing == "in_time" and each.by and each.by - fleet.at <= SOON]
    rows = sorted(fleet.rows, key=lambda each: (WORST_FIRST[each.standing], -each.oldest_days, each.host.name))
    values = {
        "fleet": fleet,
        "summary": fleet.summary,
        "before": fleet.trend[-2] if len(fleet.trend) > 1 else None,
        "verdict": verdict(fleet),
        "late": grouped(late, _last(fleet.run)),
        "soon": grouped(soon, {}),
        "percent": percent,
        "unknown": [each for each in rows if each.standing == "unknown"],
        "rows": rows[:LISTED],
        "more": max(0, len(rows) - LISTED),
        "words": figures.WORDS,
        "colours": figures.COLOURS,
        "kinds": KINDS,
        "state_kinds": STATE_KINDS,
        "standings": STANDINGS,
        "figures": _figures(fleet, due),
        "policy": fleet.environment.policies.security_patching,
        "run": _run(fleet.run) if fleet.run else None,
        "listed": LISTED,
    }
    return page.render(TEMPLATE, values)


def verdict(fleet: Fleet) -> dict[str, str]:
    """The one word at the top. What is unknown is not compliant: nobody can say so."""
    summary = fleet.summary
    if summary.late:
        hosts = f"{summary.late} host{'s' if summary.late > 1 else ''}"
        return {"kind": "bad", "word": "IN BREACH", "says": f"{hosts} late beyond the SLA"}
    if summary.unknown or not summary.hosts:
        hosts = f"{summary.unknown} host{'s' if summary.unknown > 1 else ''}"
        return {
            "kind": "warn",
            "word": "NOT PROVEN",
            "says": f"nobody could look at {hosts}" if summary.hosts else "there are no hosts",
        }
    excused = f"; {summary.excused} of them by exceptions" if summary.excused else ""
    return {"kind": "good", "word": "COMPLIANT", "says": f"all {summary.hosts} hosts{excused}"}


def grouped(due: Sequence[Due], last: Last) -> list[Group]:
    """Updates by package and version, worst and oldest first."""
    found: dict[tuple[str, ...], list[Due]] = {}
    for each in due:
        package = each.package
        found.setdefault((package.key, package.installed, package.candidate or "", each.severity), []).append(each)
    groups = [
        Group(
            max(each, key=lambda due: due.age),
            tuple(sorted({due.host for due in each})),
            max(due.age.days for due in each),
            tuple(sorted({word for due in each for word in _why(due, last)})),
        )
        for each in found.values()
    ]
    return sorted(groups, key=lambda each: (RANK[each.first.severity], -each.oldest_days, each.first.package.key))


def _last(run: Run | None) -> Last:
    return {(each.host, each.name, each.arch): each.state for each in run.states} if run else {}


def _why(due: Due, last: Last) -> list[str]:
    """What is known of why it is still waiting."""
    told = [f"exception {name} expired" for name in due.excuse.expired]
    told += ["held on the host"] * due.package.held + ["rejected by the policy"] * due.rejected
    state = last.get((due.host, due.package.name, due.package.arch))
    if state and state not in ("held", "rejected", "not_applicable", "installed"):
        told.append(f"last run: {state.replace('_', ' ')}")
    return told


def _figures(fleet: Fleet, due: Sequence[Due]) -> dict[str, Any]:
    return {
        "ages": figures.ages(due) if due else None,
        "coverage": figures.coverage(fleet.rows) if fleet.rows else None,
        "trend": figures.trend(fleet.trend) if len(fleet.trend) > 1 else None,
    }


def percent(share: float) -> str:
    """Rounded down: 99.96 % is not yet 100 %."""
    return f"{math.floor(1000 * share) / 10:g} %"


def _states(rows: Sequence[Became]) -> list[tuple[str, str, int]]:
    """Word, kind and count; what this run installed is told apart from what was there."""
    words = ["there before" if each.why == BEFORE else each.state for each in rows]
    kinds = STATE_KINDS | {"there before": "none"}
    return [(word.replace("_", " "), kinds[word], count) for word, count in Counter(words).most_common()]


def _alike(rows: Iterable[Became]) -> list[tuple[Became, list[str]]]:
    """The same package with the same fate is one row, with its hosts; what failed first."""
    found: dict[tuple[str | None, ...], list[Became]] = {}
    for each in rows:
        found.setdefault((each.name, each.arch, each.before, each.wanted, each.now, each.state, each.why), []).append(
            each
        )
    order = sorted(found.values(), key=lambda each: (STATE_KINDS[each[0].state] != "bad", each[0].state, each[0].name))
    return [(each[0], sorted(row.host for row in each)) for each in order]


def _run(run: Run) -> Mapping[str, Any]:
    """The last run: hosts by outcome, packages by state, and each one that is not simply installed."""
    plain = ("installed", "not_applicable", "not_attempted")
    return {
        "of": run,
        "kind": VERDICTS.get(run.verdict, "bad"),
        "hosts": sorted(Counter(run.hosts.values()).items()),
        "states": _states(run.states),
        "notable": _alike(each for each in run.states if each.state not in plain),
    }
