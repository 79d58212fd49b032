"""What a change is for, where that is not cheaper statements: space, or a table put in order. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from day2.operations.performance_tuning.effect import Effect
from day2.operations.performance_tuning.model import Recommendation
from day2.units import size

SPACE = {"unused_index", "duplicate_index", "redundant_index", "invalid_index", "index_bloat", "table_bloat"}
ORDER = {"vacuum_lag", "stale_statistics", "transaction_id_age", "multixact_age"}
NOT_FOR_STATEMENTS = SPACE | ORDER
# No statement can get worse by them (no plan uses an invalid index), so they do not wait for traffic.
HARMLESS = {"invalid_index", "index_bloat", "vacuum_lag", "transaction_id_age", "multixact_age"}
# Nothing that can be seen in minutes says whether these were right.
SHOWS_LATER = {"autovacuum_settings", "sequence_exhaustion"}


def reached(
    recommendation: Recommendation, before: Mapping[str, Any], made: Mapping[str, Any], found: Effect
) -> Effect:
    """The verdict, with what was gained besides: nothing is kept that did not do what it is for."""
    kind = recommendation.kind
    if kind not in NOT_FOR_STATEMENTS:
        return found
    verdict, says = found.verdict, found.says
    if verdict == "unmeasured" and kind in HARMLESS:
        verdict, says = "keep", f"no statement could get worse by it ({says})"
    if verdict != "keep":
        return found
    did = _space(before, made) if kind in SPACE else _order(before, made)
    if not did:
        return replace(found, verdict="revert", says="it changed nothing that could be seen")
    return replace(found, verdict="keep", says=f"{did}; {says}")


def _space(before: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    if before.get("valid") is False:
        return "the index can be used now" if made else "the index that could not be used is gone"
    freed = before.get("bytes", 0) - made.get("bytes", 0)
    return f"{size(freed)} freed" if freed > 0 else ""


def _order(before: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    did = []
    for name, what in (("dead_rows", "dead rows"), ("modified_rows", "rows changed since the statistics"),
                       ("transaction_age", "transactions of age")):  # fmt: skip
        if made.get(name, 0) < before.get(name, 0):
            did.append(f"{before[name]} {what} before, {made[name]} now")
    for name in ("analyzed", "vacuumed"):
        if (made.get(name) or 0) > (before.get(name) or 0):
            did.append(f"it was {name}")
    return ", ".join(did)
