"""From a restore's measures to the row its suite judges. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUITE = "database_restore"
MEASURED = (
    "tables_expected",
    "tables_compared",
    "tables_equal",
    "schema_equal",
    "sequences_equal",
    "old_data_kept",
    "safety_point_verified",
    "server_writable",
)


def row(aim: Mapping[str, Any], measures: Mapping[str, Any]) -> dict[str, Any]:
    """One restore. `aim` is the plan's target; what was not measured is None, which no check passes."""
    return {name: measures.get(name) for name in MEASURED} | {
        "target": aim["name"],
        "destination": aim["destination"],
        "restore_finished": bool(measures.get("restore_finished")),
    }
