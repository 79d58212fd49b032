"""Counters become costs, and whatever makes them worthless is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.performance_tuning.samples import Cost, Snapshot, Totals, between, block

FIRST = Snapshot(10.0, "started", "reset", 0, {(1, 7, True): Cost(100, 1000, 5000, 0)}, Totals(commits=100))
NEXT = Snapshot(12.0, "started", "reset", 0, {(1, 7, True): Cost(110, 1050, 5100, 0)}, Totals(commits=111))


def test_a_slice_is_what_was_spent_between_two_looks() -> None:
    found = between(FIRST, NEXT)
    assert found.seconds == 2
    assert found.statements == {7: Cost(10, 50, 100, 0)}
    assert found.totals == Totals(commits=11)


def test_the_same_statement_of_two_users_or_nested_is_one_cost() -> None:
    keys = [(1, 7, True), (2, 7, True), (1, 7, False)]
    later = replace(NEXT, statements={each: Cost(1, 2, 3, 4) for each in keys})
    assert between(replace(FIRST, statements={}), later).statements == {7: Cost(3, 6, 9, 12)}


def test_counters_that_went_back_began_anew() -> None:
    later = replace(NEXT, statements={(1, 7, True): Cost(3, 30, 15, 0)})
    assert between(FIRST, later).statements == {7: Cost(3, 30, 15, 0)}


def test_a_quiet_block_has_no_problem() -> None:
    assert block("before", [FIRST, NEXT, NEXT], own=[7]).problems == ()


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (replace(NEXT, started="later"), "restarted at later"),
        (replace(NEXT, reset="later"), "reset at later"),
        (replace(NEXT, statements={}, evictions=1), "holds too few"),
        (replace(NEXT, statements={}), "reset the counters of a statement"),
        (replace(NEXT, statements={(1, 7, True): Cost(1)}), "reset the counters of a statement"),
    ],
)
def test_what_makes_a_block_worthless_is_said(later: Snapshot, words: str) -> None:
    [problem] = block("with", [FIRST, later, later], own=[7]).problems
    assert words in problem


def test_others_may_be_forgotten() -> None:
    assert block("with", [FIRST, replace(NEXT, statements={}, evictions=9)], own=[8]).problems == ()
