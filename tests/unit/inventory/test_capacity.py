"""Policies of capacity reviews that cannot work as written are found when the file is read."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from day2.inventory import CapacityPolicy, capacities
from tests.unit.capacity.places import environment

SIZES = [
    {"name": "small", "capacity": {"cpu_percent": 2}, "cost_month": 20},
    {"name": "large", "capacity": {"cpu_percent": 8}, "cost_month": 80},
]
COSTS = {"kind": "list price", "currency": "EUR", "source": "a list", "as_of": "2026-11-01"}
ENDS = {"since": date(2026, 11, 2), "until": date(2026, 11, 3), "why": "a log ran full"}


def found(policy: dict[str, Any], **tags: str) -> list[str]:
    return [each.text for each in capacities.findings(environment(policy, tags=tags))]


def test_a_policy_that_says_nothing_reviews_what_runs_out_everywhere() -> None:
    policy = CapacityPolicy()
    assert policy.reviewed["disk_used"].limit_metric == "disk_total"
    assert policy.reviewed["cpu_percent"].fixed == 100
    assert {"disk_total", "inodes_total"} <= set(policy.metrics)
    assert found({}) == []


def test_an_incident_of_a_target_that_is_not_there_is_found() -> None:
    assert found({"incidents": [ENDS | {"targets": ["host/web-1"]}]}) == [
        "'host/web-1' is unknown; did you mean 'host/web-01'?"
    ]


def test_a_size_that_nobody_described_is_found() -> None:
    assert found({"sizing": {"sizes": SIZES, "costs": COSTS}}, size="smal") == [
        "'smal' is no size of capacity_review; did you mean 'small'?"
    ]
    assert found({"sizing": {"sizes": SIZES, "costs": COSTS}}, size="small") == []


def test_a_review_of_nothing_is_found() -> None:
    assert found({"resources": dict.fromkeys(CapacityPolicy().reviewed)}) == ["leaves nothing to review"]


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({"incidents": [ENDS | {"until": date(2026, 11, 1)}]}, "ends before it begins"),
        ({"resources": {"x": {"name": "x", "limit": 1, "limit_metric": "y"}}}, "not both"),
        ({"resources": {"x": {"name": "x", "limit": 0}}}, "greater than 0"),
        ({"sizing": {"sizes": SIZES[:1], "costs": COSTS}}, "at least 2"),
        ({"sizing": {"sizes": [SIZES[0], SIZES[0]], "costs": COSTS}}, "the same name"),
        ({"sizing": {"sizes": [SIZES[0], SIZES[1] | {"capacity": {"x": 1}}], "costs": COSTS}}, "of the same metrics"),
        ({"sizing": {"sizes": [SIZES[0], SIZES[1] | {"capacity": {"cpu_percent": 0}}], "costs": COSTS}}, "above zero"),
        ({"sizing": {"sizes": SIZES}}, "costs"),
        ({"coverage": 1}, "less than 1"),
    ],
)
def test_what_makes_no_sense_is_refused(policy: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CapacityPolicy.model_validate(policy)
