"""A suite that would pass anything is refused before a fact is judged."""

from __future__ import annotations

import pytest

from day2.validation import SuiteError
from day2.validation.suite import OURS, load

BETWEEN = "expect_column_values_to_be_between"


def test_a_suite_without_checks_is_refused(write_suite):
    write_suite()
    with pytest.raises(SuiteError, match="expectations"):
        load("own")


@pytest.mark.parametrize("missing", ["id", "check"])
def test_a_check_without_an_id_or_a_sentence_is_refused(write_suite, required, missing):
    nameless = required("x")
    del nameless["meta"][missing]
    write_suite(nameless)
    with pytest.raises(SuiteError, match=f"expectations.0.meta.{missing}: Field required"):
        load("own")


def test_a_check_without_meta_is_refused(write_suite, required):
    nameless = required("x")
    del nameless["meta"]
    write_suite(nameless)
    with pytest.raises(SuiteError, match="expectations.0.meta: Field required"):
        load("own")


def test_an_id_used_twice_is_refused(write_suite, required):
    write_suite(required("x"), required("x"))
    with pytest.raises(SuiteError, match=r"used twice: measured\.x"):
        load("own")


@pytest.mark.parametrize(
    "leaves_out",
    [{"mostly": 0.9}, {"row_condition": "x > 1", "condition_parser": "pandas"}, {"ignore_row_if": "never"}],
)
def test_a_check_that_leaves_rows_out_is_refused(write_suite, expectation, required, leaves_out):
    write_suite(required("x"), expectation(BETWEEN, column="x", min_value=1, **leaves_out))
    with pytest.raises(SuiteError, match="the_check: .* would leave rows unjudged"):
        load("own")


def test_a_comparison_without_its_not_null_check_is_refused(write_suite, expectation):
    write_suite(expectation(BETWEEN, column="x", min_value=1))
    with pytest.raises(SuiteError, match="the_check: add expect_column_values_to_not_be_null for x"):
        load("own")


def test_a_derived_column_needs_the_not_null_check_of_its_source(write_suite, expectation, required):
    check = expectation(BETWEEN, column="double", min_value=1)
    derived = {"double": {"column": "x", "multiply": 2}}
    write_suite(check, derived=derived)
    with pytest.raises(SuiteError, match="add expect_column_values_to_not_be_null for x"):
        load("own")
    write_suite(check, required("x"), derived=derived)
    assert load("own").derived["double"].of({"x": 4}) == 8


def test_a_misspelt_key_is_refused(write_suite, required):
    write_suite(required("x") | {"sevrity": "warning"})
    with pytest.raises(SuiteError, match="sevrity"):
        load("own")


def test_a_file_under_another_name_is_refused(write_suite, required):
    write_suite(required("x"), name="database_backup")
    with pytest.raises(SuiteError, match="calls itself 'database_backup'"):
        load("own")


def test_text_that_is_not_json_is_refused_with_its_path(write_suite, required):
    path = write_suite(required("x"))
    path.write_text("{")
    with pytest.raises(SuiteError, match=f"correct {path}"):
        load("own")


def test_only_a_name_finds_a_suite_never_a_path(write_suite, required):
    path = write_suite(required("x"))
    for name in ("../suites/own", str(path.with_suffix("")), "", "Own"):
        with pytest.raises(SuiteError, match="there is no suite"):
            load(name)


def test_an_unknown_suite_is_refused_with_the_names_there_are(write_suite, required):
    write_suite(required("x"))
    with pytest.raises(SuiteError, match=r"database_backup, .*own"):
        load("missing")


def test_the_operators_suite_comes_before_ours(write_suite, required):
    path = write_suite(required("x"), name="database_backup")
    path.rename(path.with_name("database_backup.json"))
    assert load("database_backup").describes == "a test"
    assert load("database_restore").name == "database_restore"


def test_our_own_suites_are_found_without_a_home(monkeypatch):
    monkeypatch.delenv("DAY2_HOME", raising=False)
    assert (OURS / "database_backup.json").is_file()
    assert load("database_backup").expectations
