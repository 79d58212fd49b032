"""The exhaustion date: met exactly is met, the early date comes first, and nothing is said beyond the horizon."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.operations.capacity_review.exhaustion import exhaustion, thresholds
from day2.operations.capacity_review.forecast import Forecast
from day2.operations.capacity_review.headroom import POLICIES, Headroom, judge
from tests.unit.capacity.frames import forecast, line

GROWING = forecast(line(400, slope=1.0, noise=2.0))  # about 500 now, 590 at the horizon
FLAT = forecast([100.0] * 200)
TOO_SHORT = forecast([1.0, 2.0, 3.0])
PRODUCTION = POLICIES["production"]


def test_the_date_is_the_one_that_growth_leads_to():
    found = exhaustion(GROWING, current=499.0, limit=540.0)
    assert found.kind == "expected"
    assert abs((found.expected - GROWING.start).days - 40) <= 3
    assert GROWING.start < found.early <= found.expected <= found.late


def test_a_limit_met_exactly_is_met():
    assert exhaustion(GROWING, current=500.0, limit=500.0).kind == "met_now"
    assert exhaustion(GROWING, current=499.9, limit=500.0).kind == "expected"


def by_hand(kind, *peaks):
    """A forecast whose early, middle and late paths are given, a day a value."""
    low, middle, high = peaks
    day = date(2027, 1, 1)
    return Forecast(
        name="it", kind=kind, start=day, points=90, median=middle, peak_low=low, peak=middle, peak_high=high
    )


def test_a_day_counts_on_which_the_limit_is_met_exactly():
    found = exhaustion(by_hand("trend", (1.0, 2.0, 3.0), (2.0, 3.0, 4.0), (3.0, 4.0, 5.0)), current=1.0, limit=3.0)
    assert [each.day for each in (found.early, found.expected, found.late)] == [1, 2, 3]


def test_without_a_trend_a_date_is_possible_and_never_expected():
    found = exhaustion(by_hand("no_trend", (1.0, 2.0, 3.0), (2.0, 3.0, 4.0), (3.0, 4.0, 5.0)), current=1.0, limit=3.0)
    assert (found.kind, found.expected, found.late) == ("possible", None, None)


def test_a_limit_beyond_the_horizon_has_no_date():
    found = exhaustion(GROWING, current=499.0, limit=5000.0)
    assert (found.kind, found.early, found.expected) == ("not_before", None, None)
    assert found.text == f"not before {GROWING.horizon}"


def test_what_does_not_grow_has_no_date():
    assert exhaustion(FLAT, current=100.0, limit=101.0).kind == "no_trend"


def test_without_a_forecast_the_reason_is_the_answer():
    found = exhaustion(TOO_SHORT, current=3.0, limit=10.0)
    assert (found.kind, found.text) == ("unknown", "not enough: 3 days of history, 30 are needed")


def test_only_the_early_date_is_a_possibility_and_no_expectation():
    limit = (GROWING.median[-1] + GROWING.high[-1]) / 2
    found = exhaustion(GROWING, current=499.0, limit=limit)
    assert found.kind == "possible"
    assert found.text.startswith(f"possible from {found.early} on (10 % chance), not expected before")


def test_static_thresholds_stand_beside_every_forecast():
    assert [each.is_met for each in thresholds(TOO_SHORT, current=9.0, limit=10.0)] == [True, True]
    eighty, ninety = thresholds(GROWING, current=500.0, limit=600.0)
    assert (eighty.is_met, ninety.is_met) == (True, False)
    assert abs((ninety.expected - GROWING.start).days - 40) <= 4


@given(st.floats(501, 2000), st.floats(1, 500))
def test_a_higher_limit_is_never_reached_earlier(limit, more):
    lower, higher = (exhaustion(GROWING, current=499.0, limit=each) for each in (limit, limit + more))
    for each in ("early", "expected", "late"):
        first, then = getattr(lower, each), getattr(higher, each)
        assert then is None or (first is not None and first <= then)


def test_what_may_be_full_before_more_can_be_had_needs_an_act():
    soon = judge(GROWING, current=400.0, limit=540.0, policy=PRODUCTION)
    assert soon.standing == "act"
    assert soon.act_by < GROWING.start
    quick = Headroom(share=0.1, lead=timedelta(days=2))
    assert judge(GROWING, current=400.0, limit=580.0, policy=quick).standing == "plan"


def test_more_headroom_changes_what_is_said():
    small, large = (Headroom(share=share, lead=timedelta(days=1)) for share in (0.2, 0.3))
    assert judge(GROWING, current=499.0, limit=740.0, policy=small).standing == "enough"
    assert judge(GROWING, current=499.0, limit=740.0, policy=large).standing == "plan"


@pytest.mark.parametrize(
    ("current", "standing"), [(10.0, "full"), (9.0, "act"), (8.99, "plan"), (7.5, "plan"), (7.4, "unknown")]
)
def test_a_threshold_is_heeded_without_a_forecast(current, standing):
    assert judge(TOO_SHORT, current=current, limit=10.0, policy=PRODUCTION).standing == standing


def test_what_does_not_grow_and_has_room_is_enough():
    found = judge(FLAT, current=100.0, limit=1000.0, policy=PRODUCTION)
    assert (found.standing, found.why, found.act_by) == ("enough", "no trend that can be told from noise", None)


def test_a_step_that_may_come_again_moves_the_early_date_and_not_the_expected_one():
    values = [each + 300 * (day >= 322) for day, each in enumerate(line(400, noise=0.5))]
    found = exhaustion(forecast(values), current=799.0, limit=860.0)
    assert abs((found.expected - GROWING.start).days - 60) <= 4
    assert (found.expected - found.early).days > 20


def test_noise_reaches_a_limit_before_the_line_does():
    noisy = forecast(line(400, slope=0.2, noise=8.0))
    found = exhaustion(noisy, current=180.0, limit=205.0)
    assert found.expected < noisy.start + timedelta(
        days=next(d for d, v in enumerate((*noisy.median, 205.0)) if v >= 205)
    )


def test_what_would_keep_the_headroom_is_said():
    found = judge(GROWING, current=499.0, limit=600.0, policy=PRODUCTION)
    assert found.needed == pytest.approx(590 / 0.75, rel=0.02)
    assert judge(GROWING, current=499.0, limit=900.0, policy=PRODUCTION).needed is None
    assert judge(TOO_SHORT, current=9.0, limit=10.0, policy=PRODUCTION).needed is None
