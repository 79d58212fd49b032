"""Facts of one database in, advice out: pure, the same facts give the same advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from day2.operations.performance_tuning import (
    rules_indexes,
    rules_limits,
    rules_memory,
    rules_settings,
    rules_statements,
    rules_upkeep,
)
from day2.operations.performance_tuning.facts import Facts, Machine
from day2.operations.performance_tuning.model import Advice, Kind, NotPossible, Recommendation
from day2.operations.performance_tuning.rules_statements import Before
from day2.operations.performance_tuning.thresholds import DAY, Thresholds

# What each part of the facts is needed for.
KINDS: dict[str, tuple[Kind, ...]] = {
    "statements": ("missing_index", "slow_statement", "regressed_statement", "temporary_files", "setting"),
    "trials": ("missing_index", "setting"),
    "sessions": ("long_transaction", "missing_index", "slow_statement", "regressed_statement"),
    "transactions": ("long_transaction",),
    "standby": ("unused_index",),
    "tables": ("table_bloat", "index_bloat", "vacuum_lag", "stale_statistics", "autovacuum_settings"),
    "widths": ("table_bloat", "index_bloat"),
    "indexes": ("unused_index", "duplicate_index", "redundant_index", "invalid_index", "index_bloat"),
    "foreign_keys": ("missing_foreign_key_index",),
    "sequences": ("sequence_exhaustion",),
    "slots": ("slot_pins_wal",),
}
# Only the primary counts these, and only there may they be changed.
OF_PRIMARY: tuple[Kind, ...] = (
    "missing_index",
    "unused_index",
    "duplicate_index",
    "redundant_index",
    "invalid_index",
    "index_bloat",
    "table_bloat",
    "missing_foreign_key_index",
    "vacuum_lag",
    "stale_statistics",
    "autovacuum_settings",
    "transaction_id_age",
    "multixact_age",
    "sequence_exhaustion",
)


def advise(
    facts: Facts,
    limits: Thresholds | None = None,
    *,
    machine: Machine | None = None,
    earlier: Mapping[str, Any] | None = None,
) -> Advice:
    """What is worth doing, most first. `earlier` is `remembered` of the last run, for what became slower."""
    limits = limits or Thresholds()
    found = list(_everywhere(facts, limits, machine=machine, earlier=earlier or {}))
    if not facts.standby:
        found += _on_primary(facts, limits)
    explained = frozenset(q for each in found if each.change for q in each.change.measured_by)
    found += rules_statements.slow(facts, limits, explained)
    return Advice(
        database=facts.database,
        at=facts.at,
        recommendations=tuple(sorted(found, key=lambda each: (-each.score, each.key))),
        not_possible=tuple(_not_possible(facts, limits, machine)),
        facts=remembered(facts),
    )


def remembered(facts: Facts) -> dict[str, Any]:
    """What the next run compares with: statements' counters, settings; small enough for a record."""
    return {
        "server": facts.server,
        "version": facts.version,
        "standby": facts.standby,
        "window_seconds": round(facts.window),
        "statements_seen": facts.statements_seen,
        "statements_ms": round(facts.statements_ms, 3),
        "statements": {str(s.query_id): [s.calls, round(s.total_ms, 3)] for s in facts.statements},
        "settings": {s.name: {"value": s.value, "unit": s.unit, "source": s.source} for s in facts.settings},
        "tables": len(facts.tables),
        "indexes": len(facts.indexes),
        "counters": dict(facts.counters),
    }


def _everywhere(
    facts: Facts, limits: Thresholds, *, machine: Machine | None, earlier: Mapping[str, Any]
) -> Iterator[Recommendation]:
    before = {int(key): Before(int(calls), float(ms)) for key, (calls, ms) in earlier.get("statements", {}).items()}
    yield from rules_limits.transactions(facts, limits)
    yield from rules_limits.slots(facts, limits)
    yield from rules_limits.connections(facts, limits)
    yield from rules_settings.settings(facts, limits, machine)
    yield from rules_memory.sizes(facts, limits, machine)
    yield from rules_memory.memory(facts, limits, machine)
    yield from rules_statements.regressed(facts, limits, before)


def _on_primary(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    yield from rules_indexes.surplus(facts, limits)
    yield from rules_indexes.invalid(facts)
    yield from rules_indexes.foreign_keys(facts, limits)
    yield from rules_statements.missing_indexes(facts, limits)
    yield from rules_upkeep.upkeep(facts, limits)
    yield from rules_limits.ages(facts, limits)
    yield from rules_limits.sequences(facts, limits)


def _not_possible(facts: Facts, limits: Thresholds, machine: Machine | None) -> Iterator[NotPossible]:
    role = '"' + facts.user.replace('"', '""') + '"'
    for each in facts.denied:
        yield NotPossible(KINDS.get(each.part, ("setting",)), each.why, each.remedy)
    if facts.standby:
        yield NotPossible(OF_PRIMARY, f"{facts.server} is a standby: only its primary counts and changes these",
                          "look at the primary, and name this one as its standby")  # fmt: skip
        return
    if machine is None:
        yield NotPossible(("setting",), "memory, CPUs and disk of the server's machine are not known",
                          "name the machine's host in the inventory, or give its memory, CPUs and disk")  # fmt: skip
    if locked := [each.name for each in facts.tables if each.locked]:
        why = f"{len(locked)} tables were locked by somebody: {', '.join(locked[:3])}"
        yield NotPossible(KINDS["indexes"], why, "run it again; who holds the lock, pg_locks says")
    if facts.trials_unread:
        why = f"{facts.trials_unread} of the top statements could not be planned: cut, locked, or of unknown types"
        yield NotPossible(("missing_index",), why, "read their plans by hand: EXPLAIN with real values")
    windows = [facts.window, *(each.window for each in facts.standbys)]
    if min(windows) < limits.unused_seconds:
        why = f"uses are counted for {min(windows) / DAY:.1f} days, and {limits.unused_seconds / DAY:.0f} are asked for"
        yield NotPossible(("unused_index",), why, "wait, and do not reset the statistics meanwhile")
    if hidden := _without_widths(facts, limits):
        why = f"the statistics of {len(hidden)} tables may not be read: {', '.join(hidden[:3])}"
        yield NotPossible(("table_bloat", "index_bloat"), why, f"GRANT pg_read_all_data TO {role} (or SELECT on them)")
    if unread := [each.name for each in facts.sequences if not each.readable]:
        why = f"{len(unread)} sequences may not be read: {', '.join(unread[:3])}"
        remedy = f"GRANT SELECT ON SEQUENCE {', '.join(unread[:3])} TO {role} (or pg_read_all_data)"
        yield NotPossible(("sequence_exhaustion",), why, remedy)


def _without_widths(facts: Facts, limits: Thresholds) -> list[str]:
    if any(each.part == "widths" for each in facts.denied):
        return []
    return [
        each.name
        for each in facts.tables
        if each.row_bytes is None and each.rows > 0 and each.columns and each.bytes >= limits.bloat_bytes
    ]
