"""The second Tuesday plus two days is a Thursday at the same hour, whatever clocks do in between."""

from __future__ import annotations

import calendar
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.sdk import CronTriggerTimetable as PlainDefinition
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.airflow.dag import schedule
from day2.airflow.timetable import OffsetCronTimetable
from day2.inventory import starts

ROOT = Path(__file__).parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
PATCHING = "0 3 * * 2#2"
ANYTHING = TimeRestriction(earliest=None, latest=None, catchup=False)
DAG_FILE = """
from datetime import timedelta
from types import SimpleNamespace
from airflow.sdk import DAG, task
from day2.airflow.dag import schedule

berlin = SimpleNamespace(timezone="Europe/Berlin")
with DAG("patching.berlin", schedule=schedule("0 3 * * 2#2", timedelta(days=2), berlin), catchup=False):
    task(task_id="look")(lambda: None)()
"""


class Berlin:
    timezone = "Europe/Berlin"


def timetable(cron: str = PATCHING, offset: timedelta = timedelta(days=2)) -> OffsetCronTimetable:
    return OffsetCronTimetable(cron, timezone="Europe/Berlin", offset=offset, run_immediately=timedelta(0))


def runs(made: CronTriggerTimetable, *, year: int) -> list[datetime]:
    """The starts of a year, in local time, as the scheduler asks for them: one after the other."""
    found, end = [], datetime(year + 1, 1, 1, tzinfo=BERLIN)
    last = pendulum.datetime(year, 1, 1, tz="Europe/Berlin")
    while (last := following(made, last)) < end:
        found.append(last.astimezone(BERLIN))
    return found


def following(made: CronTriggerTimetable, last: Any) -> Any:
    everything = TimeRestriction(earliest=None, latest=None, catchup=True)
    info = made.next_dagrun_info(last_automated_data_interval=DataInterval.exact(last), restriction=everything)
    return info.run_after


def second_tuesday(year: int, month: int) -> date:
    days = (date(year, month, day) for day in range(8, 15))
    return next(each for each in days if each.weekday() == calendar.TUESDAY)


@pytest.mark.parametrize("year", [2026, 2027, 2028])
def test_every_month_has_its_run_at_three_by_the_clock_on_the_wall(year: int) -> None:
    wanted = [second_tuesday(year, month) + timedelta(days=2) for month in range(1, 13)]
    found = runs(timetable(), year=year)
    assert [each.date() for each in found] == wanted
    assert {f"{each:%A %H:%M}" for each in found} == {"Thursday 03:00"}
    assert {each.utcoffset() for each in found} == {timedelta(hours=1), timedelta(hours=2)}


@pytest.mark.parametrize(("monday", "hours"), [("2027-03-29", 47), ("2027-11-01", 49), ("2027-06-07", 48)])
def test_two_days_may_be_an_hour_shorter_or_longer_in_the_world(monday: str, hours: int) -> None:
    found = next(each for each in runs(timetable("0 3 * * 6"), year=2027) if f"{each:%Y-%m-%d}" == monday)
    assert f"{found:%A %H:%M}" == "Monday 03:00"
    saturday = datetime.fromisoformat(f"{monday}T03:00").replace(tzinfo=BERLIN) - timedelta(days=2)
    assert found.astimezone(UTC) - saturday.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.parametrize("sunday", ["28 3", "31 10"])
def test_an_hour_that_is_skipped_or_comes_twice_is_taken_as_airflow_takes_it(sunday: str) -> None:
    # Two days before the Sunday on which clocks change at night, and the Sunday itself.
    day, month = map(int, sunday.split())
    shifted = timetable(f"30 2 {day - 2} {month} *")
    plain = CronTriggerTimetable(f"30 2 {sunday} *", timezone="Europe/Berlin")
    assert runs(shifted, year=2027) == runs(plain, year=2027)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 366 * 24 * 60), st.sampled_from(["0 3 * * 2#2", "30 2 * * *", "15 1,2,3 * * 0", "0 0 1 * *"]))
def test_without_an_offset_it_is_airflows_own(minutes: int, cron: str) -> None:
    now = pendulum.datetime(2027, 1, 1).add(minutes=minutes)
    ours, plain = timetable(cron, timedelta(0)), CronTriggerTimetable(cron, timezone="Europe/Berlin")
    for name in ("_get_next", "_get_prev", "_align_to_next", "_align_to_prev"):
        assert getattr(ours, name)(now) == getattr(plain, name)(now), name


def test_a_policy_without_an_offset_gets_airflows_own() -> None:
    plain = schedule(PATCHING, timedelta(0), Berlin)
    assert type(plain) is PlainDefinition
    assert plain.run_immediately == timedelta(0)


def test_the_inventory_judges_the_runs_that_airflow_makes() -> None:
    judged = starts.starts(PATCHING, timedelta(days=2), "Europe/Berlin")
    assert list(judged[:12]) == runs(timetable(), year=2027)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=1), timedelta(hours=1), timedelta(days=20)])
def test_unpausing_fires_no_start_that_was_missed(monkeypatch: pytest.MonkeyPatch, late: timedelta) -> None:
    # The plain one would fire at a start itself and, told nothing else, for a tenth of a month after it.
    now = pendulum.datetime(2027, 3, 11, 2) + late
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: now)
    found = timetable().next_dagrun_info(last_automated_data_interval=None, restriction=ANYTHING).run_after
    assert found == (now if not late else datetime(2027, 4, 15, 1, tzinfo=UTC))


def test_of_several_starts_missed_between_runs_only_the_last_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow.timetables.trigger.utcnow", lambda: pendulum.datetime(2027, 6, 20))
    january = DataInterval.exact(pendulum.datetime(2027, 1, 14, 2))
    found = timetable().next_dagrun_info(last_automated_data_interval=january, restriction=ANYTHING)
    assert found.run_after == datetime(2027, 6, 10, 1, tzinfo=UTC)


def test_a_dag_with_an_offset_is_written_down_and_read_again(tmp_path: Path) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    (tmp_path / "patching.py").write_text(DAG_FILE)
    bag = DagBag(str(tmp_path))
    assert bag.import_errors == {}
    dag = bag.dags["patching.berlin"]
    kept = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    again = DagSerialization.from_dict(kept).timetable
    assert again == dag.timetable == timetable()
    assert runs(again, year=2027) == runs(timetable(), year=2027)
    assert again._run_immediately == timedelta(0)
    assert again.serialize() == timetable().serialize()
    assert again != timetable(offset=timedelta(days=3))
    assert again != CronTriggerTimetable(PATCHING, timezone="Europe/Berlin")


def test_an_environment_with_an_offset_has_a_dag_that_airflow_can_keep(tmp_path: Path) -> None:
    written = (ROOT / "include/environments/production.yaml").read_text()
    policy = "    schedule: 0 1 * * 0\n    offset: PT0S\n"
    assert written.count(policy) == 1
    own = written.replace(policy, "    schedule: 0 3 * * 2#2\n    offset: P2D\n")
    (tmp_path / "production.yaml").write_text(own)
    probe = f"""
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag({str(ROOT / "dags/security_patching.py")!r})
dag = bag.dags["security_patching.production"]
print(bag.import_errors, DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable.summary)
"""
    env = os.environ | {"PYTHONPATH": str(ROOT / "include"), "DAY2_INVENTORY": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines()[-1] == "{} 0 3 * * 2#2 + 2 days, Europe/Berlin"


@pytest.mark.parametrize(
    ("offset", "words"),
    [(timedelta(days=1), "1 day"), (timedelta(days=2), "2 days"), (timedelta(days=1, hours=6), "1 day 6:00:00")],
)
def test_the_list_of_dags_shows_the_offset_and_the_zone(offset: timedelta, words: str) -> None:
    assert timetable(offset=offset).summary == f"0 3 * * 2#2 + {words}, Europe/Berlin"
    assert (
        timetable(offset=offset).description
        == f"At 03:00, on the second Tuesday of the month, then {words} later (Europe/Berlin)"
    )


def test_a_process_that_needs_no_timetable_does_not_pay_for_it() -> None:
    probe = """
import sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
assert not errors, errors
loaded = [each in sys.modules for each in ("day2.airflow.timetable", "day2.web.app")]
print(*loaded, *sorted(plugins_manager.get_timetables_plugins()))
"""
    env = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.splitlines()[-1] == "False False day2.airflow.timetable.OffsetCronTimetable"
