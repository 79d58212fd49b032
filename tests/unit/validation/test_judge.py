"""From outcomes to checks, without Great Expectations: answers it has not given us yet."""

from __future__ import annotations

import pytest

from day2.validation.gx import Outcome
from day2.validation.judge import judge
from day2.validation.suite import Suite
from day2.validation.wording import expected


@pytest.fixture
def one(expectation, required):
    """The checks that one expectation and its outcome give over two rows."""

    def make(outcome, *, kind="expect_column_values_to_be_in_set", **kwargs):
        check = expectation(kind, **(kwargs or {"column": "x", "value_set": [1]}))
        suite = Suite(name="own", describes="a test", expectations=[required("x"), check])
        rows = [{"target": "a", "x": 1}, {"target": "b", "x": 1}]
        fine = Outcome(success=True, bad_rows=frozenset())
        checks = judge(suite, rows, [fine, outcome], target_column="target")
        return [(each.target, each.passed, each.error) for each in checks if each.id == "the_check"]

    return make


def test_a_failure_that_names_no_row_fails_every_row(one):
    assert one(Outcome(success=False, bad_rows=frozenset())) == [("a", False, None), ("b", False, None)]


def test_a_success_that_names_bad_rows_still_fails_them(one):
    assert one(Outcome(success=True, bad_rows=frozenset({1}))) == [("a", True, None), ("b", False, None)]


def test_an_expectation_without_a_result_fails_every_row(one):
    silent = Outcome(success=False, error="gave no result")
    assert one(silent) == [("a", False, "gave no result"), ("b", False, "gave no result")]


def test_an_expectation_about_all_rows_is_one_check(one):
    outcome = Outcome(success=True, observed=2)
    assert one(outcome, kind="expect_table_row_count_to_equal", value=2) == [("*", True, None)]


ROW = {"took": 9, "allowed": 10, "asked": True, "not_asked": False, "done": True}
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"


@pytest.mark.parametrize(
    ("kind", "measured", "kwargs", "words"),
    [
        ("expect_column_values_to_be_between", None, {"column": "took", "min_value": 1}, "at least 1"),
        ("expect_column_values_to_be_between", None, {"column": "took", "max_value": 5}, "at most 5"),
        ("expect_column_values_to_be_between", None, {"column": "took", "min_value": 0, "max_value": 1}, "0 to 1"),
        ("expect_column_values_to_be_in_set", None, {"column": "done", "value_set": [True]}, "true"),
        ("expect_column_values_to_be_in_set", None, {"column": "took", "value_set": [1, 2]}, "one of 1, 2"),
        ("expect_column_pair_values_to_be_equal", None, {"column_A": "took", "column_B": "allowed"}, "10 (allowed)"),
        (GREATER, None, {"column_A": "took", "column_B": "allowed", "or_equal": True}, "at least 10 (allowed)"),
        (GREATER, "took", {"column_A": "allowed", "column_B": "took", "or_equal": True}, "at most 10 (allowed)"),
        (GREATER, None, {"column_A": "took", "column_B": "allowed"}, "more than 10 (allowed)"),
        (GREATER, "took", {"column_A": "allowed", "column_B": "took"}, "less than 10 (allowed)"),
        (GREATER, None, {"column_A": "done", "column_B": "asked", "or_equal": True}, "true (asked)"),
        (
            GREATER,
            None,
            {"column_A": "done", "column_B": "not_asked", "or_equal": True},
            "nothing (not_asked is false)",
        ),
        ("expect_column_value_lengths_to_be_between", None, {"column": "x", "min_value": 1}, "at least 1 characters"),
        ("expect_column_values_to_be_dated", None, {"column": "x"}, "column_values_to_be_dated {'column': 'x'}"),
    ],
)
def test_what_was_expected_reads_in_words(expectation, required, kind, measured, kwargs, words):
    check = expectation(kind, **kwargs)
    check["meta"]["measured"] = measured
    columns = [value for key, value in kwargs.items() if key.startswith("column")]
    suite = Suite(name="own", describes="a test", expectations=[check, *map(required, columns)])
    assert expected(suite.expectations[0], ROW) == words
