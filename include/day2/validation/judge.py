"""From outcomes to checks: what is true of which target. Pure, so that every guard is a plain test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from day2.validation import wording
from day2.validation.gx import Outcome
from day2.validation.result import EVERY, Check
from day2.validation.suite import NOT_NULL, Expectation, Suite

Row = Mapping[str, Any]

COMPARES_NUMBERS = frozenset({"expect_column_values_to_be_between", "expect_column_pair_values_a_to_be_greater_than_b"})


def no_rows() -> Check:
    """What is recorded when there was nothing to judge: it did not pass."""
    return Check(
        id="facts.present",
        name="there are facts to judge",
        target=EVERY,
        expected="at least 1 row",
        observed=0,
        severity="critical",
        passed=False,
        error="no rows of facts were given",
    )


def judge(suite: Suite, rows: Sequence[Row], outcomes: Sequence[Outcome], *, target_column: str) -> Iterator[Check]:
    """One check for each expectation and row; one in all for an expectation about all rows together."""
    targets = [str(row.get(target_column) or f"row {number}") for number, row in enumerate(rows, 1)]
    for expectation, outcome in zip(suite.expectations, outcomes, strict=True):
        if outcome.bad_rows is None and outcome.error is None:
            yield _overall(expectation, outcome)
            continue
        for position, (row, target) in enumerate(zip(rows, targets, strict=True)):
            yield _of_row(expectation, row, target=target, outcome=_at(outcome, position))


def _overall(expectation: Expectation, outcome: Outcome) -> Check:
    return Check(
        id=expectation.meta.id,
        name=expectation.meta.check,
        target=EVERY,
        expected=wording.expected(expectation, {}),
        observed=outcome.observed,
        severity=expectation.severity,
        passed=outcome.success,
    )


def _at(outcome: Outcome, position: int) -> Outcome:
    # A failure that names no row is a failure of every row.
    good = outcome.success if not outcome.bad_rows else position not in outcome.bad_rows
    return Outcome(success=good, error=outcome.error)


def _of_row(expectation: Expectation, row: Row, *, target: str, outcome: Outcome) -> Check:
    error = _not_measured(expectation, row) or outcome.error
    return Check(
        id=expectation.meta.id,
        name=expectation.meta.check,
        target=target,
        expected=wording.expected(expectation, row),
        observed=row.get(expectation.columns[0]) if expectation.columns else None,
        severity="critical" if error else expectation.severity,
        passed=outcome.success and error is None,
        error=error,
    )


def _not_measured(expectation: Expectation, row: Row) -> str | None:
    """Why this row cannot be judged. Great Expectations skips such a row and calls it a success."""
    for column in expectation.columns:
        if column not in row:
            return f"the facts have no column {column!r}"
        value = row[column]
        if value is None and expectation.type != NOT_NULL:
            return f"{column} was not measured"
        # Two texts compare too, but by letter: "9" is then more than "10".
        if expectation.type in COMPARES_NUMBERS and not isinstance(value, int | float):
            return f"{column} is {value!r}, not a number"
    return None
