"""Memory: statements that sort on disk, and a cache that is too small for what is read."""

from __future__ import annotations

from collections.abc import Iterator

from day2.operations.performance_tuning import queries
from day2.operations.performance_tuning.facts import Facts, Machine, Statement
from day2.operations.performance_tuning.model import Recommendation
from day2.operations.performance_tuning.rules_settings import Harm, advised
from day2.operations.performance_tuning.rules_statements import is_work, measured
from day2.operations.performance_tuning.thresholds import DAY, MB, Thresholds
from day2.operations.performance_tuning.wording import evidence, share
from day2.units import duration, size

TEMP = "temp_blks_written / calls"


def sizes(facts: Facts, limits: Thresholds, machine: Machine | None) -> Iterator[Recommendation]:
    """work_mem and shared_buffers, where the machine's memory is known."""
    if machine:
        yield from _work_mem(facts, limits, machine)
        yield from _shared_buffers(facts, limits, machine)


def _work_mem(facts: Facts, limits: Thresholds, machine: Machine) -> Iterator[Recommendation]:
    setting, now = facts.setting("work_mem"), facts.bytes_of("work_mem")
    if not setting or not now:
        return
    most = work_mem_bound(facts, limits, machine)
    spills = [each for each in spilling(facts, limits) if needed(facts, each) <= most]
    if not spills:
        return
    wanted = max(needed(facts, each) for each in spills)
    top = spills[0]
    yield advised(
        facts,
        setting,
        f"{wanted // MB}MB",
        harm=Harm(
            says=f"{len(spills)} of the top statements sort or hash on disk: {size(_a_call(facts, top))} a call",
            found=(
                *measured(top, facts),
                evidence(
                    "written to disk a call", _a_call(facts, top), "bytes", queries.of_statement(TEMP, top.query_id)
                ),
                evidence(
                    "the most that is safe", most, "bytes", "a quarter of the memory by max_connections and sorts"
                ),
            ),
            gain=f"{share(sum(each.total_ms for each in spills) / facts.statements_ms)} of all time is spent in "
            "statements that would stay in memory",
            source="PGTune's bound; pg_stat_statements.temp_blks_written",
            score=min(1.0, sum(each.total_ms for each in spills) / facts.statements_ms),
            measured_by=tuple(each.query_id for each in spills),
            risk="moderate",
        ),
    )


def spilling(facts: Facts, limits: Thresholds) -> list[Statement]:
    """Statements that clients wait for and that write temporary files at every call, most time first."""
    return [
        each
        for each in facts.statements
        if is_work(each)
        and each.calls >= limits.calls
        and each.total_ms >= limits.share * facts.statements_ms
        and _a_call(facts, each) >= limits.temp_bytes_a_call
    ]


def _a_call(facts: Facts, statement: Statement) -> float:
    return statement.temp_blocks * facts.counters.get("block_size", 8192) / max(1, statement.calls)


def needed(facts: Facts, statement: Statement) -> int:
    """work_mem for it to stay in memory: rows are wider there than on disk, so twice, as a power of two.

    What is set now was too little, however small the files are: a hash keeps a part of its rows in memory.
    """
    on_disk, now = _a_call(facts, statement), facts.bytes_of("work_mem") or 0
    return 1 << (int(max(2 * on_disk, now + on_disk)) - 1).bit_length()


def work_mem_bound(facts: Facts, limits: Thresholds, machine: Machine) -> int:
    """What every connection may take at once, three times, without passing a quarter of the memory in all."""
    sessions = max(facts.number("max_connections") or 100, 1)
    return int(min(limits.work_mem_max, max(4 * MB, machine.ram_bytes / 4 / sessions * 3)))


def _shared_buffers(facts: Facts, limits: Thresholds, machine: Machine) -> Iterator[Recommendation]:
    setting, now = facts.setting("shared_buffers"), facts.bytes_of("shared_buffers")
    wanted = machine.ram_bytes // 4 // MB * MB
    if not setting or not now or now >= wanted / 2 or not misses(facts, limits):
        return
    yield advised(
        facts,
        setting,
        f"{wanted // MB}MB",
        harm=Harm(
            says=f"{share(1 - hit_rate(facts))} of the blocks were not in shared_buffers, which are {size(now)} of "
            f"{size(machine.ram_bytes)} of memory",
            found=(evidence("hits", hit_rate(facts), "share", queries.of_database("blks_hit, blks_read")),),
            gain="fewer reads; nobody knows how many before it is measured",
            source="PGTune: a quarter of the memory",
        ),
    )


def hit_rate(facts: Facts) -> float:
    """The share of blocks that were found in shared_buffers."""
    hit, read = facts.counters.get("blocks_hit", 0), facts.counters.get("blocks_read", 0)
    return hit / max(1, hit + read)


def misses(facts: Facts, limits: Thresholds) -> bool:
    """Whether many blocks are read, day after day, for want of a place to keep them."""
    days = max(facts.window / DAY, 1.0)
    read = facts.counters.get("blocks_read", 0) * facts.counters.get("block_size", 8192) / days
    larger = facts.counters.get("database_bytes", 0) > (facts.bytes_of("shared_buffers") or 0)
    return hit_rate(facts) < limits.cache_hit and read >= limits.cache_read_bytes_a_day and larger


def memory(facts: Facts, limits: Thresholds, machine: Machine | None) -> Iterator[Recommendation]:
    """Temporary files that no safe work_mem would avoid, and a cache that is too small for what is read."""
    bound = work_mem_bound(facts, limits, machine) if machine else 0
    for each in spilling(facts, limits):
        a_day = _a_call(facts, each) * each.calls / max(facts.window / DAY, 1e-9)
        if needed(facts, each) <= bound or a_day < limits.temp_bytes_a_day:
            continue
        yield Recommendation(
            kind="temporary_files",
            object=f"statement {each.query_id}",
            says=f"it writes {size(_a_call(facts, each))} of temporary files a call, {size(a_day)} a day"
            + ("" if machine else "; how much memory is safe is not known"),
            evidence=(
                *measured(each, facts),
                evidence(
                    "written to disk a call", _a_call(facts, each), "bytes", queries.of_statement(TEMP, each.query_id)
                ),
            ),
            gain="nobody knows before somebody has read its plan",
            risk="none",
            source="pg_stat_statements.temp_blks_written",
            to_do="an index that gives the order, fewer columns, or SET LOCAL work_mem for this statement alone",
        )
    if not facts.statements:
        yield from _temporary_files(facts, limits)
    if misses(facts, limits):
        yield Recommendation(
            kind="cache_hit",
            object="shared_buffers",
            says=f"{share(hit_rate(facts))} of the blocks were in shared_buffers",
            evidence=(
                evidence("read", facts.counters["blocks_read"], "blocks", queries.of_database("blks_read")),
                evidence("hits", hit_rate(facts), "share", queries.of_database("blks_hit, blks_read")),
                evidence("counted for", duration(facts.window), "", queries.COUNTED_SINCE),
            ),
            gain="nobody knows before it is measured",
            risk="none",
            source="PgHero table_hit_rate, check_postgres hitratio",
            score=1 - hit_rate(facts),
            to_do="first the statements that read most blocks (missing indexes, bloat); then memory",
        )


def _temporary_files(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Of the whole database: which statements it is, only pg_stat_statements could say."""
    a_day = facts.counters.get("temp_bytes", 0) / max(facts.window / DAY, 1.0)
    if a_day < limits.temp_bytes_a_day:
        return
    yield Recommendation(
        kind="temporary_files",
        object=f"database {facts.database}",
        says=f"{size(a_day)} of temporary files a day; by which statements is not known",
        evidence=(
            evidence("written", facts.counters["temp_bytes"], "bytes", queries.of_database("temp_bytes")),
            evidence("files", facts.counters["temp_files"], "files", queries.of_database("temp_files")),
        ),
        gain="nobody knows before the statements are known",
        risk="none",
        source="pg_stat_database.temp_bytes",
        to_do="create pg_stat_statements, and look again",
    )
