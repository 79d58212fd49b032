"""A calendar that is not understood is an error with its line: it must never pass for one without freezes."""

from __future__ import annotations

from datetime import date

import pytest

from day2 import inventory
from day2.inventory import BrokenInventory
from day2.inventory.calendars import read
from tests.unit.inventory.homes import Home

HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\nBEGIN:VEVENT\nSUMMARY:Sale\n"
TAIL = "END:VEVENT\nEND:VCALENDAR\n"
DAY = "DTSTART;VALUE=DATE:20270701\n"
TIME = "DTSTART:20270701T080000Z\nDURATION:PT1H\n"
HERE = "changes.ics:4: event 'Sale': "

MISTAKES: dict[str, tuple[str, str]] = {
    "no calendar": ("", "changes.ics: the file ends before its calendar does; get it again"),
    "a text": ("hello\nworld\n", "changes.ics:1: not iCalendar: "),
    "half a file": (HEAD + DAY, "changes.ics:6: the file ends before its calendar does; get it again"),
    "half an event": (
        f"{HEAD}{DAY}END:VEVENT\nBEGIN:VEVENT\n{DAY}END:VCALENDAR\n",
        "changes.ics:10: the file ends before its calendar does; get it again",
    ),
    "an end too many": (f"{HEAD}{DAY}{TAIL}END:VEVENT\n", "changes.ics: not iCalendar: END encountered without"),
    "a line that is none": (f"{HEAD}{DAY}garbage\n{TAIL}", f"{HERE}Content line could not be parsed"),
    "a day that is none": (f"{HEAD}DTSTART:2027-07-01\n{TAIL}", f"{HERE}DTSTART: Expected datetime"),
    "no start": (f"{HEAD}DTEND:20270701T000000Z\n{TAIL}", f"{HERE}No DTSTART given"),
    "two starts": (f"{HEAD}{DAY}{DAY}{TAIL}", f"{HERE}Multiple DTSTART"),
    "a day until a time": (f"{HEAD}{DAY}DTEND:20270702T000000Z\n{TAIL}", f"{HERE}DTSTART and DTEND must be of the"),
    "an end before the start": (f"{HEAD}{DAY}DTEND;VALUE=DATE:20270630\n{TAIL}", f"{HERE}it lasts no time; give it"),
    "no length": (f"{HEAD}DTSTART:20270701T080000Z\n{TAIL}", f"{HERE}it lasts no time; give it a DTEND after its"),
    "a length that is none": (f"{HEAD}{DAY}DURATION:2 days\n{TAIL}", f"{HERE}DURATION: Expected time, got: 2 days"),
    "an unknown zone": (
        f"{HEAD}DTSTART;TZID=Mars:20270701T080000\nDURATION:PT1H\n{TAIL}",
        f"{HERE}DTSTART: 'Mars' is not a time zone; write an IANA name such as 'Europe/Berlin'",
    ),
    "an unknown frequency": (f"{HEAD}{DAY}RRULE:FREQ=SOMETIMES\n{TAIL}", f"{HERE}RRULE: Expected frequency"),
    "no frequency": (f"{HEAD}{DAY}RRULE:COUNT=4\n{TAIL}", f"{HERE}RRULE needs a FREQ of DAILY, WEEKLY, "),
    "a frequency without sense": (f"{HEAD}{DAY}RRULE:FREQ=MINUTELY\n{TAIL}", f"{HERE}RRULE needs a FREQ of DAILY"),
    "an exception that is none": (f"{HEAD}{DAY}RRULE:FREQ=DAILY\nEXDATE:x\n{TAIL}", f"{HERE}EXDATE: "),
    "a part we do not read": (
        f"{HEAD}{TIME}RDATE;VALUE=PERIOD:20270801T000000Z/PT1H\n{TAIL}",
        f"{HERE}RDATE with a period is not understood; make it an event of its own",
    ),
    "a series that changes": (
        f"{HEAD}UID:a\n{TIME}RECURRENCE-ID;RANGE=THISANDFUTURE:20270801T000000Z\n{TAIL}",
        f"{HERE}RANGE=THISANDFUTURE is not understood",
    ),
    "a changed occurrence of nothing": (
        f"{HEAD}{TIME}RECURRENCE-ID:20270801T000000Z\n{TAIL}",
        f"{HERE}a RECURRENCE-ID needs the UID of its series",
    ),
    "two changed occurrences in one": (
        f"{HEAD}UID:a\n{TIME}RECURRENCE-ID:20270801T000000Z\nRECURRENCE-ID:20270802T000000Z\n{TAIL}",
        f"{HERE}Multiple RECURRENCE-ID",
    ),
    "a changed occurrence that is none": (f"{HEAD}UID:a\n{TIME}RECURRENCE-ID:x\n{TAIL}", f"{HERE}RECURRENCE-ID: "),
    "a misspelt operation": (
        f"{HEAD}{DAY}CATEGORIES:dr_drill,security_patchin\n{TAIL}",
        f"{HERE}the category 'security_patchin' is no operation; did you mean 'security_patching'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_its_event(home: Home, mistake: str) -> None:
    text, told = MISTAKES[mistake]
    path = home.folder / "calendars" / "changes.ics"
    path.write_text(text)
    with pytest.raises(BrokenInventory) as raised:
        read(path, "Europe/Berlin")
    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)


def test_every_broken_event_is_told(home: Home) -> None:
    path = home.folder / "calendars" / "changes.ics"
    event = "BEGIN:VEVENT\nSUMMARY:Sale\nEND:VEVENT\n"
    path.write_text(f"BEGIN:VCALENDAR\n{event}{event}END:VCALENDAR\n")
    with pytest.raises(BrokenInventory) as raised:
        read(path, "UTC")
    assert [each.line for each in raised.value.problems] == [2, 5]


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        f"{HEAD}{DAY}CREATED:never\n{TAIL}",
        f"\ufeff{HEAD}{DAY}DESCRIPTION:a long\n  text\n{TAIL}{HEAD}{DAY}{TAIL}",
        f"{HEAD}{TAIL}".replace("SUMMARY:Sale", "STATUS:CANCELLED"),
    ],
)
def test_what_changes_no_freeze_is_no_mistake(home: Home, text: str) -> None:
    path = home.folder / "calendars" / "changes.ics"
    path.write_text(text, encoding="utf-8")
    assert len(read(path, "UTC")) == text.count("DTSTART")


def test_a_broken_calendar_is_told_by_the_check_and_stops_no_backup(home: Home) -> None:
    (home.folder / "calendars" / "changes.ics").write_text(f"{HEAD}{TAIL}")
    wanted = "changes.ics:4: event 'Sale': No DTSTART given"
    report = inventory.report(date(2027, 1, 1), home.folder)
    assert ([str(each).rstrip(".") for each in report.problems], report.environments) == ([wanted], ())
    with pytest.raises(BrokenInventory, match="No DTSTART given"):
        inventory.check_all(home.folder)
    assert [each.name for each in inventory.environments(home.folder)] == ["production"]
