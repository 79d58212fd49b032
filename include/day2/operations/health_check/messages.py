"""From alerts to messages: one each, but one for a target on which much changed, and one for a storm. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from day2.operations.health_check.alerts import ORDER, Alert, Severity, lines, title

# More changes of one target in one look than this are one message: whoever is woken reads the first lines only.
MOST = 4
# More messages than this of one look are one, of so many lines: a switch that fails is not five hundred pages.
STORM, SHOWN = 10, 40


@dataclass(frozen=True)
class Message:
    """What is sent: one alert, or several of one target. `keys` has all of them.

    `ended` closes what a message without alerts opened: a test, at a receiver that keeps incidents.
    """

    environment: str
    severity: Severity
    title: str
    body: str
    keys: tuple[str, ...]
    alerts: tuple[Alert, ...] = ()
    ended: bool = False

    @property
    def resolved(self) -> bool:
        """Whether there is nothing left to do."""
        return self.ended or bool(self.alerts) and all(each.resolved for each in self.alerts)


def messages(alerts: Iterable[Alert], *, most: int = MOST) -> list[Message]:
    """What to send, worst first: nothing for silenced ones, one message for a target on which much changed at once.

    A storm is one message. What ended is never in one message with what began. An end after which it began again goes
    first: told last, it would close the incident of what is still bad.
    """
    alerts = [each for each in alerts if not each.silenced]
    bad = [each for each in alerts if not each.resolved]
    newest = {each.key: each.change.at for each in sorted(bad, key=lambda one: one.change.at)}
    over = [each for each in alerts if each.resolved and each.key in newest and each.change.at < newest[each.key]]
    well = [each for each in alerts if each.resolved and each not in over]
    return [each for some in (over, bad, well) for each in sorted(_grouped(some, most), key=_urgency)]


def _urgency(message: Message) -> tuple[int, str]:
    return ORDER[message.severity], message.title


def _grouped(alerts: Sequence[Alert], most: int) -> list[Message]:
    told = sorted(alerts, key=lambda each: (each.target, each.key))
    found: list[Message] = []
    for _target, some in groupby(told, key=lambda each: each.target):
        of_target = sorted(some, key=lambda each: (ORDER[each.severity], each.key))
        if len(of_target) > most:
            found.append(_many(of_target))
        else:
            found += [_one(each) for each in of_target]
    return [_storm(told)] if len(found) > STORM else found


def _one(alert: Alert) -> Message:
    body = "\n".join(lines(alert))
    return Message(alert.environment, alert.severity, title(alert), body, (alert.key,), (alert,))


def _many(alerts: Sequence[Alert]) -> Message:
    worst = alerts[0]
    head = f"[{worst.severity.upper()}] {worst.environment}: {worst.target}: {len(alerts)} changes at once"
    first = "\n".join(lines(worst))
    rest = "\n".join(f"- {title(each)}" for each in alerts[1:])
    keys = tuple(each.key for each in alerts)
    return Message(worst.environment, worst.severity, head, f"{first}\n\nAlso:\n{rest}", keys, tuple(alerts))


def _storm(alerts: Sequence[Alert]) -> Message:
    worst = sorted(alerts, key=lambda each: (ORDER[each.severity], each.key))
    first, targets = worst[0], {each.target for each in alerts}
    level = "RESOLVED" if first.resolved else first.severity.upper()
    head = f"[{level}] {first.environment}: {len(alerts)} changes on {len(targets)} targets at once"
    lines = [f"- {title(each)}" for each in worst[:SHOWN]]
    rest = [f"and {len(worst) - SHOWN} more: day2 ledger, kind alert"] if len(worst) > SHOWN else []
    body = "\n".join((head, "Look for what they have in common first: a network, a switch, a store.", *lines, *rest))
    return Message(first.environment, first.severity, head, body, tuple(each.key for each in alerts), tuple(alerts))
