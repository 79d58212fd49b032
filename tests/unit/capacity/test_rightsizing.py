"""Larger and smaller by the same rules, with the risk and the basis of the cost said."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.operations.capacity_review.rightsizing import CostBasis, Offer, Percentiles, Policy, Size, Use, propose, risk

BASIS = CostBasis(kind="list price", currency="EUR", source="price list", as_of=date(2026, 11, 1))
SMALL, MIDDLE, LARGE = (
    Size(name=name, capacity={"cpu": cpu, "memory": 4 * cpu}, cost_month=cost)
    for name, cpu, cost in (("small", 2.0, 50.0), ("middle", 4.0, 100.0), ("large", 8.0, 200.0))
)
OFFER = Offer(sizes=(SMALL, MIDDLE, LARGE), basis=BASIS)


def use(cpu: float, memory: float, *, days: int = 90) -> Use:
    """So much at the peak; less at the percentiles below."""
    resources = {
        name: Percentiles(p50=0.3 * peak, p95=0.6 * peak, p99=0.8 * peak, peak=peak)
        for name, peak in (("cpu", cpu), ("memory", memory))
    }
    return Use(resources=resources, days=days)


def test_what_is_hardly_used_gets_smaller_and_the_saving_is_said():
    found = propose(use(1.0, 4.0), LARGE, offer=OFFER)
    assert (found.direction, found.to, found.cost_change, found.risk_word) == ("down", "small", -150.0, "very low")
    assert str(found.basis) == "list price, EUR, price list, 2026-11-01"


def test_what_is_short_gets_larger():
    found = propose(use(4.5, 4.0), MIDDLE, offer=OFFER)
    assert (found.direction, found.to, found.cost_change) == ("up", "large", 100.0)
    assert found.why == "cpu (90 % of middle at its 99th percentile) is short: the risk is high as it is"


def test_the_scarcest_resource_decides():
    assert propose(use(0.5, 12.0), MIDDLE, offer=OFFER).direction == "keep"


def test_what_fits_stays():
    assert propose(use(3.0, 10.0), MIDDLE, offer=OFFER).direction == "keep"


def test_a_small_saving_is_not_worth_a_change():
    slightly = Size(name="slightly less", capacity=MIDDLE.capacity, cost_month=95.0)
    offer = Offer(sizes=(slightly, MIDDLE), basis=BASIS)
    assert propose(use(3.0, 10.0), MIDDLE, offer=offer).direction == "keep"


def test_expected_growth_needs_its_room():
    assert propose(use(1.5, 6.0), MIDDLE, offer=OFFER).to == "small"
    assert propose(use(1.5, 6.0), MIDDLE, offer=OFFER, policy=Policy(growth=2.0)).to == "middle"


def test_a_few_days_are_not_enough_to_say():
    found = propose(use(1.0, 4.0, days=3), LARGE, offer=OFFER)
    assert (found.direction, found.to) == ("unknown", "large")
    assert found.why == "not enough: 3 days of use, 14 are needed"


def test_nothing_large_enough_is_said():
    assert propose(use(40.0, 4.0), LARGE, offer=OFFER).why.endswith("no size there is has enough")


@pytest.mark.parametrize(
    ("p95", "p99", "peak", "score"), [(50, 70, 80, 0), (50, 80, 81, 1), (80, 90, 100, 2),
     (80, 90, 101, 3), (101, 110, 120, 4)]
)  # fmt: skip
def test_the_risk_is_how_much_of_the_time_there_is_no_room(p95, p99, peak, score):
    assert risk(Percentiles(p50=10, p95=p95, p99=p99, peak=peak), 100, 0.8) == score


@given(st.floats(0.01, 100), st.floats(0.01, 400), st.sampled_from([SMALL, MIDDLE, LARGE]))
def test_a_change_is_never_to_a_size_whose_risk_is_not_accepted(cpu, memory, now):
    found = propose(use(cpu, memory), now, offer=OFFER)
    if found.direction in ("up", "down"):
        assert found.risk <= Policy().accepted_risk
    if found.direction == "down":
        assert found.cost_change < 0
