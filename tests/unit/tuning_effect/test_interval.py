"""The interval around an effect holds what it promises."""

from __future__ import annotations

import json
import math

from day2.operations.performance_tuning.interval import Difference, Mix, difference
from tests.unit.tuning_effect.making import OWN, SHOP, block, costing

AT = Mix({OWN: 1.0}, confidence=0.95)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(300):
        before = [block(name, SHOP, noise=0.3, seed=seed) for name in ("before", "after")]
        after = block("with", costing(SHOP, OWN, ms=8), noise=0.3, seed=seed)
        found = difference("ms", before, after, at=AT)
        inside += found.low <= -0.2 <= found.high
    assert 0.92 <= inside / 300 <= 0.99, inside / 300


def test_the_same_blocks_give_the_same_interval() -> None:
    before, after = [block("before", SHOP, noise=0.2)], block("with", SHOP, noise=0.2)
    one, two = (difference("ms", before, after, at=AT) for _ in range(2))
    assert one == two


def test_another_mix_of_statements_is_no_effect() -> None:
    before = block("before", {1: (10, 5, 50, 0), 2: (90, 1, 10, 0)})
    after = block("with", {1: (90, 5, 50, 0), 2: (10, 1, 10, 0)})
    found = difference("ms", [before], after, at=Mix.of([before], [1, 2], 0.95))
    assert math.isclose(found.share, 0, abs_tol=1e-9)


def test_what_cost_nothing_before_has_no_share_and_the_record_stays_json() -> None:
    before, after = block("before", costing(SHOP, OWN, wal=0)), block("with", costing(SHOP, OWN, wal=5))
    found = difference("wal", [before], after, at=AT)
    assert found.share == math.inf
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["share"] is None
    assert isinstance(found, Difference)
