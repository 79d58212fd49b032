"""When a value becomes a finding, and when it is one no more: levels that need time to change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, Literal

Level = Literal["ok", "warning", "critical", "absent"]
RANK: dict[Level, int] = {"ok": 0, "warning": 1, "critical": 2}
# A sample from further ahead is a wrong clock.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, order=True)
class Seen:
    """A value and when it was seen, by the source's clock."""

    at: datetime
    value: float


@dataclass(frozen=True)
class Rule:
    """From which value on something is a warning, and critical; a threshold that is exactly met counts.

    `above`: high values are bad; else low ones. A level is left when the value is better than its threshold by
    `margin` (in the metric's unit), and entered or left only when that lasted `hold`. Nothing new for `absent_after`
    is an alarm of its own.
    """

    warning: float | None = None
    critical: float | None = None
    above: bool = True
    margin: float = 0.0
    hold: timedelta = timedelta(0)
    absent_after: timedelta = timedelta(minutes=15)

    def level(self, value: float, *, standing: Level) -> Level:
        """What a value means to somebody who stands at a level."""
        for name in ("critical", "warning"):
            limit = self.critical if name == "critical" else self.warning
            if limit is None:
                continue
            held = RANK.get(standing, 0) >= RANK[name]
            edge = limit + (-self.margin if self.above else self.margin) * held
            if (value >= edge) if self.above else (value <= edge):
                return name
        return "ok"


@dataclass(frozen=True)
class Standing:
    """Where one metric of one target stands. `pending`: since when it is at a level, or beyond it, by level.

    Between 84 and 96 of a warning from 80 on it is a warning that lasts, however often it is critical for a moment.
    """

    level: Level = "ok"
    since: datetime | None = None
    newest: Seen | None = None
    last_good: Seen | None = None
    pending: Mapping[Level, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One change of level: what an alert is made of. `last_good` is the last value at level ok before it."""

    before: Level
    after: Level
    at: datetime
    seen: Seen | None
    last_good: Seen | None


@dataclass(frozen=True)
class Judged:
    """The standing after some samples, the changes on the way, and how many samples were not believed, by why."""

    standing: Standing
    changes: tuple[Change, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)


def judge(rule: Rule, standing: Standing, samples: Iterable[Seen], *, now: datetime) -> Judged:
    """Go through new samples in order of time, then ask whether any came lately. The same twice changes nothing."""
    changes: list[Change] = []
    dropped = {"not a number": 0, "from the future": 0, "old or a duplicate": 0}
    # Of two values of one moment the higher is the one that is kept, too.
    for seen in sorted(samples, key=lambda each: (each.at, -each.value)):
        if not isfinite(seen.value):
            dropped["not a number"] += 1
        elif seen.at > now + SKEW:
            dropped["from the future"] += 1
        elif standing.newest is not None and seen.at <= standing.newest.at:
            dropped["old or a duplicate"] += 1
        else:
            standing, change = _step(rule, standing, seen)
            changes += [change] if change else []
    if absent := _absent(rule, standing, now):
        standing = replace(standing, level="absent", since=now, pending={})
        changes.append(absent)
    return Judged(standing, tuple(changes), {why: count for why, count in dropped.items() if count})


def _step(rule: Rule, standing: Standing, seen: Seen) -> tuple[Standing, Change | None]:
    level = rule.level(seen.value, standing=standing.level)
    known = replace(standing, newest=seen, since=standing.since or seen.at)
    if level == standing.level:
        good = seen if level == "ok" else standing.last_good
        return replace(known, pending={}, last_good=good), None
    pending = {each: standing.pending.get(each, seen.at) for each in _towards(level, standing.level)}
    lasted = [each for each, began in pending.items() if seen.at - began >= rule.hold]
    # Whoever comes back from absence is believed at once: how long it lasted is not known.
    reached = level if standing.level == "absent" else lasted[-1] if lasted else None
    if reached is None:
        return replace(known, pending=pending), None
    change = Change(standing.level, reached, seen.at, seen, standing.last_good)
    good = seen if level == "ok" else standing.last_good
    further = {each: began for each, began in pending.items() if each in _towards(level, reached)}
    return Standing(reached, seen.at, seen, good, further), change


def _towards(level: Level, standing: Level) -> list[Level]:
    """The levels on the way from one to another, nearest first, without the one it begins at."""
    if standing == "absent":
        return []
    begin, end = RANK[standing], RANK[level]
    names = [name for name, rank in RANK.items() if begin < rank <= end or end <= rank < begin]
    return names if end > begin else names[::-1]


def _absent(rule: Rule, standing: Standing, now: datetime) -> Change | None:
    """Nothing was seen for too long: no answer is not "well". What was never seen has nobody to miss it here."""
    if standing.level == "absent" or standing.newest is None or now - standing.newest.at < rule.absent_after:
        return None
    return Change(standing.level, "absent", now, standing.newest, standing.last_good)


def as_dict(standing: Standing) -> dict[str, Any]:
    """A standing as JSON values."""
    return {
        "level": standing.level,
        "since": _told(standing.since),
        "newest": _seen_told(standing.newest),
        "last_good": _seen_told(standing.last_good),
        "pending": {level: since.isoformat() for level, since in standing.pending.items()},
    }


def from_dict(told: Mapping[str, Any]) -> Standing:
    """The standing that `as_dict` told, also after JSON."""
    return Standing(
        told["level"],
        _moment(told["since"]),
        _seen(told["newest"]),
        _seen(told["last_good"]),
        {level: datetime.fromisoformat(since) for level, since in told["pending"].items()},
    )


def _told(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _seen_told(seen: Seen | None) -> list[Any] | None:
    return [seen.at.isoformat(), seen.value] if seen else None


def _seen(told: list[Any] | None) -> Seen | None:
    return Seen(datetime.fromisoformat(told[0]), told[1]) if told else None
