"""What may stop a run before it touches anything, and who may let it through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.control import approval, plan
from day2.control.approval import Approval
from day2.control.plan import Trigger
from day2.errors import PlanRefused

DIGEST = "d" * 64


def by_hand(reason: str) -> Trigger:
    return Trigger(type="manual", user="ann", reason=reason, ticket="")


@pytest.mark.parametrize("reason", ["", "  ", "ab", " a \t"])
def test_a_run_by_hand_without_a_reason_is_refused(reason):
    with pytest.raises(PlanRefused, match="needs a reason") as refused:
        plan.require_reason(by_hand(reason))
    assert refused.value.left == "nothing was touched"


def test_a_reason_or_a_schedule_is_enough():
    plan.require_reason(by_hand("new release"))
    plan.require_reason(Trigger(type="scheduled", user="", reason="", ticket=""))


def test_no_target_is_refused_and_so_are_too_many():
    with pytest.raises(PlanRefused, match="no target is selected"):
        plan.require_targets([], limit=5)
    with pytest.raises(PlanRefused, match="3 targets exceed the blast radius of 2"):
        plan.require_targets(["a", "b", "c"], limit=2)
    plan.require_targets(["a", "b"], limit=2)


def test_everything_in_the_way_is_told_at_once_by_target():
    with pytest.raises(PlanRefused) as refused:
        plan.refuse({"orders": ["no right", "no space"], "billing": [], "stock": ["gone"]})
    assert refused.value.happened == "orders: no right ; orders: no space ; stock: gone"
    plan.refuse({"orders": [], "billing": ()})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
plans = st.dictionaries(st.text(min_size=1), values, min_size=1, max_size=5)


@given(plans)
def test_a_digest_depends_on_the_content_and_not_on_its_order(planned):
    turned = dict(reversed(planned.items()))
    assert plan.digest(turned) == plan.digest(planned)
    assert len(plan.digest(planned)) == 64


@given(plans, values)
def test_anything_added_to_a_plan_changes_its_digest(planned, value):
    assert plan.digest(planned | {"".join(planned) + "x": value}) != plan.digest(planned)


def approved(**more: str) -> dict[str, str]:
    return Approval(DIGEST, "person", "approved", "bob", "2026-11-23T02:15:00Z").as_dict() | more


def test_an_approval_of_this_plan_lets_it_through():
    approval.require(approved(), DIGEST)


@pytest.mark.parametrize(
    "given",
    [None, {}, approved(decision="rejected"), approved(decision=""), approved(decision="Approved"), {"decision": None}],
)
def test_anything_but_an_approval_is_a_refusal(given):
    with pytest.raises(PlanRefused, match="this plan is not approved"):
        approval.require(given, DIGEST)


@pytest.mark.parametrize("digest", ["", "e" * 64, DIGEST[:12], DIGEST + "d", None])
def test_an_approval_of_another_plan_is_a_refusal(digest):
    with pytest.raises(PlanRefused, match="for another plan"):
        approval.require(approved() | {"plan_digest": digest}, DIGEST)


def test_an_approval_that_names_no_plan_is_a_refusal():
    given = approved()
    del given["plan_digest"]
    with pytest.raises(PlanRefused, match="for another plan"):
        approval.require(given, DIGEST)


def test_nobody_approves_their_own_request():
    assert approval.separate("ann", "ann") == "ann triggered this run and may not approve it"
    assert approval.separate("ann", "bob") is None
    assert approval.separate("", "bob") is None, "a schedule has no requester"
