"""Levels: a threshold that is met counts, noise does not flap, silence is an alarm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.metrics.thresholds import Judged, Rule, Seen, Standing, judge

BEGIN = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DISK = Rule(warning=80, critical=90, margin=5, hold=2 * MINUTE)


def seen(*values: float, begin: datetime = BEGIN) -> list[Seen]:
    """One value a minute."""
    return [Seen(begin + number * MINUTE, value) for number, value in enumerate(values)]


def after(*values: float, rule: Rule = DISK, standing: Standing = Standing()) -> Judged:
    samples = seen(*values)
    return judge(rule, standing, samples, now=samples[-1].at)


def levels(found: Judged) -> list[str]:
    return [each.after for each in found.changes]


def test_a_threshold_that_is_exactly_met_counts():
    assert levels(after(80, 80, 80)) == ["warning"]
    assert levels(after(79.99, 79.99, 79.99)) == []


def test_a_level_has_to_last():
    assert levels(after(95, 95, 50)) == []
    assert levels(after(95, 95, 95)) == ["critical"]


def test_a_warning_becomes_critical_and_says_what_was_good_last():
    found = after(50, 85, 85, 85, 92, 92, 92)
    assert levels(found) == ["warning", "critical"]
    assert [each.last_good for each in found.changes] == [Seen(BEGIN, 50)] * 2


def test_a_value_around_the_threshold_is_told_once():
    found = after(81, 81, 81, *[79, 81] * 20)
    assert levels(found) == ["warning"]


def test_it_is_well_again_only_below_the_margin():
    assert levels(after(81, 81, 81, 76, 76, 76)) == ["warning"]
    assert levels(after(81, 81, 81, 74, 74, 74)) == ["warning", "ok"]


def test_low_values_may_be_the_bad_ones():
    rule = Rule(warning=20, critical=10, above=False, margin=5)
    assert levels(after(30, 20, 10, 14, 16, 24, 26, rule=rule)) == ["warning", "critical", "warning", "ok"]


def test_silence_is_an_alarm_once_and_the_next_sample_ends_it():
    well = after(50)
    silent = judge(DISK, well.standing, [], now=BEGIN + DISK.absent_after)
    assert levels(silent) == ["absent"]
    assert judge(DISK, silent.standing, [], now=BEGIN + 2 * DISK.absent_after).changes == ()
    back = judge(DISK, silent.standing, seen(95, begin=BEGIN + timedelta(hours=1)), now=BEGIN + timedelta(hours=1))
    assert levels(back) == ["critical"]


def test_a_clock_that_is_ahead_is_not_believed():
    found = judge(DISK, Standing(), [Seen(BEGIN + timedelta(hours=1), 99)], now=BEGIN)
    assert (found.changes, found.dropped) == ((), {"from the future": 1})
    assert found.standing.newest is None


@pytest.mark.parametrize("times", [2, 3])
def test_the_same_samples_again_change_nothing(times: int):
    samples = seen(85, 85, 85)
    first = judge(DISK, Standing(), samples * times, now=samples[-1].at)
    again = judge(DISK, first.standing, samples, now=samples[-1].at)
    assert levels(first) == ["warning"]
    assert (again.standing, again.changes) == (first.standing, ())


@given(st.lists(st.floats(70, 100), min_size=1, max_size=40), st.integers(0, 3))
def test_every_level_followed_the_one_before_and_had_lasted(values: list[float], hold: int):
    rule = Rule(warning=80, critical=90, margin=5, hold=hold * MINUTE)
    found = after(*values, rule=rule)
    befores = ["ok", *(each.after for each in found.changes)]
    assert [each.before for each in found.changes] == befores[:-1]
    assert all(each.before != each.after for each in found.changes)
    ranks = {"ok": 0, "warning": 1, "critical": 2}
    for change in found.changes:
        lately = [each.value for each in seen(*values) if change.at - rule.hold <= each.at <= change.at]
        if ranks[change.after] > ranks[change.before]:
            assert all(value >= (80 if change.after == "warning" else 90) for value in lately)
        else:
            assert all(value < (75 if change.after == "ok" else 85) for value in lately)


def test_what_is_bad_all_the_time_is_told_however_bad_it_is_in_between():
    assert levels(after(*[85, 95] * 3)) == ["warning"]
    assert levels(after(95, 95, 95, *[82, 70] * 3)) == ["critical", "warning"]


def test_what_becomes_worse_on_its_way_is_critical_when_that_lasted():
    found = after(50, 85, 95, 95, 95, 95)
    assert [(each.after, each.at) for each in found.changes] == [
        ("warning", BEGIN + 3 * MINUTE),
        ("critical", BEGIN + 4 * MINUTE),
    ]


def test_of_two_values_of_one_moment_the_higher_counts_and_the_other_is_counted():
    rule = Rule(warning=80)
    found = judge(rule, Standing(), [Seen(BEGIN, 10), Seen(BEGIN, 90)], now=BEGIN)
    assert levels(found) == ["warning"]
    assert found.dropped == {"old or a duplicate": 1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_no_value(value: float):
    found = judge(Rule(warning=80), Standing(), [Seen(BEGIN, value)], now=BEGIN)
    assert (levels(found), found.dropped, found.standing.newest) == ([], {"not a number": 1}, None)


@given(st.lists(st.floats(75.01, 84.99), min_size=3, max_size=60))
def test_noise_within_the_margin_is_told_at_most_once(values: list[float]):
    assert len(after(*values, rule=Rule(warning=80, margin=5)).changes) <= 1


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(0, 30))
def test_it_does_not_matter_how_samples_are_delivered(values: list[float], cut: int):
    samples = seen(*values)
    whole = judge(DISK, Standing(), samples, now=samples[-1].at)
    first = judge(DISK, Standing(), samples[:cut], now=samples[-1].at if cut >= len(samples) else BEGIN + cut * MINUTE)
    rest = judge(DISK, first.standing, samples[cut:], now=samples[-1].at)
    assert rest.standing == whole.standing
    assert first.changes + rest.changes == whole.changes
