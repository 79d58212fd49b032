"""From changes of level to messages: what, where, how bad, since when it was well, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from day2.metrics.thresholds import Change, Level, Rule
from day2.units import size, utc

Severity = Literal["critical", "warning", "info"]
SEVERITY: dict[Level, Severity] = {"critical": "critical", "absent": "critical", "warning": "warning", "ok": "info"}
ORDER: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2}
# More changes of one target in one look than this are one message: whoever is woken reads the first lines only.
MOST = 4


@dataclass(frozen=True)
class About:
    """What is known of a metric beside its value: how to read it, and what helps when it is bad."""

    says: str
    unit: str = ""
    next_step: str = ""


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


@dataclass(frozen=True)
class Message:
    """What is sent: one alert, or several of one target. `keys` has all of them."""

    severity: Severity
    title: str
    body: str
    keys: tuple[str, ...]
    alerts: tuple[Alert, ...]


def quiet(alerts: Iterable[Alert], at_work: Mapping[str, str]) -> list[Alert]:
    """The same, with those silenced whose target is being worked on: `at_work` has the operation by target.

    What was critical before the work began is not silenced when it ends: an end is always told.
    """
    return [
        replace(each, silenced=f"{at_work[each.target]} is at work on it")
        if each.target in at_work and not each.resolved
        else each
        for each in alerts
    ]


def messages(alerts: Iterable[Alert], *, most: int = MOST) -> list[Message]:
    """What to send, worst first: nothing for silenced ones, one message for a target on which much changed at once."""
    told = sorted((each for each in alerts if not each.silenced), key=lambda each: (each.target, each.key))
    found: list[Message] = []
    for _target, some in groupby(told, key=lambda each: each.target):
        of_target = sorted(some, key=lambda each: (ORDER[each.severity], each.key))
        if len(of_target) > most:
            found.append(_many(of_target))
        else:
            found += [_one(each) for each in of_target]
    return sorted(found, key=lambda each: (ORDER[each.severity], each.title))


def said(value: float, unit: str) -> str:
    """A value as people read it."""
    if unit == "bytes":
        return size(value)
    return f"{value:.1f} %" if unit == "percent" else f"{value:,.4g} {unit}".strip()


def _one(alert: Alert) -> Message:
    return Message(alert.severity, _title(alert), "\n".join(_lines(alert)), (alert.key,), (alert,))


def _many(alerts: Sequence[Alert]) -> Message:
    worst = alerts[0]
    title = f"[{worst.severity.upper()}] {worst.environment}: {worst.target}: {len(alerts)} changes at once"
    first = "\n".join(_lines(worst))
    rest = "\n".join(f"- {_title(each)}" for each in alerts[1:])
    return Message(
        worst.severity, title, f"{first}\n\nAlso:\n{rest}", tuple(each.key for each in alerts), tuple(alerts)
    )


def _title(alert: Alert) -> str:
    head = "RESOLVED" if alert.resolved else alert.severity.upper()
    if alert.change.after == "absent":
        return f"[{head}] {alert.environment}: {alert.target}: nothing is heard of {alert.what}"
    value = said(alert.change.seen.value, alert.about.unit) if alert.change.seen else "unknown"
    return f"[{head}] {alert.environment}: {alert.target}: {alert.what} is {value}"


def _lines(alert: Alert) -> Iterable[str]:
    """All that on-call needs, without looking anything up."""
    change, unit = alert.change, alert.about.unit
    yield _title(alert)
    yield f"Level: {change.before} → {change.after} at {utc(change.at)}"
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
    if alert.link:
        yield f"Log and runbook: {alert.link}"


def _limit(alert: Alert) -> str:
    sign, unit = ("at or above" if alert.rule.above else "at or below"), alert.about.unit
    known = {"warning": alert.rule.warning, "critical": alert.rule.critical}
    return ", ".join(f"{name} {sign} {said(value, unit)}" for name, value in known.items() if value is not None)
