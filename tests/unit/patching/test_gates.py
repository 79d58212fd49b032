"""No patch without a proven way back: a gate that fails, or that nobody answers for, blocks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.errors import PlanRefused
from day2.operations.security_patching import gates, surroundings
from day2.operations.security_patching.gates import Proof, Taken
from tests.unit.patching.making import NOW, environment

DAY = timedelta(days=1)


def judged(proofs, max_age=DAY):
    return list(gates.recovery_points(["orders"], proofs, now=NOW, max_age=max_age))[0]


@pytest.mark.parametrize(
    ("proofs", "ok", "says"),
    [
        ({"orders": Proof("orders-7", NOW - timedelta(hours=3))}, True, "orders-7, 3 h 00 min old"),
        ({"orders": Proof("orders-7", NOW - DAY)}, True, "24 h 00 min old"),
        ({"orders": Proof("orders-7", NOW - DAY - timedelta(seconds=1))}, False, "24 h 00 min old"),
        ({"orders": Proof("orders-7", NOW + timedelta(hours=1))}, False, "orders-7"),
        ({"orders": None}, False, "there is none"),
        ({}, False, "there is none"),
    ],
)
def test_only_a_verified_recovery_point_that_is_young_enough_opens_the_gate(proofs, ok, says):
    found = judged(proofs)
    assert found.ok is ok
    assert says in found.observed


def test_a_snapshot_that_failed_or_was_never_reported_blocks():
    found = list(gates.snapshots(["a", "b", "c"], {"a": Taken(True, "snap-1"), "b": Taken(False, "no space")}))
    assert [(each.target, each.ok, each.observed) for each in found] == [
        ("a", True, "snap-1"), ("b", False, "no space"), ("c", False, "nothing reported"),
    ]  # fmt: skip
    with pytest.raises(PlanRefused, match="b: snapshot: no space .*; c: snapshot: nothing reported") as refused:
        gates.require(found)
    assert refused.value.left == "nothing was touched"


@given(st.lists(st.booleans()))
def test_one_closed_gate_is_enough(answers):
    found = [gates.Gate("snapshot", str(n), ok, "", "") for n, ok in enumerate(answers)]
    if all(answers):
        assert gates.require(found) == tuple(found)
    else:
        with pytest.raises(PlanRefused):
            gates.require(found)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (["web-02"], ("orders",)),  # it runs there
        (["web-01"], ("billing",)),  # behind the shop, which stands on web-01
        (["web-01", "web-02"], ("orders", "billing")),
        (["web-05"], ()),
    ],
)
def test_the_databases_on_and_behind_hosts_are_found(hosts, expected):
    assert surroundings.databases(environment(), hosts) == expected


def test_a_standby_a_dependency_and_what_a_host_uses_are_found_too():
    made = environment(
        hosts=[
            {"name": "a", "address": "a", "connection": "s", "region": "eu", "wave": "canary",
             "depends_on": ["database/used"]},
            {"name": "b", "address": "b", "connection": "s", "region": "us"},
        ],
        databases=[
            {"name": "used", "connection": "p1", "region": "eu"},
            {"name": "standing", "connection": "p2", "region": "eu", "depends_on": ["host/a"]},
            {"name": "mirrored", "connection": "p3", "region": "eu",
             "standby": {"connection": "p4", "region": "us", "host": "b"}},
        ],
        services=[],
    )  # fmt: skip
    assert surroundings.databases(made, ["a"]) == ("used", "standing")
    assert surroundings.databases(made, ["b"]) == ("mirrored",)
    assert surroundings.standing_on(made, ["a", "b"]) == {"database/standing": ["a"], "database/mirrored": ["b"]}
