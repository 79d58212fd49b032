"""Change calendars: an .ics file into events, strict, because an event that is not understood stops nothing.

Every event that is not cancelled is a freeze. Whether it shows as busy (TRANSP) does not count: calendar
programs make all-day events "free" unless somebody thinks of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from day2.inventory.events import Event, read_event
from day2.inventory.problems import BrokenInventory, Problem

# What is wrong elsewhere, in an alarm or a picture, changes no freeze. No name: the line could be anything.
MATTERS = {None, "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "STATUS", "CATEGORIES"}


def read(path: Path, timezone: str) -> tuple[Event, ...]:
    """The events of a calendar; `timezone` is for what names none. Raises BrokenInventory with every mistake."""
    zone, problems, parsed, events = ZoneInfo(timezone), [], [], []

    def told(line: int, component: Any, error: ValueError) -> Problem:
        return Problem(path.name, line, f"event '{component.get('SUMMARY', '')}': {error}")

    for line, component in _components(path):
        try:
            _require_parsed(component)
            parsed.append((line, component))
        except ValueError as error:
            problems.append(told(line, component, error))
    moved = _moved([component for _, component in parsed])
    for line, component in parsed:
        if str(component.get("STATUS", "")).upper() == "CANCELLED":
            continue
        try:
            events.append(read_event(component, zone, moved.get(_uid(component), ())))
        except ValueError as error:
            problems.append(told(line, component, error))
    if problems:
        raise BrokenInventory(problems)
    return tuple(events)


def _components(path: Path) -> Iterator[tuple[int, Any]]:
    """Every VEVENT with its line. Half a file must not pass for a short one."""
    from icalendar import Calendar

    try:
        text = path.read_text(encoding="utf-8-sig")
        calendars = Calendar.from_ical(text, multiple=True)
    except OSError as error:
        raise BrokenInventory([Problem(path.name, 0, f"cannot be read: {error.strerror}")]) from error
    except ValueError as error:
        raise BrokenInventory([Problem(path.name, _bad_line(path), f"not iCalendar: {error}")]) from error
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"BEGIN:VEVENT\s*$", line, re.I)]
    found = [each for calendar in calendars for each in calendar.walk("VEVENT")]
    if not calendars or len(found) < len(lines):
        last = len(text.splitlines())
        raise BrokenInventory([Problem(path.name, last, "the file ends before its calendar does; get it again")])
    yield from zip(chain(lines, repeat(1)), found, strict=False)


def _bad_line(path: Path) -> int:
    """The first line that is not one of iCalendar; the file as a whole if that is not what is wrong."""
    from icalendar.parser import Contentline

    content = path.read_bytes().decode("utf-8-sig", errors="replace")
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip() and not line.startswith((" ", "\t")):
            try:
                Contentline(line).parts()  # type: ignore[no-untyped-call]
            except ValueError:
                return number
    return 0


def _require_parsed(component: Any) -> None:
    for name, text in component.errors:
        if name in MATTERS:
            raise ValueError(f"{name}: {text}" if name else text)
    instead = component.RECURRENCE_ID  # raises where it is given twice
    if instead is not None and not _uid(component):
        raise ValueError("a RECURRENCE-ID needs the UID of its series")


def _uid(component: Any) -> str:
    return str(component.get("UID", ""))


def _moved(components: list[Any]) -> dict[str, list[date]]:
    """By UID, which occurrences of a repeated event have an event of their own instead, or are cancelled."""
    found: dict[str, list[date]] = {}
    for each in components:
        if each.RECURRENCE_ID is not None:
            found.setdefault(_uid(each), []).append(each.RECURRENCE_ID)
    return found
