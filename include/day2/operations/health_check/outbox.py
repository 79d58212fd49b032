"""Alerts wait in the ledger until somebody took them: a killed task, or a notifier that is down, loses none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from day2.ledger import Ledger
from day2.metrics.thresholds import Change, Rule, Seen
from day2.operations.health_check.about import about
from day2.operations.health_check.alerts import Alert
from day2.operations.health_check.messages import Message
from day2.operations.health_check.notify import Try
from day2.repository.manifest import sha256

ALERT, NOTICE = "alert", "alert_notice"
# An alert that nobody took for so long is no news any more: the notices that failed stay in the ledger.
FOR = timedelta(days=2)
LONGEST_SILENCE = timedelta(days=35)


def alert_id(alert: Alert) -> str:
    """The same for the same change, whoever finds it: a cycle that is repeated tells nothing twice."""
    silenced = "silenced" if alert.silenced else "told"
    return sha256(f"{alert.key} {alert.change.after} {alert.change.at.isoformat()} {silenced}".encode())[:16]


def put(ledger: Ledger, alerts: Iterable[Alert], *, run: str, attempt: int, now: datetime) -> list[str]:
    """Write down alerts that are not in the ledger yet. Returns the ids of all."""
    known = {entry.body["id"] for entry in ledger.entries(kind=ALERT, since=now - FOR)}
    ids = []
    for each in alerts:
        ids.append(alert_id(each))
        if ids[-1] not in known:
            ledger.append(ALERT, run=run, body={"attempt": attempt, "id": ids[-1], **as_dict(each)})
    return ids


def waiting(ledger: Ledger, environment: str, *, now: datetime) -> dict[str, Alert]:
    """Alerts of an environment that nobody took yet, by id. Those that are silenced wait for nobody."""
    since = now - FOR
    notices = [entry.body for entry in ledger.entries(kind=NOTICE, since=since)]
    taken = {each for notice in notices if notice["taken"] for each in notice["alerts"]}
    return {
        entry.body["id"]: from_dict(entry.body)
        for entry in ledger.entries(kind=ALERT, since=since)
        if entry.body["environment"] == environment and not entry.body["silenced"] and entry.body["id"] not in taken
    }


def begun(ledger: Ledger, environment: str, waiting: Collection[str], *, now: datetime) -> dict[str, set[str]]:
    """With which severities each key was told of since it was well last: who has to hear of its end.

    An end whose id is in `waiting` is not told yet, so that what it ends still counts.
    """
    told: dict[str, set[str]] = {}
    ended: set[str] = set()
    for found in _alerts(ledger, environment, now=now):
        if found.key in ended and not found.resolved:
            ended.discard(found.key)
            told[found.key] = set()
        if found.resolved and alert_id(found) not in waiting:
            ended.add(found.key)
        elif not found.resolved and not found.silenced:
            told.setdefault(found.key, set()).add(found.severity)
    return told


def no_longer_silenced(
    ledger: Ledger, environment: str, silenced: Callable[[str], str], *, made: Iterable[Alert] = (), now: datetime
) -> list[Alert]:
    """What was bad while nobody was told, and still is, now that its target is silent no more.

    `made` are changes that are about to be written down: they are newer than all that is.
    """
    latest = {each.key: each for each in (*_alerts(ledger, environment, now=now), *made)}
    bad = [each for each in latest.values() if each.silenced and not each.resolved and not silenced(each.target)]
    return [replace(each, silenced="", note=_and(each.note, f"nobody was told: {each.silenced}")) for each in bad]


def noticed(
    ledger: Ledger, message: Message, chains: Sequence[Sequence[Try]], *, run: str, attempt: int, test: bool = False
) -> bool:
    """Write down who took a message and who did not. Returns whether on every route somebody took it.

    Who was told once is not told again because another route failed: that is in the record, and fails the run.
    """
    reached = [bool(chain) and chain[-1].taken for chain in chains]
    body = {
        "attempt": attempt,
        "environment": message.environment,
        "title": message.title,
        "severity": message.severity,
        "alerts": [alert_id(each) for each in message.alerts],
        "taken": any(reached) or not reached,
        "everywhere": all(reached),
        "test": test,
        "tries": [each.as_dict() for chain in chains for each in chain],
    }
    ledger.append(NOTICE, run=run, body=body)
    return all(reached)


def told(ledger: Ledger, run: str, attempt: int) -> dict[str, bool]:
    """What a run's attempt told, by title: whether it came to be taken on every route, by all its tries.

    A try that finds nothing waiting any more does not make a route well that failed before it.
    """
    found: dict[str, tuple[str, bool]] = {}
    for body in (entry.body for entry in ledger.entries(kind=NOTICE, run=run)):
        if body["attempt"] == attempt:
            for each in body["alerts"]:
                found[each] = (body["title"], body["everywhere"])
    missed: dict[str, bool] = {}
    for title, everywhere in found.values():
        missed[title] = missed.get(title, True) and everywhere
    return missed


def as_dict(alert: Alert) -> dict[str, Any]:
    """An alert as JSON values."""
    change, rule = alert.change, alert.rule
    return {
        "environment": alert.environment,
        "target": alert.target,
        "metric": alert.metric,
        "part": alert.part,
        "severity": alert.severity,
        "before": change.before,
        "after": change.after,
        "at": change.at.isoformat(),
        "seen": _seen(change.seen),
        "last_good": _seen(change.last_good),
        "warning": rule.warning,
        "critical": rule.critical,
        "above": rule.above,
        "owner": alert.owner,
        "link": alert.link,
        "note": alert.note,
        "silenced": alert.silenced,
    }


def from_dict(told: Mapping[str, Any]) -> Alert:
    """The alert that `as_dict` told."""
    return Alert(
        environment=told["environment"],
        target=told["target"],
        metric=told["metric"],
        part=told["part"],
        change=Change(
            told["before"], told["after"], datetime.fromisoformat(told["at"]),
            _unseen(told["seen"]), _unseen(told["last_good"]),
        ),
        rule=Rule(told["warning"], told["critical"], told["above"]),
        about=about(told["metric"]),
        owner=told["owner"],
        link=told["link"],
        note=told["note"],
        silenced=told["silenced"],
    )  # fmt: skip


def _alerts(ledger: Ledger, environment: str, *, now: datetime) -> list[Alert]:
    """Every alert of an environment that may still matter, oldest first."""
    found = ledger.entries(kind=ALERT, since=now - LONGEST_SILENCE)
    return [from_dict(entry.body) for entry in found if entry.body["environment"] == environment]


def _and(*some: str) -> str:
    return "; ".join(filter(None, some))


def _seen(seen: Seen | None) -> dict[str, Any] | None:
    return {"at": seen.at.isoformat(), "value": seen.value} if seen else None


def _unseen(told: Mapping[str, Any] | None) -> Seen | None:
    return Seen(datetime.fromisoformat(told["at"]), told["value"]) if told else None
