"""Indexes that cost and do not help: duplicate, redundant, unused, invalid. And foreign keys without one.

Every drop is judged with those before it already done: never both of a pair, never the one that another stands in for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations

from day2.operations.performance_tuning import queries
from day2.operations.performance_tuning.facts import Facts, ForeignKey, Index
from day2.operations.performance_tuning.model import Change, Evidence, Kind, Recommendation, Risk
from day2.operations.performance_tuning.thresholds import DAY, Thresholds
from day2.operations.performance_tuning.wording import (
    CONCURRENTLY,
    NOTHING_TO_REVERSE,
    OURS,
    bare,
    create_concurrently,
    evidence,
    index_name,
    parts,
)
from day2.units import duration, size

# Of a plain index, generously.
BYTES_A_ROW = 40
LEFTOVERS = ("_ccnew", "_ccold")


@dataclass(frozen=True)
class Why:
    """What speaks for dropping an index."""

    says: str
    more: tuple[Evidence, ...]
    risk: Risk
    source: str


def surplus(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Indexes to drop: duplicate and redundant ones first, then those that nobody used."""
    dropped: set[str] = set()
    keepers: set[str] = set()
    for kind, gone, kept in [*_duplicates(facts), *_redundant(facts, limits)]:
        if gone.name in dropped | keepers or kept.name in dropped:
            continue
        dropped.add(gone.name)
        keepers.add(kept.name)
        yield _surplus(facts, kind, gone=gone, kept=kept)
    for each in facts.indexes:
        if each.name not in dropped | keepers and _is_unused(facts, each, limits=limits, dropped=dropped):
            yield _unused(facts, each)


def may_go(index: Index) -> bool:
    """Whether nothing but speed depends on it."""
    holds = index.unique or index.constraint or index.replica_identity or index.clustered
    return bool(index.valid and not index.building and not (holds or index.attached or index.partitioned))


def uses(facts: Facts, index: Index) -> int:
    """How often it was used, here and on the standbys."""
    return index.scans + sum(each.scans.get(index.name, 0) for each in facts.standbys)


def _by_table(facts: Facts) -> Iterator[list[Index]]:
    for indexes in facts.indexes_by_table.values():
        yield [each for each in indexes if each.valid and not each.building]


def _duplicates(facts: Facts) -> Iterator[tuple[Kind, Index, Index]]:
    for indexes in _by_table(facts):
        same: dict[str, list[Index]] = defaultdict(list)
        for each in indexes:
            same[each.definition.split(" USING ", 1)[1]].append(each)
        for group in same.values():
            # What others depend on stays; of the rest, the one that is used most, then the oldest.
            keep, *rest = sorted(group, key=lambda each: (may_go(each), not each.unique, -uses(facts, each)))
            yield from (("duplicate_index", each, keep) for each in rest if may_go(each))


def _redundant(facts: Facts, limits: Thresholds) -> Iterator[tuple[Kind, Index, Index]]:
    for indexes in _by_table(facts):
        plain = [each for each in indexes if each.method == "btree" and not each.expressions and not each.partial]
        for one, two in combinations(plain, 2):
            short, long = sorted((one, two), key=lambda each: len(each.keys))
            begins = len(short.shape) < len(long.shape) and long.shape[: len(short.shape)] == short.shape
            covers = set(short.includes) <= {*long.keys, *long.includes}
            small = long.bytes <= limits.redundant_size_ratio * max(short.bytes, 8192)
            if begins and covers and small and may_go(short):
                yield "redundant_index", short, long


def _surplus(facts: Facts, kind: Kind, *, gone: Index, kept: Index) -> Recommendation:
    says = {
        "duplicate_index": f"{gone.name} is the same as {kept.name}: every write keeps both",
        "redundant_index": f"{gone.name} is the beginning of {kept.name}, which serves the same searches",
    }[kind]
    compared = evidence(
        "definition of the one that stays",
        kept.definition,
        "",
        queries.of_index("pg_get_indexdef(indexrelid)", kept.name),
    )
    source = "postgres_dba i2, PgHero duplicate_indexes"
    return _drop(facts, kind, gone, why=Why(says, (compared,), "moderate", source))


def _is_unused(facts: Facts, index: Index, *, limits: Thresholds, dropped: Collection[str]) -> bool:
    windows = [facts.window, *(each.window for each in facts.standbys)]
    blind = any(each.part == "standby" for each in facts.denied)
    return bool(
        not blind
        and min(windows) >= limits.unused_seconds
        and index.bytes >= limits.unused_bytes
        and uses(facts, index) == 0
        and may_go(index)
        # ANALYZE keeps statistics about an index's expressions: plans may stand on them without using it.
        and not index.expressions
        and not _serves_foreign_key(facts, index, dropped)
        and not _is_kept_from_use(facts, index)
    )


def _unused(facts: Facts, index: Index) -> Recommendation:
    windows = (facts.window, *(each.window for each in facts.standbys))
    counted = evidence("counted for at least", round(min(windows) / DAY, 1), "days", queries.COUNTED_SINCE)
    asked = ", ".join(["this server", *(each.label for each in facts.standbys)])
    says = f"{index.name} was not used since {duration(min(windows))} ago, on {asked}"
    # High: an index made within the window looks the same as one that nobody wants.
    why = Why(says, (counted,), "high", "postgres_dba i1, PgHero unused_indexes, and the standbys' use")
    return _drop(facts, "unused_index", index, why=why)


def _drop(facts: Facts, kind: Kind, index: Index, *, why: Why) -> Recommendation:
    table = facts.table_by_name.get(index.table)
    writes = table.inserts + table.updates + table.deletes if table else 0
    change = Change(
        statement=f"DROP INDEX CONCURRENTLY {index.name}",
        reverse=create_concurrently(index.definition),
        locks=CONCURRENTLY.format(table=index.table),
    )
    elsewhere = (
        f"; it is in tablespace {index.tablespace}, which its definition does not say" if index.tablespace else ""
    )
    return Recommendation(
        kind=kind,
        object=index.label,
        says=why.says,
        evidence=(
            evidence("size", index.bytes, "bytes", queries.size(index.name)),
            evidence("uses", uses(facts, index), "scans", queries.uses(index.name)),
            evidence(
                "writes to its table",
                writes,
                "rows",
                queries.of_table("n_tup_ins + n_tup_upd + n_tup_del", index.table),
            ),
            *why.more,
        ),
        gain=f"{size(index.bytes)} of disk and memory, and one index less to write for each of the table's rows",
        risk=why.risk,
        source=why.source,
        change=None if index.tablespace else change,
        to_do=f"{change.statement}{elsewhere}" if index.tablespace else "",
    )


def invalid(facts: Facts) -> Iterator[Recommendation]:
    """Indexes that an interrupted CREATE or REINDEX left: written at every change, read by nobody."""
    for each in facts.indexes:
        if each.valid or each.building or each.partitioned or each.attached:
            continue
        name = bare(parts(each.name)[1])
        leftover = name.startswith(OURS) or name.rstrip("0123456789").endswith(LEFTOVERS)
        change, why = _mended(facts, each, leftover)
        yield Recommendation(
            kind="invalid_index",
            object=each.label,
            says=f"{each.name} is invalid: every write keeps it, no search may use it; {why}",
            evidence=(
                evidence("valid", "no", "", queries.of_index("indisvalid", each.name)),
                evidence("size", each.bytes, "bytes", queries.size(each.name)),
                evidence("being built", "no", "", queries.BUILDING),
            ),
            gain="writes keep no index in vain" if leftover else "the index that somebody wanted is there",
            risk="safe" if leftover else "moderate" if change else "high",
            source="postgres_dba i4, PgHero invalid_indexes",
            change=change,
            to_do=""
            if change
            else "find the rows that are there twice, decide which go, then REINDEX INDEX CONCURRENTLY "
            f"{each.name}; or drop it. Until then it may refuse new rows that it takes for duplicates",
        )


def _mended(facts: Facts, index: Index, leftover: bool) -> tuple[Change | None, str]:
    """Drop what is a leftover, build anew what somebody wanted; a unique one most likely failed by its rows."""
    locks = CONCURRENTLY.format(table=index.table)
    if leftover:
        drop = Change(f"DROP INDEX CONCURRENTLY {index.name}", create_concurrently(index.definition), locks)
        return drop, "an interrupted REINDEX, or a run of ours, left it"
    if index.unique:
        return None, "it is unique, and most likely rows that are there twice kept it from being built"
    rows = facts.table_by_name[index.table].rows if index.table in facts.table_by_name else 0
    statement, space = f"REINDEX INDEX CONCURRENTLY {index.name}", max(int(rows * BYTES_A_ROW), index.bytes)
    return Change(statement, NOTHING_TO_REVERSE, locks, takes_space=space), "somebody wanted it: it is built anew"


def _supports(index: Index, columns: Collection[str]) -> bool:
    """Whether a search for these columns can use it."""
    begins = index.keys[: len(columns)]
    usable = index.valid and index.method in ("btree", "hash") and not index.partial
    return bool(usable and set(begins) == set(columns))


def _serves_foreign_key(facts: Facts, index: Index, dropped: Collection[str]) -> bool:
    """Whether it is the only one that a foreign key's deletes can use."""
    others = [each for each in facts.indexes_of(index.table) if each.name not in {index.name, *dropped}]
    keys = [each for each in facts.foreign_keys if each.table == index.table and _supports(index, each.columns)]
    return any(not any(_supports(other, key.columns) for other in others) for key in keys)


def _is_kept_from_use(facts: Facts, index: Index) -> bool:
    """Whether only a setting keeps top statements from it: then the setting is wrong, not the index."""
    name = bare(parts(index.name)[1])
    trials = [each for each in facts.trials if each.kind == "setting" and index.table in each.columns]
    return any(name in each.uses for each in trials)


def foreign_keys(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Foreign keys whose parent's rows are deleted, and every delete reads the whole referring table."""
    done = set()
    for key in facts.foreign_keys:
        table = facts.table_by_name.get(key.table)
        if not table or table.locked or table.bytes < limits.foreign_key_table_bytes or not key.deletes:
            continue
        if any(_supports(each, key.columns) for each in facts.indexes_of(key.table)):
            continue
        if (key.table, key.columns) not in done:
            done.add((key.table, key.columns))
            yield _foreign_key(key, table.bytes, int(table.rows))


def _foreign_key(key: ForeignKey, table_bytes: int, rows: int) -> Recommendation:
    name = index_name(key.table, key.columns)
    columns = ", ".join(key.columns)
    return Recommendation(
        kind="missing_foreign_key_index",
        object=f"{key.table} ({columns})",
        says=f"every delete in {key.parent} reads all of {key.table} for rows that refer to it ({key.name})",
        evidence=(
            evidence("rows deleted in the parent", key.deletes, "rows", queries.of_table("n_tup_del", key.parent)),
            evidence("size of the referring table", table_bytes, "bytes", queries.size(key.table)),
            evidence("on delete", key.on_delete, "", queries.of_key(key.name, key.table)),
        ),
        gain="a delete reads a few blocks instead of the table: nobody knows how much before it is measured",
        risk="moderate",
        source="postgres_dba i3",
        change=Change(
            # The name alone: an index is made in its table's schema.
            statement=f"CREATE INDEX CONCURRENTLY {parts(name)[1]} ON {key.table} ({columns})",
            reverse=f"DROP INDEX CONCURRENTLY {name}",
            locks=CONCURRENTLY.format(table=key.table),
            takes_space=rows * BYTES_A_ROW,
        ),
    )
