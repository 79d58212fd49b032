"""Errors as on-call reads them."""

from __future__ import annotations

import pytest

from day2 import errors
from day2.errors import Day2Error, LeaseHeld, PlanRefused, StepFailed, Unavailable


def test_an_error_tells_the_whole_story_in_one_line():
    error = StepFailed(
        "pg_dump failed",
        target="orders",
        left="nothing.",
        next_step="try again.",
        runbook="A PostgreSQL program failed",
    )
    assert str(error) == (
        "orders: pg_dump failed · Left behind: nothing · Next: try again · Runbook: A PostgreSQL program failed."
    )


def test_what_is_not_known_is_left_out():
    assert str(PlanRefused("no target is selected")) == "no target is selected."


def test_an_error_becomes_data_for_the_ledger():
    assert Unavailable("gone", target="x").as_dict() == {
        "type": "Unavailable", "happened": "gone", "target": "x", "left": "", "next_step": "", "runbook": "",
    }  # fmt: skip


@pytest.mark.parametrize("kind", [each for each in vars(errors).values() if isinstance(each, type)])
def test_only_what_may_pass_by_itself_is_tried_again(kind):
    assert issubclass(kind, Day2Error)
    assert kind("x").transient == (kind in {LeaseHeld, Unavailable})
