"""Methods are judged by what they could know at the time, and by nothing that came later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.made_series import make
from day2.operations.capacity_review import intervals, methods, robust, rolling
from day2.operations.capacity_review.rolling import Grid

MADE = make(20, days=280, ahead=0, seed=4).history
# A step that is one beside the quiet weeks before the origin, and none beside the wild ones after it.
QUIET_THEN_WILD = np.random.default_rng(6).normal(size=280) * np.where(np.arange(280) < 105, 1, 500)
QUIET_THEN_WILD[70:] += 40
VALUES = np.vstack([MADE, QUIET_THEN_WILD])


def test_what_comes_later_changes_nothing_that_was_said_before():
    then = rolling.lines(Grid.of(VALUES[:, :105]), 15)
    for name, line in rolling.lines(Grid.of(VALUES), 15).items():
        assert np.array_equal(line.ahead(90), then[name].ahead(90)), name


def test_origins_see_the_whole_horizon_where_the_history_allows():
    found = rolling.origins(57, 90)
    assert found[0] == 56
    assert sum(7 * (57 - week) >= 90 for week in found) >= 6
    assert rolling.origins(5, 30) == [4, 3]


def test_residuals_are_what_happened_less_what_was_said():
    judged = rolling.judge(Grid.of(np.arange(280.0)[None, :]), 28)
    trend = judged.missed[judged.names.index("theil_sen_90")]
    assert np.nanmax(np.abs(trend)) == pytest.approx(0, abs=1e-9)
    naive = judged.missed[judged.names.index(methods.BASELINE), 0, -1]
    assert naive.tolist() == [7.0] * 7 + [14.0] * 7 + [21.0] * 7 + [28.0] * 7


def test_days_that_nobody_saw_are_not_judged():
    values = np.arange(140.0)
    values[-5:] = np.nan
    judged = rolling.judge(Grid.of(values[None, :]), 14)
    assert np.isfinite(judged.missed[0, 0, 0]).tolist() == [True, True, *[False] * 12]


def test_a_day_with_little_before_it_is_no_origin():
    values = np.arange(140.0)
    values[:100] = np.nan
    judged = rolling.judge(Grid.of(values[None, :]), 14)
    before = [7 * week - 100 for week in rolling.origins(20, 14)]
    assert np.isfinite(judged.missed[0, 0, :, 0]).tolist() == [days >= 21 for days in before]
    assert 0 < sum(days >= 21 for days in before) < len(before)


def test_holt_follows_a_line_and_passes_over_gaps():
    medians = 10.0 * np.arange(40.0)
    medians[[7, 8, 20]] = np.nan
    assert methods.SLOPES["holt"](medians[None, :]) == pytest.approx([10.0], rel=0.01)


def test_one_wild_week_does_not_turn_a_line():
    medians = 10.0 * np.arange(13.0)
    medians[6] = 10_000
    assert methods.SLOPES["theil_sen_90"](medians[None, :]) == pytest.approx([10.0])


@given(
    arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 30)), elements=st.floats(-1e6, 1e6) | st.just(np.nan)),
    st.floats(0, 1),
)
def test_quantiles_are_those_of_numpy(values, share):
    known = np.isfinite(values).any(axis=1)
    assert np.isnan(robust.quantile(values, share)[~known]).all()
    expected = np.nanquantile(values[known], share, axis=1)
    assert robust.quantile(values, share)[known] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_intervals_never_narrow():
    residuals = np.random.default_rng(1).normal(size=(1, 8, 60))
    low, high = intervals.offsets(residuals, np.array([200.0]))
    assert (np.diff(high[0]) >= 0).all()
    assert (np.diff(low[0]) <= 0).all()


def test_beyond_what_was_measured_an_interval_grows_with_the_horizon():
    residuals = np.tile(np.arange(1.0, 61.0), (1, 8, 1))
    residuals[:, :, 30:] = np.nan
    _, high = intervals.offsets(residuals, np.array([200.0]))
    assert high[0, 59] == pytest.approx(2 * high[0, 29] * (1 + 60 / 200) / (1 + 30 / 200))
