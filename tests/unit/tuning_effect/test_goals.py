"""What a change is for, where that is not cheaper statements."""

from __future__ import annotations

from typing import Any

import pytest

from day2.operations.performance_tuning.effect import Effect, Verdict
from day2.operations.performance_tuning.goals import reached
from day2.operations.performance_tuning.model import Kind, Recommendation


def end(kind: Kind, before: dict[str, Any], made: dict[str, Any], verdict: Verdict = "keep") -> tuple[str, str]:
    item = Recommendation(kind, "s.i", "it is so", (), "space", "safe", "a test")
    found = reached(item, before, made, Effect(verdict, "no statement got worse"))
    return found.verdict, found.says


def test_space_that_was_freed_is_told() -> None:
    assert end("unused_index", {"bytes": 5_000_000}, {}) == ("keep", "5.0 MB freed; no statement got worse")


def test_what_freed_nothing_is_not_kept() -> None:
    assert end("index_bloat", {"bytes": 5}, {"bytes": 5})[0] == "revert"


def test_an_index_that_could_not_be_used_is_gone_or_usable() -> None:
    assert "is gone" in end("invalid_index", {"bytes": 0, "valid": False}, {})[1]
    assert "can be used now" in end("invalid_index", {"bytes": 5, "valid": False}, {"bytes": 9, "valid": True})[1]


def test_harm_outweighs_space() -> None:
    assert end("unused_index", {"bytes": 5_000_000}, {}, "revert")[0] == "revert"


@pytest.mark.parametrize(("kind", "kept"), [("invalid_index", True), ("index_bloat", True), ("unused_index", False)])
def test_without_traffic_only_what_can_harm_no_statement_is_kept(kind: Kind, kept: bool) -> None:
    verdict, says = end(kind, {"bytes": 9_000_000}, {"bytes": 1_000_000}, "unmeasured")
    assert (verdict == "keep") is kept
    assert not kept or "no statement could get worse by it" in says


def test_a_table_put_in_order_is_told_by_what_changed() -> None:
    before = {"dead_rows": 900, "modified_rows": 5, "transaction_age": 50, "analyzed": None, "vacuumed": 1.0}
    made = {"dead_rows": 0, "modified_rows": 5, "transaction_age": 50, "analyzed": 7.0, "vacuumed": 1.0}
    assert end("vacuum_lag", before, made)[1].startswith("900 dead rows before, 0 now, it was analyzed")
    assert end("stale_statistics", before, before)[0] == "revert"


def test_a_change_for_statements_is_judged_by_them_alone() -> None:
    assert end("missing_index", {}, {"bytes": 9_000_000}) == ("keep", "no statement got worse")
