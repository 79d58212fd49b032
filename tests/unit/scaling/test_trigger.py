"""When health_check asks for a resource to be scaled, and when it keeps quiet."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given

from day2.operations.scale_resource.choose import rules
from day2.operations.scale_resource.decide import Now, Rules, bounds, decide
from day2.operations.scale_resource.trigger import wanted
from tests.unit.scaling.making import AT, STORAGE, resource
from tests.unit.scaling.test_decide import situations

RULES = rules(resource())


@pytest.mark.parametrize(
    ("used", "direction"),
    [(75, "more"), (74.99, None), (30, "less"), (30.01, None), (400, "more"), (0, "less"), (None, None)],
)
def test_a_threshold_that_is_exactly_met_counts(used: float | None, direction: str | None):
    assert wanted(RULES, used, None, AT) == direction


def test_it_is_not_asked_again_within_the_cooldown():
    assert wanted(RULES, 99, AT - timedelta(minutes=14, seconds=59), AT) is None
    assert wanted(RULES, 99, AT - timedelta(minutes=15), AT) == "more"


def test_nobody_asks_for_less_of_what_is_never_made_less():
    store = rules(resource(driver=STORAGE, less_at=None))
    assert wanted(store, 0, None, AT) is None
    assert wanted(store, 75, None, AT) == "more"


@given(situations())
def test_whatever_a_run_would_do_because_of_use_is_asked_for(situation: tuple[Rules, Now]):
    allowed, here = situation
    lowest, highest = bounds(allowed, here)
    decision = decide(allowed, here)
    if lowest <= here.rung <= highest and decision.direction != "stay":
        assert wanted(allowed, here.used, None, here.at) == decision.direction
