"""Great Expectations, called directly: rows and a suite in, one outcome an expectation out.

Importing it costs seconds and some 250 MB, so it happens here, on the first call, and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from day2.validation.suite import Suite, SuiteError


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation: `bad_rows` by position, or None if it is about all rows together."""

    success: bool
    bad_rows: frozenset[int] | None = None
    observed: Any = None
    error: str | None = None


def evaluate(suite: Suite, rows: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """The suite's outcomes over these rows, in the suite's order. Raises SuiteError."""
    # Before the import: it logs 214 lines about registered functions into whatever log is open.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # This one sets its own level when imported, and says each time which folder it made and removed.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    expectations = _build(suite)
    # dtype=object keeps what was measured: a null would turn a column of integers into floats.
    frame = pd.DataFrame(list(rows), dtype=object)
    asset = context.data_sources.add_pandas("facts").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    # COMPLETE without key columns names the bad rows by position, which is unique where a key may not be.
    answer = batch.validate(expectations, result_format={"result_format": "COMPLETE"})
    # They come back in another order, so each carries its id.
    by_id = {each.expectation_config.meta["id"]: _outcome(each) for each in answer.results}
    silent = Outcome(success=False, error="Great Expectations gave no result for it")
    return [by_id.get(each.meta.id, silent) for each in suite.expectations]


def _build(suite: Suite) -> Any:
    import great_expectations as gx
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    # Great Expectations drops a type that it does not know, and the suite passes without it.
    known = set(list_registered_expectation_implementations())
    if unknown := sorted({each.type for each in suite.expectations} - known):
        raise SuiteError(
            f"suite {suite.name!r} has checks of a type that does not exist: {', '.join(unknown)}",
            left="no fact was judged",
            next_step="correct the type; greatexpectations.io/expectations lists them",
        )
    listed = [
        {"type": each.type, "kwargs": each.kwargs, "severity": each.severity, "meta": {"id": each.meta.id}}
        for each in suite.expectations
    ]
    try:
        return gx.ExpectationSuite(name=suite.name, expectations=listed)
    except ValueError as error:
        raise SuiteError(
            f"suite {suite.name!r} has a check with arguments that do not fit: {error}",
            left="no fact was judged",
            next_step="correct its kwargs",
        ) from error


def _outcome(result: Any) -> Outcome:
    if error := _exception(result.exception_info or {}):
        return Outcome(success=False, error=error)
    found = result.result or {}
    listed = found.get("unexpected_index_list")
    return Outcome(
        success=bool(result.success),
        bad_rows=None if listed is None else frozenset(listed),
        observed=found.get("observed_value"),
    )


def _exception(info: Mapping[str, Any]) -> str | None:
    """The message, which is at the top or one level down, by metric."""
    for each in (info, *(value for value in info.values() if isinstance(value, Mapping))):
        if each.get("raised_exception"):
            return str(each.get("exception_message") or "it raised an exception without a message")
    return None
