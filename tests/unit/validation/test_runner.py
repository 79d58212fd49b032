"""What Great Expectations would let pass, and we do not: each is run for real."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from day2.validation import SuiteError, run

BETWEEN = "expect_column_values_to_be_between"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
EQUAL = "expect_column_pair_values_to_be_equal"
IN_SET = "expect_column_values_to_be_in_set"


def verdicts(result, check="the_check"):
    return {each.target: (each.passed, each.observed, each.error) for each in result.checks if each.id == check}


def test_no_facts_do_not_pass():
    result = run([], "database_backup")
    assert not result.passed
    assert [(each.target, each.error) for each in result.failures("orders")] == [("*", "no rows of facts were given")]


def test_a_type_that_does_not_exist_is_refused_not_dropped(write_suite, expectation, required):
    write_suite(required("x"), expectation("expect_column_values_to_be_fine", column="x"))
    with pytest.raises(SuiteError, match="does not exist: expect_column_values_to_be_fine"):
        run([{"target": "a", "x": 1}], "own")


@pytest.mark.parametrize("kwargs", [{"column": "x"}, {"column": "x", "maximum": 3}, {"column": "x", "max_value": {}}])
def test_arguments_that_do_not_fit_are_refused(write_suite, expectation, required, kwargs):
    write_suite(required("x"), expectation(BETWEEN, **kwargs))
    with pytest.raises(SuiteError, match="arguments that do not fit"):
        run([{"target": "a", "x": 1}], "own")


def test_a_missing_column_fails_every_target(write_suite, expectation, required):
    write_suite(required("x"), expectation(BETWEEN, column="x", min_value=1, severity="warning"))
    result = run([{"target": "a"}, {"target": "b"}], "own")
    missing = (False, None, "the facts have no column 'x'")
    assert verdicts(result) == {"a": missing, "b": missing}
    assert verdicts(result, "measured.x") == {"a": missing, "b": missing}
    assert len(result.failures()) == 4, "a check that could not be evaluated is critical whatever it was"


def test_a_column_missing_from_one_row_fails_that_target_alone(write_suite, expectation, required):
    write_suite(required("x"), expectation(BETWEEN, column="x", min_value=1))
    result = run([{"target": "a", "x": 1}, {"target": "b"}], "own")
    assert verdicts(result) == {"a": (True, 1, None), "b": (False, None, "the facts have no column 'x'")}


@pytest.mark.parametrize("nothing", [None, float("nan"), float("inf"), Decimal("NaN")])
@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        (BETWEEN, {"column": "x", "max_value": 3}),
        (IN_SET, {"column": "x", "value_set": [1]}),
        (GREATER, {"column_A": "y", "column_B": "x"}),
        (EQUAL, {"column_A": "x", "column_B": "y"}),
    ],
)
def test_what_was_not_measured_does_not_pass(write_suite, expectation, required, kind, kwargs, nothing):
    write_suite(required("x"), required("y"), expectation(kind, **kwargs))
    result = run([{"target": "a", "x": nothing, "y": nothing}, {"target": "b", "x": 1, "y": 1}], "own")
    passed, _, error = verdicts(result)["a"]
    assert (passed, error) in {(False, "x was not measured"), (False, "y was not measured")}
    assert verdicts(result, "measured.x")["a"] == (False, None, None)


def test_an_exception_inside_an_expectation_is_a_critical_failure(write_suite, expectation, required):
    broken = expectation("expect_column_values_to_match_regex", column="x", regex="(", severity="info")
    write_suite(required("x"), broken)
    result = run([{"target": "a", "x": "text"}], "own")
    assert not result.passed
    (check,) = result.failures("a")
    assert check.severity == "critical"
    assert "could not be evaluated" in check.line()
    assert "unterminated" in check.error


def test_one_broken_expectation_does_not_hide_the_others(write_suite, expectation, required):
    broken = expectation("expect_column_values_to_match_regex", name="broken", column="x", regex="(")
    write_suite(required("x"), broken, expectation(IN_SET, column="x", value_set=["text"]))
    result = run([{"target": "a", "x": "text"}, {"target": "b", "x": "other"}], "own")
    assert verdicts(result) == {"a": (True, "text", None), "b": (False, "other", None)}


def test_numbers_given_as_text_are_not_compared_by_letter(write_suite, expectation, required):
    write_suite(required("x"), required("y"), expectation(GREATER, column_A="x", column_B="y"))
    result = run([{"target": "a", "x": "9", "y": "10"}], "own")
    assert verdicts(result) == {"a": (False, "9", "x is '9', not a number")}


def test_large_counts_are_compared_exactly_beside_a_null(write_suite, expectation, required):
    write_suite(required("x"), required("y"), expectation(EQUAL, column_A="x", column_B="y"))
    exact = {"target": "exact", "x": 2**53 + 1, "y": 2**53 + 1}
    off = {"target": "off by one", "x": 2**53 + 1, "y": 2**53}
    result = run([exact, off, {"target": "null", "x": None, "y": None}], "own")
    assert verdicts(result)["exact"][0]
    assert not verdicts(result)["off by one"][0]


def test_decimals_from_a_database_are_numbers(write_suite, expectation, required):
    write_suite(required("x"), expectation(BETWEEN, column="x", max_value=1.5))
    result = run([{"target": "a", "x": Decimal("1.50")}, {"target": "b", "x": Decimal("2")}], "own")
    assert verdicts(result) == {"a": (True, 1.5, None), "b": (False, 2, None)}


def test_rows_of_one_name_keep_their_own_results(write_suite, expectation, required):
    write_suite(required("x"), expectation(BETWEEN, column="x", max_value=1))
    result = run([{"target": "a", "x": 1}, {"target": "a", "x": 2}], "own")
    assert [(each.observed, each.passed) for each in result.checks if each.id == "the_check"] == [(1, True), (2, False)]


def test_targets_may_be_in_another_column(write_suite, required):
    write_suite(required("x"))
    result = run([{"host": "web-01", "x": 1}], "own", target_column="host")
    assert [each.target for each in result.checks] == ["web-01"]


def test_judging_says_nothing_and_importing_is_light():
    """In a process of its own: a task's log must hold our lines only, and DAGs are parsed without pandas."""
    program = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from day2.validation import run
heavy = {"great_expectations", "pandas", "numpy"} & set(sys.modules)
assert not heavy, heavy
run([], "database_restore")
assert "great_expectations" not in sys.modules
run([{"target": "orders"}], "database_restore")
assert "great_expectations" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=_with_our_path())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_suite_in_the_guide_works(tmp_path, monkeypatch):
    guide = (Path(__file__).parents[3] / "docs" / "validation.md").read_text()
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "disk_space.json").write_text(guide.split("```json\n")[1].split("```")[0])
    monkeypatch.setenv("DAY2_HOME", str(tmp_path))
    result = run([{"target": "web-01", "used_share": 0.9}, {"target": "web-02", "used_share": 0.2}], "disk_space")
    assert verdicts(result, "headroom") == {"web-01": (False, 90.0, None), "web-02": (True, 20.0, None)}
    assert result.passed, "it is a warning"


def _with_our_path():
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
