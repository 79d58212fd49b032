"""One event of a calendar: what it stops, how long it lasts, and how often it comes again.

Recurrence goes by the clock on the wall of the event's own zone: what begins at 22:00 does so all year.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import chain
from typing import Any

from day2.inventory.fields import OPERATIONS, nearest

NEUTRAL = "freeze"
SELDOM = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
# More than any clock change.
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """One that stops `operations`, or all where it names none.

    Of its length, `days` goes by the clock on the wall, and `rest` by the world's time.
    """

    name: str
    operations: frozenset[str]
    zone: tzinfo
    days: timedelta
    rest: timedelta
    repeats: Any

    def stops(self, operation: str) -> bool:
        """Whether this operation may not run meanwhile."""
        return not self.operations or operation in self.operations

    def occurrences(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """When it is on, in UTC, wherever that touches the time from `start` until before `end`."""
        lower = _wall(start, self.zone) - self.days - self.rest - DAY
        for first in self.repeats.between(lower, _wall(end, self.zone) + DAY, inc=True):
            # Of a time that comes twice, or never, the reading that makes it longer.
            begins = min(_readings(first, self.zone))
            ends = max(_readings(first + self.days, self.zone)) + self.rest
            if begins < end and start < ends:
                yield begins, ends


def read_event(component: Any, zone: tzinfo, moved: Iterable[date]) -> Event:
    """A VEVENT as icalendar parsed it; `zone` is for times that name none.

    `moved` are the occurrences that have an event of their own. Raises ValueError that says what to write.
    """
    begins = component.start  # also checks that start, end and duration go together
    _require_zone(component, "DTSTART")
    _require_zone(component, "DTEND")
    if isinstance(begins, datetime) and begins.tzinfo:
        zone = begins.tzinfo
    first = _wall(begins, zone)
    days, rest = _length(component, first, zone)
    if days + rest <= timedelta(0):
        raise ValueError("it lasts no time; give it a DTEND after its DTSTART")
    name = str(component.get("SUMMARY", "")) or "unnamed"
    return Event(name, _operations(component), zone, days, rest, _repeats(component, first, zone=zone, moved=moved))


def _wall(moment: date, zone: tzinfo) -> datetime:
    """A day or a time as the clock on the wall of the zone shows it."""
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time())
    return moment.astimezone(zone).replace(tzinfo=None) if moment.tzinfo else moment


def _readings(wall: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """What a local time may mean in UTC: the same twice, but where clocks change."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _require_zone(component: Any, name: str) -> None:
    value = component.get(name)
    zone = getattr(value, "params", {}).get("TZID")
    if zone and value.dt.tzinfo is None:
        raise ValueError(f"{name}: '{zone}' is not a time zone; write an IANA name such as 'Europe/Berlin'")


def _length(component: Any, first: datetime, zone: tzinfo) -> tuple[timedelta, timedelta]:
    """By the clock on the wall where an end is given; of a duration only the whole days."""
    if "DURATION" in component:
        lasts = component.duration
        return timedelta(days=lasts.days), timedelta(seconds=lasts.seconds)
    return _wall(component.end, zone) - first, timedelta(0)


def _operations(component: Any) -> frozenset[str]:
    """The operations among its categories. Where there are any, all must be: one misspelt would stop nothing."""
    named = {str(each).strip() for each in component.categories} - {""}
    named = {each for each in named if each.casefold() != NEUTRAL}
    if not named & set(OPERATIONS):
        return frozenset()
    for each in sorted(named - set(OPERATIONS)):
        raise ValueError(f"the category '{each}' is no operation{nearest(each, list(OPERATIONS))}")
    return frozenset(named)


def _repeats(component: Any, first: datetime, *, zone: tzinfo, moved: Iterable[date]) -> Any:
    """All its beginnings, by the clock on the wall."""
    from dateutil.rrule import rruleset, rrulestr  # type: ignore[import-untyped]

    found = rruleset()
    found.rdate(first)
    for start, end in component.rdates:
        if end is not None:
            raise ValueError("RDATE with a period is not understood; make it an event of its own")
        found.rdate(_at(start, first, zone))
    for rule in component.rrules:
        found.rrule(rrulestr(_rule(rule, zone), dtstart=first))
    own = component.get("RECURRENCE-ID")
    if own is not None and own.params.get("RANGE"):
        raise ValueError("RANGE=THISANDFUTURE is not understood; end the first event, and begin another")
    for each in chain(component.exdates, moved if own is None else ()):
        found.exdate(_at(each, first, zone))
    return found


def _at(moment: date, first: datetime, zone: tzinfo) -> datetime:
    """A day alone means the occurrence of that day."""
    return _wall(moment, zone) if isinstance(moment, datetime) else datetime.combine(moment, first.time())


def _rule(rule: Any, zone: tzinfo) -> str:
    """The rule as text, with its end by the clock on the wall as well; an end that is a day includes that day."""
    if str(rule.get("FREQ", ["nothing"])[0]) not in SELDOM:
        raise ValueError(f"RRULE needs a FREQ of {', '.join(SELDOM)}")
    until = [
        _wall(each, zone) if isinstance(each, datetime) else datetime.combine(each, time(23, 59, 59))
        for each in rule.get("UNTIL", [])
    ]
    return str(type(rule)({**rule, "UNTIL": until} if until else rule).to_ical().decode())
