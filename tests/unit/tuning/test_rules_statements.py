"""Statements: slow ones, those that became slow, and those that an index would help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.performance_tuning import rules_statements
from day2.operations.performance_tuning.facts import Trial
from day2.operations.performance_tuning.rules_statements import Before
from day2.operations.performance_tuning.thresholds import MB, Thresholds
from tests.unit.tuning.making import STATEMENT, TABLE, facts

LIMITS = Thresholds()
WHOLE = replace(STATEMENT, calls=100, blocks=100 * 128_000, total_ms=50_000.0)
OTHER = replace(WHOLE, query_id=2, total_ms=30_000.0)
TRIAL = Trial("index", 1, "public.t", ("a",), cost_before=1000.0, cost_after=10.0, index_bytes=50 * MB)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"calls": 100, "total_ms": 100_000.0}, True),
        ({"calls": 100_000, "total_ms": 100_000.0}, False),
        ({"calls": 5, "total_ms": 100_000.0}, False),
        ({"calls": 100, "total_ms": 100_000.0, "text": "VACUUM t"}, False),
        ({"calls": 100, "total_ms": 100_000.0, "text": "copy t to stdout"}, False),
        ({"calls": 100, "total_ms": 100_000.0, "text": "  (SELECT 1) union select 2"}, True),
    ],
)
def test_slow_is_what_clients_wait_for_often(change, told):
    known = facts(statements=(replace(STATEMENT, **change),))
    assert bool(list(rules_statements.slow(known, LIMITS, frozenset()))) == told
    assert list(rules_statements.slow(known, LIMITS, frozenset({1}))) == []


def test_slow_but_a_trifle_of_all_time_is_not_told():
    known = facts(statements=(replace(STATEMENT, calls=100, total_ms=100_000.0),), statements_ms=1e8)
    assert list(rules_statements.slow(known, LIMITS, frozenset())) == []


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (Before(500, 1000.0), True),  # 2 ms a call then, 18 ms since
        (Before(500, 4500.0), False),
        (Before(50, 100.0), False),
        (Before(990, 1980.0), False),  # ten calls since are too few
        (Before(2000, 4000.0), True),  # reset in between: all of it is new
    ],
)
def test_regressed_is_what_takes_much_longer_a_call_than_when_it_was_recorded(before, told):
    known = facts(statements=(STATEMENT,))
    assert bool(list(rules_statements.regressed(known, LIMITS, {1: before}))) == told


def test_a_slower_statement_that_is_still_quick_is_not_told():
    quick = replace(STATEMENT, calls=10_000, total_ms=10_000.0)
    assert list(rules_statements.regressed(facts(statements=(quick,)), LIMITS, {1: Before(1000, 100.0)})) == []


def missing(*trials, statements=(WHOLE, OTHER), table=TABLE):
    return list(rules_statements.missing_indexes(facts(statements=statements, tables=(table,), trials=trials), LIMITS))


def test_an_index_is_advised_with_its_size_and_what_it_is_measured_by():
    [found] = missing(TRIAL)
    assert found.change.statement == 'CREATE INDEX CONCURRENTLY "day2_t_a" ON public.t (a)'
    assert found.change.reverse == 'DROP INDEX CONCURRENTLY public."day2_t_a"'
    assert found.change.measured_by == (1,)
    assert found.change.takes_space >= 50 * MB
    assert found.score == pytest.approx(0.62, abs=0.01)


def test_one_index_for_two_statements_comes_before_one_for_each():
    both = [replace(TRIAL, columns=("a", "b")), replace(TRIAL, query_id=2, columns=("a", "b"))]
    [found] = missing(TRIAL, replace(TRIAL, query_id=2, columns=("b",)), *both)
    assert (found.object, found.change.measured_by) == ("public.t (a, b)", (1, 2))


def test_of_two_that_serve_the_same_the_shorter_one_is_taken():
    [found] = missing(replace(TRIAL, columns=("a", "b")), TRIAL)
    assert found.object == "public.t (a)"


@pytest.mark.parametrize(
    ("trial", "statement", "table"),
    [
        (replace(TRIAL, cost_after=900.0), WHOLE, TABLE),
        # The counters do not say what the plan says.
        (TRIAL, replace(WHOLE, blocks=500), TABLE),
        (TRIAL, replace(WHOLE, calls=3), TABLE),
        (TRIAL, WHOLE, replace(TABLE, bytes=MB)),
        (replace(TRIAL, kind="plan", rows_removed=100.0), WHOLE, TABLE),
        (replace(TRIAL, query_id=99), WHOLE, TABLE),
        (replace(TRIAL, object="public.gone"), WHOLE, TABLE),
    ],
)
def test_no_index_without_evidence(trial, statement, table):
    assert missing(trial, statements=(statement,), table=table) == []


def test_without_hypopg_nobody_claims_to_know_the_gain():
    [found] = missing(replace(TRIAL, kind="plan", rows_removed=4.9e6))
    assert found.gain.startswith("nobody knows before it is measured")
    assert found.risk == "moderate"
    assert "rows read and thrown away" in {each.name for each in found.evidence}


def test_a_very_long_text_is_shown_by_its_beginning_and_its_length():
    long = replace(WHOLE, text="select " + "x, " * 3000, length=100_000)
    [shown] = [each.value for each in rules_statements.measured(long, facts(statements=(long,)))[:1]]
    assert len(shown) < 450
    assert shown.endswith("(100000 characters)")
