"""What a check expected of one row, in words: `at most 3600 (rto_seconds)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from day2.validation.suite import Expectation

Row = Mapping[str, Any]


def expected(check: Expectation, row: Row) -> str:
    """What this row had to show for the check to pass."""
    word = WORDS.get(check.type)
    return word(check, row) if word else f"{check.type.removeprefix('expect_')} {check.kwargs}"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _between(check: Expectation, row: Row) -> str:
    low, high = check.kwargs.get("min_value"), check.kwargs.get("max_value")
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _in_set(check: Expectation, row: Row) -> str:
    values = [_value(each) for each in check.kwargs["value_set"]]
    return values[0] if len(values) == 1 else f"one of {', '.join(values)}"


def _other(check: Expectation, row: Row) -> str:
    other = check.columns[1]
    return f"{_value(row.get(other))} ({other})"


def _greater(check: Expectation, row: Row) -> str:
    other = check.columns[1]
    # Of two flags, one asks and one answers.
    if isinstance(row.get(other), bool):
        return _other(check, row) if row[other] else f"nothing ({other} is false)"
    measured_is_a = check.columns[0] == check.kwargs["column_A"]
    if check.kwargs.get("or_equal"):
        return f"{'at least' if measured_is_a else 'at most'} {_other(check, row)}"
    return f"{'more' if measured_is_a else 'less'} than {_other(check, row)}"


WORDS: dict[str, Callable[[Expectation, Row], str]] = {
    "expect_column_to_exist": lambda check, row: "the column",
    "expect_column_values_to_not_be_null": lambda check, row: "a value",
    "expect_column_values_to_be_unique": lambda check, row: "once",
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_match_regex": lambda check, row: f"text like {check.kwargs['regex']}",
    "expect_column_value_lengths_to_be_between": lambda check, row: f"{_between(check, row)} characters",
    "expect_column_pair_values_to_be_equal": _other,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_table_row_count_to_be_between": lambda check, row: f"{_between(check, row)} rows",
}
