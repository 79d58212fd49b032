"""A forecast is made from enough, holds what it says, and refuses otherwise."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.made_series import make
from day2.operations.capacity_review.forecast import Forecast, forecasts
from day2.operations.capacity_review.methods import BASELINE
from day2.operations.capacity_review.series import Daily
from tests.unit.capacity.frames import START, forecast, frame, line


def paths(made: Forecast) -> np.ndarray:
    return np.array([made.low, made.median, made.high])


def test_growth_is_found_and_gone_on_with():
    made = forecast(line(400, slope=2.0))
    assert made.kind == "trend"
    assert made.slope == pytest.approx(2.0, rel=0.02)
    assert made.median[-1] == pytest.approx(100 + 2 * 489, rel=0.02)
    assert made.slope_low <= made.slope <= made.slope_high
    assert made.start == START + timedelta(days=400)
    assert made.beats_baseline


def test_three_days_are_not_enough():
    made = forecast([1.0, 2.0, 3.0])
    assert (made.kind, made.why) == ("refused", "not enough: 3 days of history, 30 are needed")
    assert made.median == ()


def test_nothing_at_all_is_not_enough():
    assert forecast([]).why == "not enough: 0 days of history, 30 are needed"
    assert forecast([float("nan")] * 100).kind == "refused"


def test_thirty_days_are_enough_and_twenty_nine_are_not():
    assert forecast(line(29)).kind == "refused"
    assert forecast(line(30)).kind != "refused"


def test_it_never_looks_further_than_it_can_look_back():
    assert len(forecast(line(40)).median) == 40
    assert len(forecast([float("nan")] * 60 + line(40)).median) == 40
    assert len(forecast([5.0] + [float("nan")] * 300 + line(40)).median) == 41
    assert len(forecast(line(400), ahead=90).median) == 90


def test_what_was_not_seen_for_long_is_not_forecast():
    made = forecast(line(100) + [float("nan")] * 15)
    assert made.why == f"nothing was seen since {START + timedelta(days=99)}"
    assert forecast(line(100) + [float("nan")] * 5).kind == "trend"


def test_a_constant_stays_what_it_is():
    made = forecast([42.0] * 200)
    assert made.kind == "no_trend"
    assert set(made.low) | set(made.median) | set(made.high) == {42.0}
    assert not made.beats_baseline


def test_zeros_stay_zeros():
    assert set(forecast([0.0] * 60).high) == {0.0}


def test_noise_without_growth_has_no_trend():
    random = np.random.default_rng(3)
    assert forecast((100 + random.normal(0, 5, 300)).tolist()).kind == "no_trend"


def test_negative_values_are_forecast_like_others():
    made = forecast(line(300, slope=-1.0, base=0))
    assert made.median[-1] == pytest.approx(-389, rel=0.03)


def test_what_was_never_negative_is_not_expected_to_be():
    made = forecast([max(0.0, each) for each in line(300, slope=-1.0, base=290)])
    assert min(made.low) >= 0


def test_an_exploding_series_gives_numbers_that_can_be_used():
    made = forecast([10.0 ** (day / 1.2) for day in range(360)])
    assert np.isfinite(paths(made)).all()
    assert made.median[0] > 0


def test_one_step_is_found_and_not_taken_for_growth():
    values = [each + 500 * (day >= 200) for day, each in enumerate(line(300, slope=1.0))]
    made = forecast(values)
    assert [(each.kind, round(each.amount, -1)) for each in made.steps] == [("step", 500)]
    assert abs((made.steps[0].since - START).days - 200) <= 7
    assert made.slope == pytest.approx(1.0, rel=0.05)


def test_one_purge_is_found_and_growth_goes_on_from_the_new_level():
    values = [each - 150 * (day >= 270) for day, each in enumerate(line(300, slope=1.0))]
    made = forecast(values)
    assert [each.kind for each in made.steps] == ["purge"]
    assert made.median[-1] == pytest.approx(100 + 389 - 150, rel=0.05)


def test_purges_that_come_each_month_are_not_growth():
    random = np.random.default_rng(2)
    values = [100 + 3 * (day % 28) + float(random.normal()) for day in range(400)]
    made = forecast(values)
    assert made.kind == "no_trend"
    assert max(made.median) < 200


def test_a_weekly_pattern_is_forecast_weekday_by_weekday():
    values = [100 + 40 * ((START + timedelta(days=day)).weekday() < 5) for day in range(200)]
    made = forecast(values, ahead=14)
    expected = [100 + 40 * ((made.start + timedelta(days=day)).weekday() < 5) for day in range(14)]
    assert made.median == pytest.approx(expected)


def test_gaps_do_not_bend_the_line():
    values = line(300, slope=2.0, noise=0.0)
    values[100:130] = [float("nan")] * 30
    values[250:252] = [float("nan")] * 2
    assert forecast(values).median == pytest.approx([100 + 2 * day for day in range(300, 390)], rel=1e-3)


def test_when_nothing_beats_the_last_week_the_last_week_is_used():
    values = [float(day % 7) for day in range(100)]
    made = forecast(values)
    assert (made.method, made.beats_baseline) == (BASELINE, False)


def test_a_random_walk_is_hardly_ever_said_to_have_a_trend():
    random = np.random.default_rng(8)
    walks = {str(row): frame(random.normal(size=400).cumsum()) for row in range(60)}
    found = forecasts(walks).values()
    assert sum(each.kind == "trend" for each in found) < 0.2 * len(walks)


def test_a_forecast_does_not_depend_on_the_others():
    series = make(12, days=200)
    others = {str(row): Daily(START, values) for row, values in enumerate(series.history)}
    others |= {"short": frame(line(50)), "long": frame(line(420))}
    together = forecasts(others)
    for name, each in others.items():
        assert forecasts({name: each})[name] == together[name]


def test_a_forecast_survives_the_record():
    made = forecast([each + 500 * (day >= 200) for day, each in enumerate(line(300))])
    assert Forecast.from_dict(json.loads(json.dumps(made.as_dict()))) == made


@pytest.mark.parametrize("days", [120, 250, 400])
def test_intervals_hold_what_they_promise_on_held_out_series(days):
    made = make(200, days=days, seed=77)
    found = forecasts({str(row): Daily(date(2026, 1, 1), values) for row, values in enumerate(made.history)})
    low, median, high = (
        np.array([getattr(each, path) for each in found.values()]) for path in ("low", "median", "high")
    )
    covered = ((low <= made.future) & (made.future <= high)).mean()
    naive = np.array([np.resize(each.baseline, 90) for each in found.values()])
    assert covered > 0.75
    assert np.abs(median - made.future).mean() < 0.6 * np.abs(naive - made.future).mean()


@settings(max_examples=60, deadline=None)
@given(
    arrays(float, st.integers(30, 80), elements=st.floats(-1e300, 1e300) | st.just(float("nan"))),
)
def test_whatever_the_values_bounds_are_in_order_and_finite_or_there_is_a_reason(values):
    made = forecast(values.tolist())
    if made.kind == "refused":
        assert made.why
        return
    low, median, high = paths(made)
    assert np.isfinite(paths(made)).all()
    assert (low <= median).all()
    assert (median <= high).all()
    assert len(median) <= len(values)
