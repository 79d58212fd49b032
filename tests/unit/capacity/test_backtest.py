"""The last forecast is held against what happened, and it is said when it was no good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from day2.operations.capacity_review.backtest import compare, publish
from day2.operations.capacity_review.series import Daily
from tests.unit.capacity.frames import START, forecast, frame, line

WHOLE = line(500)
SAID = forecast(WHOLE[:400])
HAPPENED = frame(WHOLE)


def test_a_good_forecast_is_near_and_holds_what_happened():
    found = compare(SAID, HAPPENED)
    assert found.days == 90
    assert found.error < 0.2 * found.baseline_error
    assert found.coverage > 0.7
    assert found.beats_baseline


def test_growth_that_came_on_top_is_a_bias_above_zero():
    found = compare(SAID, frame([each + 50 * (day >= 400) for day, each in enumerate(WHOLE)]))
    assert found.bias == pytest.approx(50, abs=2)
    assert found.covered == 0


def test_gaps_are_not_compared():
    values = [*WHOLE[:410], *[float("nan")] * 10, *WHOLE[420:440]]
    assert compare(SAID, frame(values)).days == 30


def test_nothing_in_common_is_nothing_to_compare():
    assert compare(SAID, frame(WHOLE[:400])) is None
    assert compare(SAID, Daily(START + timedelta(days=600), HAPPENED.values)) is None
    assert compare(forecast([1.0, 2.0, 3.0]), HAPPENED) is None


def test_a_constant_that_stayed_is_neither_better_nor_worse():
    found = compare(forecast([5.0] * 100), frame([5.0] * 150))
    assert (found.error, found.ratio, found.beats_baseline) == (0.0, 1.0, False)


def test_the_sentence_says_how_much_nearer_it_was():
    said = publish([compare(SAID, HAPPENED)], made_on=date(2026, 11, 5))
    assert said.kind == "better"
    assert said.sentence.startswith("The forecast of 2026-11-05 was nearer than repeating the last week for 1 of 1")


def test_the_sentence_says_plainly_when_it_was_worse():
    worse = replace(compare(SAID, HAPPENED), error=9.0, baseline_error=3.0, covered=9)
    said = publish([worse], made_on=date(2026, 11, 5))
    assert said.kind == "worse"
    assert "did not beat repeating the last week" in said.sentence
    assert "held 10 % of what happened" in said.sentence
    assert "static thresholds stand" in said.sentence


@pytest.mark.parametrize(("error", "kind"), [(2.9, "better"), (3.0, "worse"), (3.1, "worse")])
def test_as_good_as_the_baseline_is_not_better(error, kind):
    same = replace(compare(SAID, HAPPENED), error=error, baseline_error=3.0)
    assert publish([same], made_on=date(2026, 11, 5)).kind == kind


def test_a_first_review_says_that_there_is_nothing_to_compare():
    assert publish([], made_on=None).kind == "none"
