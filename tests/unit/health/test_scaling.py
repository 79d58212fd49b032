"""Who is asked to scale: at a threshold exactly met, once within its cooldown, and never for want of a value."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.inventory.scaling import Resource
from day2.ledger.metrics import Sample, Series
from day2.operations.health_check.scaling import wanted
from tests.unit.health.making import AT, MINUTE

USED = Series("host/edge", "disk_percent", "spool")


def resource(**fields: Any) -> Resource:
    known: dict[str, Any] = {
        "name": "spool",
        "driver": {"kind": "command", "host": "edge", "read": ["size"], "write": ["size", "{size}"]},
        "count": {"min": 64, "max": 256, "by": 64},
        "follows": {"target": "host/edge", "metric": "disk_percent", "part": "spool"},
        "more_at": 75,
        "less_at": 30,
        "cooldown": "PT15M",
    }
    return Resource.model_validate(known | fields)


def asked(*values: float, now: datetime = AT, before: datetime | None = None, **fields: Any) -> list[str]:
    samples = [Sample(USED, AT + number * MINUTE, value) for number, value in enumerate(values)]
    found = wanted([resource(**fields)], samples, {"spool": before} if before else {}, now=now)
    return [f"{each.resource} {each.direction} {each.used:g}" for each in found]


@pytest.mark.parametrize(
    ("used", "expected"),
    [(74.99, []), (75, ["spool more 75"]), (30.01, []), (30, ["spool less 30"]), (0, ["spool less 0"])],
)
def test_a_threshold_that_is_exactly_met_counts(used: float, expected: list[str]):
    assert asked(used) == expected


def test_nothing_was_seen_is_not_nothing_is_used():
    assert asked() == []
    other = Sample(Series("host/edge", "disk_percent", "/"), AT, 0)
    assert wanted([resource()], [other], {}, now=AT) == []


def test_a_resource_that_follows_nothing_is_never_asked_for():
    assert asked(99, follows=None) == []


def test_the_newest_sample_counts_in_whatever_order_they_come():
    samples = [Sample(USED, AT, 50), Sample(USED, AT - MINUTE, 99)]
    assert wanted([resource()], samples, {}, now=AT) == []


@pytest.mark.parametrize(("minutes", "again"), [(14.99, False), (15, True)])
def test_it_is_asked_again_only_after_the_cooldown(minutes: float, again: bool):
    assert bool(asked(90, before=AT - timedelta(minutes=minutes))) == again


@given(st.lists(st.floats(0, 100), max_size=60), st.integers(1, 30))
def test_however_it_goes_to_and_fro_it_is_asked_once_within_a_cooldown(values: list[float], cooldown: int):
    known, moments = resource(cooldown=f"PT{cooldown}M"), []
    for number, value in enumerate(values):
        now = AT + number * MINUTE
        before = {"spool": moments[-1]} if moments else {}
        if wanted([known], [Sample(USED, now, value)], before, now=now):
            moments.append(now)
            assert value >= 75 or value <= 30
    assert all(later - earlier >= cooldown * MINUTE for earlier, later in zip(moments, moments[1:], strict=False))
