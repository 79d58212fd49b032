"""What the change calendar says, by the clock on the wall of the environment, or of the event itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.control.freezes import Freeze, freezes
from day2.inventory import BrokenInventory, calendars_folder
from day2.inventory.calendars import read
from day2.inventory.events import Event
from day2.inventory.model import Environment
from tests.unit.patching.making import environment

ROOT = Path(__file__).parents[3]
BERLIN = environment(timezone="Europe/Berlin", calendar="changes.ics")
YEAR = {"start": datetime(2027, 1, 1, tzinfo=UTC), "end": datetime(2028, 1, 1, tzinfo=UTC)}
OFFICE = """\
BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE"""


@pytest.fixture
def calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the calendar: each argument is the lines of one event, or a component as a whole."""
    monkeypatch.setenv("DAY2_HOME", str(tmp_path))
    calendars_folder().mkdir()

    def write(*events: str) -> None:
        parts = [each if each.startswith("BEGIN") else f"BEGIN:VEVENT\n{each}\nEND:VEVENT" for each in events]
        text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *parts, "END:VCALENDAR", ""])
        (calendars_folder() / "changes.ics").write_text(text.replace("\n", "\r\n"), newline="")

    return write


def told(found: tuple[Freeze, ...]) -> list[str]:
    """`from – until` in UTC, one a freeze."""
    return [f"{each.start:%m-%d %H:%M} – {each.end:%m-%d %H:%M}" for each in found]


def year(made: Environment = BERLIN) -> list[str]:
    return told(freezes(made, **YEAR))


def test_an_environment_without_a_calendar_has_no_freezes():
    assert freezes(environment(), **YEAR) == ()


def test_a_day_lasts_from_midnight_to_midnight_where_the_environment_is(calendar):
    calendar("SUMMARY:Sale\nDTSTART;VALUE=DATE:20270704\nDTEND;VALUE=DATE:20270706", "DTSTART;VALUE=DATE:20270701")
    assert year() == ["06-30 22:00 – 07-01 22:00", "07-03 22:00 – 07-05 22:00"]
    assert year(environment(timezone="UTC", calendar="changes.ics")) == [
        "07-01 00:00 – 07-02 00:00", "07-04 00:00 – 07-06 00:00",
    ]  # fmt: skip
    assert [each.name for each in freezes(BERLIN, **YEAR)] == ["unnamed", "Sale"]


@pytest.mark.parametrize(
    ("day", "hours"), [("20270327", 24), ("20270328", 23), ("20271031", 25), ("20271101", 24)]
)  # fmt: skip
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(calendar, day, hours):
    calendar(f"DTSTART;VALUE=DATE:{day}")
    (found,) = freezes(BERLIN, **YEAR)
    assert found.end - found.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("DTSTART:20270704T080000\nDTEND:20270704T200000", "07-04 06:00 – 07-04 18:00"),  # no zone: the environment's
        ("DTSTART:20270704T080000Z\nDTEND:20270704T200000Z", "07-04 08:00 – 07-04 20:00"),
        ("DTSTART;TZID=America/New_York:20270704T080000\nDURATION:PT12H", "07-04 12:00 – 07-05 00:00"),
        ("DTSTART;TZID=W. Europe Standard Time:20270704T080000\nDURATION:PT12H", "07-04 06:00 – 07-04 18:00"),
        ("DTSTART;TZID=Office:20270704T080000\nDTEND;TZID=Office:20270704T200000", "07-04 06:00 – 07-04 18:00"),
        ("DTSTART;TZID=Europe/Berlin:20270704T080000\nDTEND:20270704T200000Z", "07-04 06:00 – 07-04 20:00"),
    ],
)
def test_a_time_is_of_the_zone_it_names(calendar, lines, wanted):
    calendar(OFFICE, lines)
    assert year() == [wanted]


def test_what_comes_again_does_so_at_the_same_hour_all_year(calendar):
    night = "DTSTART;TZID=Europe/Berlin:20270102T220000\nDTEND;TZID=Europe/Berlin:20270103T060000"
    calendar(f"{night}\nRRULE:FREQ=WEEKLY;BYDAY=SA")
    found = year()
    assert len(found) == 52
    assert "01-02 21:00 – 01-03 05:00" in found
    assert "03-27 21:00 – 03-28 04:00" in found  # the night is seven hours long
    assert "07-03 20:00 – 07-04 04:00" in found
    assert "10-30 20:00 – 10-31 05:00" in found  # and nine here


def test_hours_of_a_duration_are_hours_and_its_days_are_days(calendar):
    calendar("DTSTART:20270327T220000\nDURATION:PT8H", "DTSTART:20270327T220000\nDURATION:P1D")
    assert year() == ["03-27 21:00 – 03-28 05:00", "03-27 21:00 – 03-28 20:00"]


def test_a_time_that_comes_twice_is_read_so_that_the_freeze_is_longest(calendar):
    calendar(
        "DTSTART:20271031T023000\nDTEND:20271031T120000",
        "DTSTART:20271030T230000\nDTEND:20271031T023000",
        "DTSTART:20270328T023000\nDTEND:20270328T120000",
        "DTSTART:20270327T230000\nDTEND:20270328T023000",
    )
    assert year() == [
        "03-27 22:00 – 03-28 01:30", "03-28 00:30 – 03-28 10:00", "10-30 21:00 – 10-31 01:30",
        "10-31 00:30 – 10-31 11:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("until", "days"),
    [
        ("COUNT=3", "01 02 03"),
        ("UNTIL=20270203", "01 02 03"),  # a day, though the start is a time: that day counts
        ("UNTIL=20270203T080000", "01 02 03"),
        ("UNTIL=20270203T070000Z", "01 02 03"),  # eight o'clock in Berlin
        ("UNTIL=20270203T065959Z", "01 02"),
        ("COUNT=3;INTERVAL=2", "01 03 05"),
        ("COUNT=2;BYDAY=WE", "01 03 10"),  # the first one counts, whatever its rule says
    ],
)
def test_a_rule_ends_when_it_says(calendar, until, days):
    calendar(f"DTSTART;TZID=Europe/Berlin:20270201T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;{until}")
    assert [f"{each.start:%d}" for each in freezes(BERLIN, **YEAR)] == days.split()


def test_exceptions_and_additions_to_a_rule_count(calendar):
    calendar(
        "DTSTART;TZID=Europe/Berlin:20270701T080000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=5\n"
        "EXDATE;TZID=Europe/Berlin:20270702T080000\nEXDATE:20270703T060000Z\nEXDATE;VALUE=DATE:20270704\n"
        "RDATE;TZID=Europe/Berlin:20270720T100000"
    )
    assert [each.split(" – ")[0] for each in year()] == ["07-01 06:00", "07-05 06:00", "07-20 08:00"]


def test_one_of_a_series_can_be_moved_or_cancelled(calendar):
    calendar(
        "UID:a\nDTSTART;VALUE=DATE:20270701\nRRULE:FREQ=DAILY;COUNT=4",
        "UID:a\nRECURRENCE-ID;VALUE=DATE:20270702\nDTSTART;VALUE=DATE:20270720",
        "UID:a\nRECURRENCE-ID;VALUE=DATE:20270703\nDTSTART;VALUE=DATE:20270703\nSTATUS:CANCELLED",
        "UID:b\nDTSTART;VALUE=DATE:20270801",
    )
    starts = [each.split(" – ")[0] for each in year()]
    assert starts == ["06-30 22:00", "07-03 22:00", "07-19 22:00", "07-31 22:00"]


def test_what_is_cancelled_is_no_freeze_and_what_shows_as_free_is_one(calendar):
    day = "DTSTART;VALUE=DATE:202707"
    calendar(f"{day}01\nSTATUS:cancelled", f"{day}02\nTRANSP:TRANSPARENT", f"{day}03\nSTATUS:TENTATIVE")
    assert len(year()) == 2


@pytest.mark.parametrize(
    ("categories", "stopped"),
    [
        ("CATEGORIES:dr_drill,security_patching", True),
        ("CATEGORIES:dr_drill\nCATEGORIES:security_patching", True),
        ("CATEGORIES:dr_drill", False),
        ("CATEGORIES:FREEZE,dr_drill", False),
        ("CATEGORIES:FREEZE", True),
        ("CATEGORIES:Holiday", True),
        ("SUMMARY:no categories at all", True),
    ],
)
def test_categories_say_what_is_stopped_and_without_an_operation_among_them_it_is_all(calendar, categories, stopped):
    calendar(f"DTSTART;VALUE=DATE:20270701\n{categories}")
    assert bool(year()) is stopped
    assert freezes(BERLIN, **YEAR, operation="dr_drill")


def test_a_freeze_that_began_before_is_found_and_its_end_is_no_part_of_it(calendar):
    calendar("DTSTART:20260101T000000Z\nDTEND:20270701T000000Z")
    at = datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)
    assert [each.start.year for each in freezes(BERLIN, start=at, end=at + timedelta(hours=1))] == [2026]
    at += timedelta(seconds=1)
    assert freezes(BERLIN, start=at, end=at + timedelta(hours=1)) == ()


def test_a_freeze_that_begins_at_the_end_is_not_found_yet(calendar):
    calendar("DTSTART:20270701T000000Z\nDURATION:PT1S")
    at = datetime(2027, 7, 1, tzinfo=UTC)
    assert freezes(BERLIN, start=at - timedelta(days=1), end=at) == ()
    assert len(freezes(BERLIN, start=at, end=at + timedelta(hours=1))) == 1


def test_a_long_one_of_a_series_that_began_before_is_found(calendar):
    calendar("DTSTART;VALUE=DATE:20201218\nDTEND;VALUE=DATE:20210107\nRRULE:FREQ=YEARLY")
    assert year() == ["12-17 23:00 – 01-06 23:00", "12-17 23:00 – 01-06 23:00"]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Event:
    """A freeze every second night, from one clock change to the next."""
    path = tmp_path_factory.mktemp("busy") / "changes.ics"
    event = "DTSTART:20270301T233000\nDTEND:20270302T023000\nRRULE:FREQ=DAILY;INTERVAL=2;UNTIL=20271115"
    path.write_text(f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{event}\nEND:VEVENT\nEND:VCALENDAR\n")
    return read(path, "Europe/Berlin")[0]


@settings(max_examples=200, deadline=None)
@given(start=st.integers(0, 365 * 24 * 60), minutes=st.integers(1, 10_000))
def test_whoever_asks_about_a_part_of_the_year_is_told_what_touches_it(busy, start, minutes):
    begins = YEAR["start"] + timedelta(minutes=start)
    ends = begins + timedelta(minutes=minutes)
    whole = list(busy.occurrences(YEAR["start"], YEAR["end"]))
    assert len(whole) == 130
    assert list(busy.occurrences(begins, ends)) == [each for each in whole if each[0] < ends and begins < each[1]]


def test_without_an_answer_there_is_no_answer(calendar):
    with pytest.raises(BrokenInventory, match=r"changes\.ics: cannot be read: No such file"):
        freezes(BERLIN, **YEAR)


def test_our_own_calendar_freezes_the_end_of_the_year_for_all_but_backups(monkeypatch):
    monkeypatch.setenv("DAY2_HOME", str(ROOT / "include"))
    assert year() == ["12-17 23:00 – 01-06 23:00", "12-17 23:00 – 01-06 23:00"]
    assert freezes(BERLIN, **YEAR, operation="database_backup") == ()
