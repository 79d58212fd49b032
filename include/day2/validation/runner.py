"""Run a suite over rows of facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from day2.validation import gx, judge
from day2.validation.result import SuiteResult, plain
from day2.validation.suite import Suite, load


def run(rows: Sequence[Mapping[str, Any]], suite_name: str, *, target_column: str = "target") -> SuiteResult:
    """Judge the facts, one row a target. Raises SuiteError if the suite itself is missing or wrong."""
    suite = load(suite_name)
    facts = [_facts(suite, row) for row in rows]
    if not facts:
        return SuiteResult(suite.name, (judge.no_rows(),))
    outcomes = gx.evaluate(suite, facts)
    return SuiteResult(suite.name, tuple(judge.judge(suite, facts, outcomes, target_column=target_column)))


def _facts(suite: Suite, row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {column: plain(value) for column, value in row.items()}
    return facts | {name: derived.of(facts) for name, derived in suite.derived.items()}
