"""What vacuum and analyze should have done: bloat, dead rows, stale statistics, autovacuum's settings."""

from __future__ import annotations

from collections.abc import Iterator

from day2.operations.performance_tuning import bloat, queries
from day2.operations.performance_tuning.facts import Facts, Table
from day2.operations.performance_tuning.model import Change, Recommendation
from day2.operations.performance_tuning.thresholds import Thresholds
from day2.operations.performance_tuning.wording import CONCURRENTLY, NOTHING_TO_REVERSE, evidence, share
from day2.units import duration, size

VACUUM_LOCKS = "SHARE UPDATE EXCLUSIVE on the table: reads and writes go on"
AUTOVACUUM_OFF = "autovacuum_enabled"


def upkeep(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """What each table needs. One thing at a time: bloat is only judged where vacuum and analyze are up to date."""
    for table in facts.tables:
        found = [*_autovacuum(facts, table, limits), *_vacuum(facts, table, limits), *_analyze(table, limits)]
        yield from found
        behind = {each.kind for each in found} & {"vacuum_lag", "stale_statistics"}
        if not behind:
            yield from _table_bloat(facts, table, limits)
            yield from _index_bloat(facts, table, limits)


def _is_late(ago: float | None, limits: Thresholds) -> bool:
    return ago is None or ago >= limits.overdue_seconds


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{duration(seconds)} ago"


def _is_off(table: Table) -> bool:
    return table.options.get(AUTOVACUUM_OFF, "true").lower() in ("false", "off", "0", "no", "f", "n")


def _vacuum(facts: Facts, table: Table, limits: Thresholds) -> Iterator[Recommendation]:
    dead = table.dead / max(1, table.live + table.dead)
    big = table.dead >= limits.upkeep_rows and table.bytes >= limits.upkeep_bytes
    if not big or dead < limits.dead_share or table.vacuum_runs or not _is_late(table.vacuumed_ago, limits):
        return
    holder = max(facts.transactions, key=lambda each: each.xid_age, default=None)
    held = holder and holder.seconds >= limits.transaction_seconds
    to_do = "first end the old transaction: what it may still see, no vacuum can remove" if held else ""
    yield Recommendation(
        kind="vacuum_lag",
        object=table.name,
        says=f"{share(dead)} of the rows in {table.name} are dead; vacuumed {_ago(table.vacuumed_ago)}",
        evidence=(
            evidence("dead rows", table.dead, "rows", queries.of_table("n_dead_tup", table.name)),
            evidence("live rows", table.live, "rows", queries.of_table("n_live_tup", table.name)),
            evidence(
                "vacuumed",
                _ago(table.vacuumed_ago),
                "",
                queries.of_table("last_autovacuum", table.name),
            ),
        ),
        gain=f"up to {size(table.bytes * dead)} may be used again, and scans read no dead rows",
        risk="safe",
        source="postgres_dba v2, check_postgres last_vacuum",
        score=dead,
        change=Change(f"VACUUM (ANALYZE) {table.name}", NOTHING_TO_REVERSE, VACUUM_LOCKS),
        to_do=to_do,
    )


def _analyze(table: Table, limits: Thresholds) -> Iterator[Recommendation]:
    changed = table.changed / max(1, table.live)
    big = table.changed >= limits.upkeep_rows and table.bytes >= limits.upkeep_bytes
    if not big or changed < limits.changed_share or not _is_late(table.analyzed_ago, limits):
        return
    yield Recommendation(
        kind="stale_statistics",
        object=table.name,
        says=f"{table.changed} rows of {table.name} changed since its statistics were taken "
        f"({_ago(table.analyzed_ago)}): plans are made for a table that is no more",
        evidence=(
            evidence("changed", table.changed, "rows", queries.of_table("n_mod_since_analyze", table.name)),
            evidence("live rows", table.live, "rows", queries.of_table("n_live_tup", table.name)),
            evidence("rows the planner counts with", table.rows, "rows", queries.of_relation("reltuples", table.name)),
            evidence("analyzed", _ago(table.analyzed_ago), "", queries.of_table("last_analyze", table.name)),
        ),
        gain="plans fit the data; how much that is, only the statements' times show",
        risk="safe",
        source="check_postgres last_analyze; twice autovacuum_analyze_scale_factor",
        score=min(1.0, changed),
        change=Change(f"ANALYZE {table.name}", NOTHING_TO_REVERSE, VACUUM_LOCKS),
    )


def _autovacuum(facts: Facts, table: Table, limits: Thresholds) -> Iterator[Recommendation]:
    late = table.dead >= limits.upkeep_rows and table.dead >= limits.dead_share * max(1, table.live)
    changed = table.changed >= limits.upkeep_rows and table.changed >= limits.changed_share * max(1, table.live)
    option = "autovacuum_vacuum_scale_factor"
    reset = f"ALTER TABLE {table.name} RESET ({{}})"
    put = f"ALTER TABLE {table.name} SET ({{}} = {{}})"
    if _is_off(table) and table.bytes >= limits.upkeep_bytes and (late or changed):
        value = table.options[AUTOVACUUM_OFF]
        yield _autovacuum_setting(
            table,
            f"autovacuum is switched off for {table.name}, and nothing stands in for it",
            statement=reset.format(AUTOVACUUM_OFF),
            reverse=put.format(AUTOVACUUM_OFF, value),
        )
        return
    factor = float(table.options.get(option, facts.number(option) or 0.2))
    allowed = (facts.number("autovacuum_vacuum_threshold") or 50) + factor * max(table.rows, 0)
    if table.live < limits.big_table_rows or table.dead < limits.big_table_rows * 0.05 or table.dead > allowed:
        return
    before = table.options.get(option)
    yield _autovacuum_setting(
        table,
        f"{table.dead} rows of {table.name} are dead, and autovacuum waits until {allowed:.0f} are",
        statement=put.format(option, "0.02"),
        reverse=put.format(option, before) if before else reset.format(option),
    )


def _autovacuum_setting(table: Table, says: str, *, statement: str, reverse: str) -> Recommendation:
    return Recommendation(
        kind="autovacuum_settings",
        object=table.name,
        says=says,
        evidence=(
            evidence("dead rows", table.dead, "rows", queries.of_table("n_dead_tup", table.name)),
            evidence("live rows", table.live, "rows", queries.of_table("n_live_tup", table.name)),
            evidence("its own settings", _told(table), "", queries.of_relation("reloptions", table.name)),
        ),
        gain="autovacuum comes while there is little to do: less dead rows, statistics that fit",
        risk="safe",
        source="postgres_dba v2; PostgreSQL's Routine Vacuuming",
        score=table.dead / max(1, table.live + table.dead),
        change=Change(statement, reverse, "SHARE UPDATE EXCLUSIVE on the table, for a moment"),
    )


def _told(table: Table) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(table.options.items())) or "none"


def _table_bloat(facts: Facts, table: Table, limits: Thresholds) -> Iterator[Recommendation]:
    empty = bloat.table_bloat(table, int(facts.counters.get("block_size", 8192)))
    if empty is None or empty < limits.table_bloat or empty * table.bytes < limits.bloat_bytes:
        return
    yield Recommendation(
        kind="table_bloat",
        object=table.name,
        says=f"{share(empty)} of {table.name} is empty: {size(empty * table.bytes)} that scans and caches carry along",
        evidence=(
            evidence("empty", empty, "share", queries.ESTIMATE),
            evidence("size", table.bytes, "bytes", queries.size(table.name)),
            evidence("rows", table.rows, "rows", queries.of_relation("reltuples", table.name)),
            evidence("dead rows", table.dead, "rows", queries.of_table("n_dead_tup", table.name)),
        ),
        gain=f"about {size(empty * table.bytes)} of disk and memory, by estimate",
        risk="high",
        source="postgres_dba b1, check_postgres bloat (ioguix)",
        score=empty,
        to_do="look with pgstattuple_approx; then pg_repack (short locks) or, in a window, VACUUM FULL: it locks the "
        "table for all, takes its size again on the disk, and there is no way back nor need for one",
    )


def _index_bloat(facts: Facts, table: Table, limits: Thresholds) -> Iterator[Recommendation]:
    for index in facts.indexes_of(table.name):
        if not index.valid or index.building or index.partitioned:
            continue
        empty = bloat.index_bloat(index, int(facts.counters.get("block_size", 8192)))
        if empty is None or empty < limits.index_bloat or empty * index.bytes < limits.bloat_bytes:
            continue
        yield Recommendation(
            kind="index_bloat",
            object=index.label,
            says=f"{share(empty)} of {index.name} is empty",
            evidence=(
                evidence("empty", empty, "share", queries.ESTIMATE),
                evidence("size", index.bytes, "bytes", queries.size(index.name)),
                evidence("rows", index.rows, "rows", queries.of_relation("reltuples", index.name)),
            ),
            gain=f"about {size(empty * index.bytes)} of disk and memory, by estimate",
            risk="moderate",
            source="postgres_dba b2, check_postgres bloat (ioguix)",
            score=empty,
            change=Change(
                f"REINDEX INDEX CONCURRENTLY {index.name}",
                NOTHING_TO_REVERSE,
                CONCURRENTLY.format(table=index.table),
                takes_space=index.bytes,
            ),
        )
