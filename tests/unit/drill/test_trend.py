"""Forecasts: right where the truth is known, modest where it is not."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from day2.operations.dr_drill import trend
from day2.operations.dr_drill.trend import Sample
from tests.unit.drill.drills import T0, Drill, backups

NOW = datetime(2026, 11, 15, tzinfo=UTC)
RATE = 50e6


def history(count: int, *, start: float = 2e9, per_day: float = 5e6, rate: float = RATE) -> list[Sample]:
    """One restore test a day until NOW, all on a straight line."""
    made = []
    for day in range(count):
        amount = round(start + per_day * day)
        when = NOW - timedelta(days=count - 1 - day)
        made.append(Sample(when=when, source_bytes=amount, restore_seconds=amount / rate))
    return made


def test_on_a_straight_line_the_date_is_exact() -> None:
    having = history(60)
    days = 40
    rto = (having[-1].source_bytes + days * 5e6) / RATE
    told = trend.forecast("orders", having, rto_seconds=rto, now=NOW)
    assert told.kind == "missed_from"
    assert told.expected is not None
    assert abs(told.expected - (NOW + timedelta(days=days))) < timedelta(hours=1)
    assert "missed by a restore from 2026-Q4 on" in told.text


def test_under_five_days_of_samples_nothing_is_foretold() -> None:
    having = history(4) + history(4)
    told = trend.forecast("orders", having, rto_seconds=60, now=NOW)
    assert (told.kind, told.expected) == ("too_few", None)
    assert told.text.startswith("not enough samples: 4 days")


def test_without_growth_there_is_no_date() -> None:
    having = history(30, per_day=0)
    assert trend.forecast("orders", having, rto_seconds=60, now=NOW).kind == "no_growth"


def test_noise_around_a_level_is_no_growth() -> None:
    having = [
        Sample(when=each.when, source_bytes=2_000_000_000 + (-1) ** day * 10**7, restore_seconds=40.0)
        for day, each in enumerate(history(30))
    ]
    assert trend.forecast("orders", having, rto_seconds=60, now=NOW).kind == "no_growth"


def test_what_is_too_slow_today_is_said_of_today() -> None:
    told = trend.forecast("orders", history(30), rto_seconds=30, now=NOW)
    assert (told.kind, told.expected) == ("missed_now", NOW)


def test_one_wild_sample_does_not_move_the_date_much() -> None:
    having = history(60)
    rto = (having[-1].source_bytes + 40 * 5e6) / RATE
    having[20] = Sample(when=having[20].when, source_bytes=40_000_000_000, restore_seconds=800.0)
    told = trend.forecast("orders", having, rto_seconds=rto, now=NOW)
    assert told.expected is not None
    assert abs(told.expected - (NOW + timedelta(days=40))) < timedelta(days=3)


sizes = st.integers(min_value=10**6, max_value=10**13)
seconds = st.floats(min_value=0.5, max_value=10**5)
sampled = st.lists(st.tuples(st.integers(0, 400), sizes, seconds), min_size=1, max_size=25)


@settings(max_examples=150, deadline=None)
@given(sampled, st.floats(min_value=1, max_value=10**6))
def test_whatever_the_history_a_forecast_keeps_its_limits(rows: list[tuple[int, int, float]], rto: float) -> None:
    having = sorted(
        (Sample(when=NOW - timedelta(days=ago), source_bytes=size, restore_seconds=took) for ago, size, took in rows),
        key=lambda each: each.when,
    )
    told = trend.forecast("orders", having, rto_seconds=rto, now=NOW)
    reach = NOW + 3 * (having[-1].when - having[0].when)
    dates = [each for each in (told.early, told.expected, told.late) if each is not None]
    assert dates == sorted(dates)
    assert all(NOW <= each <= reach for each in dates)
    assert (told.kind == "too_few") == (len({each.when.date() for each in having}) < 5)
    assert (told.expected is not None) == (told.kind in ("missed_now", "missed_from"))
    assert told.text


@settings(max_examples=60, deadline=None)
@given(st.integers(10, 80), st.floats(1e6, 1e8), st.floats(1e7, 1e9), st.floats(0.1, 2.5))
def test_on_any_straight_line_the_size_at_the_date_takes_the_rto(
    count: int, per_day: float, rate: float, ahead: float
) -> None:
    having = history(count, per_day=per_day, rate=rate)
    rto = (having[-1].source_bytes + ahead * (count - 1) * per_day) / rate
    told = trend.forecast("orders", having, rto_seconds=rto, now=NOW)
    assert told.expected is not None
    days = (told.expected - NOW).total_seconds() / 86400
    assert math.isclose((having[-1].source_bytes + days * per_day) / rate, rto, rel_tol=1e-3)


def test_only_restore_tests_that_succeeded_are_samples() -> None:
    records = [each.body for each in backups(8)]
    records[3]["targets"] = {"succeeded": [], "failed": ["orders"]}
    records[4]["measures"]["orders"]["restore_test"] = {}
    assert len(trend.samples(records, "orders")) == 6
    assert trend.samples(records, "billing") == []


def test_drills_are_points_also_those_that_measured_nothing() -> None:
    failed = Drill(1, at=T0).plan().record("FAILED").entries[-1].body
    passed = Drill(2, at=T0).plan().record(rto_seconds=12.5, rpo_seconds=0.0, lost=0).entries[-1].body
    points = list(trend.points([failed, passed]))
    assert [(each.verdict, each.rto_seconds) for each in points] == [("FAILED", None), ("PASSED", 12.5)]


def test_quarters_are_named() -> None:
    assert [trend.quarter(datetime(2027, month, 1, tzinfo=UTC)) for month in (1, 3, 4, 12)] == [
        "2027-Q1",
        "2027-Q1",
        "2027-Q2",
        "2027-Q4",
    ]


def test_it_looks_ahead_three_times_as_far_as_back_and_no_further() -> None:
    having = history(10)
    for days, kind in ((26, "missed_from"), (28, "not_before")):
        rto = (having[-1].source_bytes + days * 5e6) / RATE
        assert trend.forecast("orders", having, rto_seconds=rto, now=NOW).kind == kind
    told = trend.forecast("orders", having, rto_seconds=rto, now=NOW)
    assert (told.early, told.expected, told.late) == (None, None, None)
    assert told.text.startswith("not missed before 2026-Q4, which is as far as this history can look")


def test_where_rates_differ_the_slowest_says_how_early_it_may_be() -> None:
    having = [
        Sample(when=each.when, source_bytes=each.source_bytes, restore_seconds=each.source_bytes / rate)
        for each, rate in zip(history(40), [40e6, 50e6, 50e6, 60e6] * 10, strict=True)
    ]
    rto = (having[-1].source_bytes + 150 * 5e6) / 50e6
    told = trend.forecast("orders", having, rto_seconds=rto, now=NOW)
    assert told.kind == "not_before"
    assert told.early is not None
    assert told.text.startswith("may be missed from")
