"""Statements that are slow, became slow, or would read less with an index that is not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from day2.operations.performance_tuning import queries
from day2.operations.performance_tuning.facts import Facts, Statement, Trial
from day2.operations.performance_tuning.model import Change, Evidence, Recommendation
from day2.operations.performance_tuning.thresholds import Thresholds
from day2.operations.performance_tuning.wording import CONCURRENTLY, evidence, index_name, parts, share
from day2.units import size

WORK = ("select", "insert", "update", "delete", "with", "merge")
ASKED = "calls, total_exec_time, rows, shared_blks_hit + shared_blks_read"


def is_work(statement: Statement) -> bool:
    """Whether it is what clients wait for, and not upkeep like VACUUM, COPY or CREATE INDEX."""
    return statement.text.lstrip("( \n\t").lower().startswith(WORK)


def measured(statement: Statement, facts: Facts) -> tuple[Evidence, ...]:
    """What pg_stat_statements counted."""
    asked = queries.of_statement(ASKED, statement.query_id)
    return (
        evidence("statement", _shown(statement), "", asked),
        evidence("calls", statement.calls, "calls", asked),
        evidence("mean time", statement.mean_ms, "ms", asked),
        evidence("share of all time", statement.total_ms / max(facts.statements_ms, 1e-9), "share", asked),
        evidence("blocks a call", statement.blocks / max(1, statement.calls), "blocks", asked),
        evidence("rows a call", statement.rows / max(1, statement.calls), "rows", asked),
    )


def _shown(statement: Statement, most: int = 400) -> str:
    text = " ".join(statement.text[: 2 * most].split())[:most]
    return text if statement.length <= most else f"{text} … ({statement.length} characters)"


def slow(facts: Facts, limits: Thresholds, explained: frozenset[int]) -> Iterator[Recommendation]:
    """Slow statements that take a share of all time; `explained` are those that another finding is about."""
    for each in facts.statements:
        of_all = each.total_ms / max(facts.statements_ms, 1e-9)
        rare = each.calls < limits.calls or of_all < limits.share
        if rare or each.mean_ms < limits.slow_ms or not is_work(each) or each.query_id in explained:
            continue
        yield Recommendation(
            kind="slow_statement",
            object=f"statement {each.query_id}",
            says=f"{each.mean_ms:.0f} ms a call, {share(of_all)} of all statements' time",
            evidence=measured(each, facts),
            gain="nobody knows before somebody has read its plan",
            risk="none",
            source="PgHero slow_queries, postgres_dba s1",
            score=of_all,
            to_do="EXPLAIN (ANALYZE, BUFFERS) with real values, on a restored copy",
        )


@dataclass(frozen=True)
class Before:
    """A statement as an earlier run recorded it."""

    calls: int
    total_ms: float

    @property
    def mean_ms(self) -> float:
        return self.total_ms / max(1, self.calls)


def regressed(facts: Facts, limits: Thresholds, earlier: dict[int, Before]) -> Iterator[Recommendation]:
    """Statements that take longer a call than when they were last recorded."""
    for each in facts.statements:
        before = earlier.get(each.query_id)
        if not before or before.calls < limits.regressed_calls or not is_work(each):
            continue
        # Counters that went back were reset in between: then all of it is new.
        since = each
        if each.calls >= before.calls and each.total_ms >= before.total_ms:
            since = replace(each, calls=each.calls - before.calls, total_ms=each.total_ms - before.total_ms)
        grew = since.mean_ms - before.mean_ms
        slower = since.mean_ms >= limits.regressed_factor * before.mean_ms and grew >= limits.regressed_ms
        if (
            since.calls < limits.regressed_calls
            or not slower
            or grew * since.calls < limits.share * facts.statements_ms
        ):
            continue
        yield Recommendation(
            kind="regressed_statement",
            object=f"statement {each.query_id}",
            says=f"{since.mean_ms:.1f} ms a call, and {before.mean_ms:.1f} ms when it was last recorded",
            evidence=(
                *measured(each, facts),
                evidence("mean time then", before.mean_ms, "ms", "the record of the last run"),
                evidence("mean time since", since.mean_ms, "ms", queries.of_statement(ASKED, each.query_id)),
            ),
            gain=f"{grew * since.calls / 1000:.0f} s in the time looked at, if it becomes as quick as it was",
            risk="none",
            source="pg_stat_statements against the last record",
            score=min(1.0, grew * since.calls / max(facts.statements_ms, 1e-9)),
            to_do="compare its plan with the earlier one; look what changed: data, indexes, settings, version",
        )


def missing_indexes(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    """Indexes that top statements would use, best first; what one serves, no other is advised for."""
    by_id = {each.query_id: each for each in facts.statements}
    by_index: dict[tuple[str, tuple[str, ...]], list[Trial]] = defaultdict(list)
    for trial in facts.trials:
        known = trial.query_id in by_id and trial.object in facts.table_by_name
        if (
            trial.kind in ("index", "plan")
            and known
            and _counts(facts, by_id[trial.query_id], trial=trial, limits=limits)
        ):
            by_index[trial.object, trial.columns].append(trial)
    served: set[int] = set()
    while by_index:
        worth = {key: sum(_saves(by_id[t.query_id], t) for t in found) for key, found in by_index.items()}
        key = max(worth, key=lambda one: (worth[one], -len(one[1]), one))
        found = [each for each in by_index.pop(key) if each.query_id not in served]
        if not found:
            continue
        served |= {each.query_id for each in found}
        yield _missing(facts, key, trials=found)
        by_index = {
            other: rest
            for other, trials in by_index.items()
            if (rest := [each for each in trials if each.query_id not in served])
        }


def _saves(statement: Statement, trial: Trial) -> float:
    """Milliseconds, as the planner's costs say; without HypoPG all of it, as nobody knows."""
    if trial.kind == "plan":
        return statement.total_ms
    return statement.total_ms * (1 - trial.cost_after / max(trial.cost_before, 1e-9))


def _counts(facts: Facts, statement: Statement, *, trial: Trial, limits: Thresholds) -> bool:
    """Whether what was measured says the same as the plan: many blocks for few rows, and a share of the time."""
    table = facts.table_by_name[trial.object]
    if statement.calls < limits.calls or statement.total_ms < limits.share * facts.statements_ms:
        return False
    if table.bytes < limits.index_table_bytes:
        return False
    reads_it = statement.blocks / statement.calls >= 0.5 * table.bytes / facts.counters.get("block_size", 8192)
    if trial.kind == "index":
        return reads_it and trial.cost_after <= (1 - limits.index_gain) * trial.cost_before
    return reads_it and trial.rows_removed >= 0.9 * max(1.0, table.rows)


def _missing(facts: Facts, index: tuple[str, tuple[str, ...]], *, trials: list[Trial]) -> Recommendation:
    table, columns = index
    by_id = {each.query_id: each for each in facts.statements}
    found = sorted((by_id[each.query_id] for each in trials), key=lambda each: -each.total_ms)
    saved = sum(_saves(by_id[each.query_id], each) for each in trials) / max(facts.statements_ms, 1e-9)
    weighed = all(each.kind == "index" for each in trials)
    one = next(each for each in trials if each.query_id == found[0].query_id)
    rows = facts.table_by_name[table].rows
    name, listed = index_name(table, columns), ", ".join(columns)
    gain = "nobody knows before it is measured: HypoPG is not there, so the planner was not asked"
    cost: tuple[Evidence, ...] = (
        evidence("rows read and thrown away", one.rows_removed, "rows a call", queries.PLANNED),
    )
    if weighed:
        gain = f"about {share(saved)} of all statements' time, if time goes as the planner's costs do"
        cost = (
            evidence("planner's cost now", one.cost_before, "", queries.PLANNED),
            evidence("planner's cost with it", one.cost_after, "", queries.HYPOTHETICAL),
            evidence("size with it", one.index_bytes, "bytes", "hypopg_relation_size, for one session"),
        )
    space = max(one.index_bytes, int(max(rows, 0) * (16 + 12 * len(columns))))
    return Recommendation(
        kind="missing_index",
        object=f"{table} ({listed})",
        says=f"{len(found)} of the top statements read all of {table} to find few rows by {listed}",
        evidence=(*measured(found[0], facts), *cost),
        gain=gain,
        risk="moderate",
        source="HypoPG what-if over pg_stat_statements (as dexter does)",
        score=min(1.0, saved),
        change=Change(
            statement=f"CREATE INDEX CONCURRENTLY {parts(name)[1]} ON {table} ({listed})",
            reverse=f"DROP INDEX CONCURRENTLY {name}",
            locks=CONCURRENTLY.format(table=table),
            takes_space=space,
            measured_by=tuple(each.query_id for each in found),
        ),
        to_do=f"about {size(space)} of disk",
    )
