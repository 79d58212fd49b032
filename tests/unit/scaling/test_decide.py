"""A decision never leaves its bounds, never takes more than a step, and never goes back and forth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.operations.scale_resource.decide import Now, Rules, Rung, bounds, decide, would_use

AT = datetime(2027, 3, 7, 12, 0, tzinfo=UTC)
RULES = Rules(tuple(Rung(str(number), number, 0.5 * number) for number in range(1, 9)))


def now(rung: int, used: float | None, **fields) -> Now:
    return Now(rung, used, AT, **fields)


ladders = st.lists(st.floats(0.5, 100), min_size=1, max_size=12, unique=True).map(
    lambda found: tuple(Rung(str(number), each, each) for number, each in enumerate(sorted(found)))
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Rules, Now]:
    ladder = draw(ladders)
    rules = Rules(
        ladder, more_at=draw(st.floats(50, 95)), less_at=draw(st.floats(5, 45)), step=draw(st.integers(1, 4)),
        budget=draw(st.none() | st.floats(ladder[0].cost, 200)), approve_above=draw(st.none() | st.floats(0, 100)),
    )  # fmt: skip
    highest = len(ladder) - 1
    return rules, Now(
        draw(st.integers(0, highest)),
        draw(st.none() | st.floats(0, 400)),
        AT,
        draw(st.none() | st.integers(0, 3600).map(lambda seconds: AT - timedelta(seconds=seconds))),
        draw(st.integers(0, highest)),
        draw(st.none() | st.integers(0, highest)),
    )


@given(situations())
def test_a_decision_never_leaves_its_bounds_and_takes_one_step(situation: tuple[Rules, Now]):
    rules, here = situation
    lowest, highest = bounds(rules, here)
    decision = decide(rules, here)
    assert 0 <= decision.rung < len(rules.ladder)
    assert abs(decision.rung - here.rung) <= rules.step
    if lowest <= here.rung <= highest:
        assert lowest <= decision.rung <= highest
    else:
        distance = max(lowest - here.rung, here.rung - highest)
        assert max(lowest - decision.rung, decision.rung - highest) < distance
    assert (decision.direction == "stay") == (decision.rung == here.rung)


@given(situations())
def test_what_was_made_smaller_is_not_at_once_too_small(situation: tuple[Rules, Now]):
    rules, here = situation
    lowest, highest = bounds(rules, here)
    decision = decide(rules, here)
    if decision.direction == "less" and lowest <= here.rung <= highest:
        assert would_use(rules, here, decision.rung) <= rules.more_at - rules.margin


@given(situations(), st.lists(st.floats(0.95, 1.05), min_size=60, max_size=60))
def test_a_noisy_load_never_makes_it_go_back_and_forth(situation: tuple[Rules, Now], noise: list[float]):
    rules, here = situation
    load = (here.used or 50.0) * rules.ladder[here.rung].capacity
    at, rung, directions = AT, here.rung, []
    for factor in noise:
        at += rules.cooldown
        used = factor * load / rules.ladder[rung].capacity
        decision = decide(rules, Now(rung, used, at, at - rules.cooldown, here.floor, here.ceiling))
        rung = decision.rung
        directions += [decision.direction] if decision.direction != "stay" else []
    turns = sum(before != after for before, after in pairwise(directions))
    assert turns <= 1, directions


@given(situations())
def test_nobody_is_asked_for_less(situation: tuple[Rules, Now]):
    decision = decide(*situation)
    assert not decision.ask or decision.direction == "more"


def test_within_the_cooldown_nothing_is_done():
    decision = decide(RULES, now(3, 99, changed=AT - timedelta(minutes=14)))
    assert (decision.direction, decision.why) == ("stay", "changed at 11:46 UTC: it cools down until 12:01")
    assert decide(RULES, now(3, 99, changed=AT - timedelta(minutes=15))).direction == "more"


def test_what_nobody_measured_is_no_reason():
    assert decide(RULES, now(3, None)).why == "nobody measured how much of it is used"


@pytest.mark.parametrize(("used", "direction"), [(75, "more"), (74.9, "stay"), (30, "less"), (30.1, "stay")])
def test_a_threshold_that_is_exactly_met_counts(used: float, direction: str):
    assert decide(RULES, now(4, used)).direction == direction


def test_a_schedule_is_kept_at_once_and_a_budget_wins_over_it():
    decision = decide(RULES, now(1, 50, floor=4))
    assert (decision.direction, decision.rung) == ("more", 2)
    poor = Rules(RULES.ladder, budget=1.0)
    assert bounds(poor, now(1, 50, floor=4)) == (1, 1)
    assert decide(poor, now(1, 99, floor=4)).direction == "stay"


def test_above_a_cost_a_person_is_asked():
    rules = Rules(RULES.ladder, approve_above=2.0)
    assert not decide(rules, now(2, 90)).ask
    assert decide(rules, now(3, 90)).ask


def test_less_that_would_be_too_little_is_not_taken():
    ladder = (Rung("small", 1.0), Rung("huge", 10.0))
    decision = decide(Rules(ladder), now(1, 20))
    assert (decision.direction, decision.why) == ("stay", "20 % used, and less would be too little at once")
