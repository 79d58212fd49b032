"""From changes of level to alerts: what, where, how bad, since when it was well, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from day2.inventory.model import Environment
from day2.ledger.metrics import Series
from day2.metrics.thresholds import Change, Level, Rule
from day2.operations.health_check import looking
from day2.operations.health_check.about import About, about
from day2.units import size, utc

Severity = Literal["critical", "warning", "info"]
SEVERITY: dict[Level, Severity] = {"critical": "critical", "absent": "critical", "warning": "warning", "ok": "info"}
ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Alert:
    """One change of level of one metric. `silenced` says why nobody is told; empty where somebody is."""

    environment: str
    target: str
    metric: str
    part: str
    change: Change
    rule: Rule
    about: About
    owner: str = ""
    link: str = ""
    note: str = ""
    silenced: str = ""

    @property
    def key(self) -> str:
        """The same for every change of the same metric: what receivers open and close an incident by."""
        return "/".join(each for each in (self.environment, self.target, self.metric, self.part) if each)

    @property
    def severity(self) -> Severity:
        """How urgent it is; of one that ended, not at all."""
        return SEVERITY[self.change.after]

    @property
    def resolved(self) -> bool:
        """Whether it ended what an earlier one began."""
        return self.change.after == "ok"

    @property
    def what(self) -> str:
        """The metric and its part, as people say it."""
        return f"{self.about.says} of {self.part}" if self.part else self.about.says


def of(here: Environment, changed: tuple[Series, Rule, Change], *, note: str = "", link: str = "") -> Alert:
    """The alert that a change of level is."""
    series, rule, change = changed
    return Alert(
        here.name, series.target, series.metric, series.part, change, rule, about(series.metric),
        owner=looking.owner(here, series.target), link=link, note=note,
    )  # fmt: skip


def quiet(alerts: Iterable[Alert], silent: Callable[[str], str]) -> list[Alert]:
    """The same, with those silenced whose target `silent` has a reason for: an end is always told."""
    return [each if each.resolved else replace(each, silenced=silent(each.target)) for each in alerts]


def said(value: float, unit: str) -> str:
    """A value as people read it."""
    if unit == "bytes":
        return size(value)
    return f"{value:.1f} %" if unit == "percent" else f"{value:,.4g} {unit}".strip()


def title(alert: Alert) -> str:
    """An alert in one line."""
    head = "RESOLVED" if alert.resolved else alert.severity.upper()
    if alert.change.after == "absent":
        return f"[{head}] {alert.environment}: {alert.target}: nothing is heard of {alert.what}"
    value = said(alert.change.seen.value, alert.about.unit) if alert.change.seen else "unknown"
    return f"[{head}] {alert.environment}: {alert.target}: {alert.what} is {value}"


def lines(alert: Alert) -> Iterable[str]:
    """All that on-call needs, without looking anything up."""
    change, unit = alert.change, alert.about.unit
    yield title(alert)
    yield f"Level: {change.before} → {change.after} at {utc(change.at)}"
    if alert.note:
        yield f"Seen: {alert.note}"
    if limit := _limit(alert):
        yield f"Threshold: {limit}"
    if change.seen and change.after == "absent":
        yield f"Last heard: {said(change.seen.value, unit)} at {utc(change.seen.at)}"
    if change.last_good:
        yield f"Last good: {said(change.last_good.value, unit)} at {utc(change.last_good.at)}"
    elif not alert.resolved:
        yield "Last good: never seen"
    if alert.owner:
        yield f"Owner: {alert.owner}"
    if not alert.resolved and alert.about.next_step:
        yield f"Next: {alert.about.next_step}"
    if not alert.resolved:
        yield f"Runbook: {'Nothing is heard' if change.after == 'absent' else alert.about.runbook}"
    if alert.link:
        yield f"Log: {alert.link} (the runbook is the documentation of its DAG)"


def _limit(alert: Alert) -> str:
    sign, unit = ("at or above" if alert.rule.above else "at or below"), alert.about.unit
    known = {"warning": alert.rule.warning, "critical": alert.rule.critical}
    return ", ".join(f"{name} {sign} {said(value, unit)}" for name, value in known.items() if value is not None)
