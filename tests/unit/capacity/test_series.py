"""Samples become daily maxima: a gap is no zero, and nothing is believed twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.operations.capacity_review.series import DAY, Incident, Rules, Samples, daily, rates
from tests.unit.capacity.frames import NOW, hours

COUNTER = Rules(is_counter=True)


def read(*pairs, rules=None):
    return daily(Samples.of(pairs), now=NOW, rules=rules)


def at(day, hour=12):
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def test_a_day_is_its_maximum():
    frame = read((at(20, 1), 3.0), (at(20, 9), 7.0), (at(20, 20), 5.0), (at(21), 1.0), (at(22), 2.0))
    assert frame.start == date(2026, 11, 20)
    assert frame.values.tolist() == [7.0, 1.0, 2.0]


def test_a_day_without_samples_is_a_gap_and_not_a_zero():
    frame = read((at(19), 3.0), (at(22), 4.0))
    assert np.isnan(frame.values).tolist() == [False, True, True, False]
    assert (frame.points, frame.current) == (2, 4.0)


def test_a_source_that_went_down_leaves_a_gap_up_to_yesterday():
    frame = read((at(18), 3.0), (at(19), 4.0))
    assert len(frame.values) == 5
    assert np.isnan(frame.values[2:]).all()


def test_a_missing_or_impossible_value_is_a_gap():
    frame = read((at(20), 3.0), (at(21), None), (at(22), float("nan")), (at(22, 13), float("inf")))
    assert frame.points == 1
    assert frame.dropped == {"not a number": 2}


def test_today_is_not_over_so_it_says_nothing():
    assert read((at(22), 5.0), (at(23, 5), 99.0)).values.tolist() == [5.0]


def test_of_duplicates_the_highest_counts_once():
    frame = read((at(22), 5.0), (at(22), 8.0), (at(22), 8.0))
    assert frame.values.tolist() == [8.0]
    assert frame.dropped == {"duplicates": 2}


def test_samples_from_the_future_are_not_believed():
    frame = read((at(22), 5.0), (NOW + timedelta(minutes=6), 99.0))
    assert frame.values.tolist() == [5.0]
    assert frame.dropped == {"from the future": 1}


def test_a_clock_that_fell_back_to_1970_does_not_make_half_a_century_of_gaps():
    frame = read((datetime(1970, 1, 2, tzinfo=UTC), 5.0), (at(22), 6.0))
    assert frame.values.tolist() == [6.0]
    assert frame.dropped == {"from long ago": 1}


def test_no_samples_are_an_empty_frame():
    frame = read()
    assert (frame.points, frame.current, len(frame.values)) == (0, None, 0)
    assert read(rules=COUNTER).points == 0


def test_the_days_of_an_incident_are_marked_and_left_out():
    incident = Incident(at(20, 23), at(21, 2), "runaway log")
    frame = read((at(19), 1.0), (at(20), 900.0), (at(21), 900.0), (at(22), 2.0), rules=Rules(incidents=(incident,)))
    assert frame.points == 2
    assert np.isnan(frame.values[1:3]).all()
    assert frame.incidents == (incident,)


def test_an_incident_before_the_first_sample_changes_nothing():
    early = Incident(at(1), at(2), "before our time")
    assert read((at(21), 1.0), (at(22), 2.0), rules=Rules(incidents=(early,))).values.tolist() == [1.0, 2.0]


def test_a_counter_that_was_reset_goes_on_from_zero():
    seconds = np.array([0.0, 10.0, 20.0, 30.0])
    when, rate, resets = rates(seconds, np.array([100.0, 200.0, 50.0, 150.0]))
    assert when.tolist() == [10.0, 20.0, 30.0]
    assert rate.tolist() == [10.0, 5.0, 10.0]
    assert resets == 1


def test_a_counter_has_no_rate_over_a_long_silence():
    _, rate, _ = rates(np.array([0.0, 10.0, 3 * DAY]), np.array([0.0, 100.0, 10**9]))
    assert rate.tolist() == [10.0]


def test_resets_are_told():
    frame = read((at(22, 1), 10.0), (at(22, 2), 20.0), (at(22, 3), 4.0), rules=COUNTER)
    assert frame.dropped == {"counter resets": 1}
    assert frame.current == pytest.approx(10 / 3600)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=40), st.integers(0, 10**6))
def test_a_rate_is_never_negative(values, start):
    seconds = start + 60.0 * np.arange(len(values))
    _, rate, _ = rates(seconds, np.array(values, dtype=float))
    assert (rate >= 0).all()


@given(st.permutations(list(range(30))))
def test_the_order_of_arrival_does_not_matter(order):
    pairs = list(zip(hours(30), range(30), strict=True))
    mixed = daily(Samples.of(pairs[number] for number in order), now=NOW)
    assert np.array_equal(mixed.values, daily(Samples.of(pairs), now=NOW).values)
