"""Settings that do harm here: judged by what was counted and planned, never by a formula alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from day2.operations.performance_tuning import queries
from day2.operations.performance_tuning.facts import Facts, Machine, Setting
from day2.operations.performance_tuning.model import Change, Evidence, Recommendation, Risk
from day2.operations.performance_tuning.rules_statements import measured
from day2.operations.performance_tuning.thresholds import DAY, MB, Thresholds
from day2.operations.performance_tuning.wording import evidence, literal, share

NO_LOCKS = "none; every session takes it over at its next statement"
AUTO = "postgresql.auto.conf"


def settings(facts: Facts, limits: Thresholds, machine: Machine | None) -> Iterator[Recommendation]:
    """Every setting that has evidence against it."""
    yield from _switched_off(facts)
    yield from _planner(facts, limits)
    yield from _parallelism(facts, limits)
    yield from _wal_buffers(facts, limits)
    yield from _vacuum_memory(facts, machine)
    yield from _waiting(facts)
    if machine:
        yield from _wal_size(facts, limits, machine)


def change(facts: Facts, setting: Setting, value: str) -> Change:
    """Set it where it is set now, so that it takes effect, and undo it to exactly what was there."""
    unit = setting.unit if setting.unit != "8kB" else ""
    before = literal(f"{setting.value}{unit}")
    if setting.source == "database":
        database = '"' + facts.database.replace('"', '""') + '"'
        verb = f"ALTER DATABASE {database}"
        return Change(
            f"{verb} SET {setting.name} = {literal(value)}",
            f"{verb} SET {setting.name} = {before}",
            "none; new sessions take it over",
            context=setting.context,
        )
    ours = setting.file.endswith(AUTO)
    return Change(
        f"ALTER SYSTEM SET {setting.name} = {literal(value)}",
        f"ALTER SYSTEM SET {setting.name} = {before}" if ours else f"ALTER SYSTEM RESET {setting.name}",
        NO_LOCKS,
        context=setting.context,
    )


@dataclass(frozen=True)
class Harm:
    """Why a setting is to be changed: what was found, and what is gained by it."""

    says: str
    found: tuple[Evidence, ...]
    gain: str
    source: str
    score: float = 0.0
    measured_by: tuple[int, ...] = ()
    risk: Risk = "safe"


def advised(facts: Facts, setting: Setting, value: str, *, harm: Harm) -> Recommendation:
    """A setting's other value: a change where a reload is enough, work for people where it takes more."""
    made = change(facts, setting, value)
    # What a role has set, or the server's command line, wins over the files: people must change it there.
    beyond = setting.source in ("user", "database user", "command line", "environment variable")
    to_do = ""
    if setting.context == "postmaster":
        to_do = f"{made.statement}; it takes a restart, in a window. Try the start first: a server that cannot get "
        to_do += "what it asks for does not start"
    if beyond:
        to_do = f"it is set for the {setting.source}: change it there, to {value}"
    by_hand = beyond or setting.context == "postmaster"
    return Recommendation(
        kind="setting",
        object=f"setting {setting.name}",
        says=harm.says,
        evidence=(evidence("now", f"{setting.value} {setting.unit}".strip(), "", f"show {setting.name}"), *harm.found),
        gain=harm.gain,
        risk="high" if by_hand else harm.risk,
        source=harm.source,
        score=harm.score,
        change=None if by_hand else replace(made, measured_by=harm.measured_by),
        to_do=to_do,
    )


def _switched_off(facts: Facts) -> Iterator[Recommendation]:
    for name in ("autovacuum", "track_counts"):
        found = facts.setting(name)
        if found and found.value == "off":
            yield advised(
                facts,
                found,
                "on",
                harm=Harm(
                    says=f"{name} is off: dead rows stay, statistics age, and ids run out until the server forces it",
                    found=(
                        evidence(
                            "age of the oldest id",
                            facts.counters.get("xid_age", 0),
                            "ids",
                            queries.of_database("age(datfrozenxid)", "pg_database"),
                        ),
                    ),
                    gain="the upkeep of every table comes back",
                    source="PostgreSQL's Routine Vacuuming",
                    score=1.0,
                    risk="moderate",
                ),
            )


def _planner(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    by_id = {each.query_id: each for each in facts.statements}
    tables = {each.name: each for each in facts.tables}
    blocks = facts.counters.get("block_size", 8192)
    for name in dict.fromkeys(each.object for each in facts.trials if each.kind == "setting"):
        trials = [each for each in facts.trials if each.kind == "setting" and each.object == name]
        # The plan says that a table is read for nothing; the counters must say so as well.
        harmed = [
            (by_id[each.query_id], each)
            for each in trials
            if each.query_id in by_id
            and each.columns[0] in tables
            and by_id[each.query_id].calls >= limits.calls
            and tables[each.columns[0]].bytes >= limits.index_table_bytes
            and by_id[each.query_id].blocks / by_id[each.query_id].calls >= 0.5 * tables[each.columns[0]].bytes / blocks
        ]
        of_all = sum(each.total_ms for each, _ in harmed) / max(facts.statements_ms, 1e-9)
        setting = facts.setting(name)
        if not setting or not harmed or of_all < limits.share:
            continue
        top, trial = max(harmed, key=lambda each: each[0].total_ms)
        uses = ", ".join(trial.uses)
        yield advised(
            facts,
            setting,
            trial.value,
            harm=Harm(
                says=f"with {name} = {setting.value} the planner reads all of {trial.columns[0]}, where {uses} "
                "would do",
                found=(
                    *measured(top, facts),
                    evidence("plan with it", f"uses {uses}", "", f"set {name}; EXPLAIN"),
                ),
                gain=f"up to {share(of_all)} of all statements' time: {len(harmed)} of the top statements would use "
                "an index",
                source="PostgreSQL's Planner Cost Constants; PGTune",
                score=of_all,
                measured_by=tuple(each.query_id for each, _ in harmed),
            ),
        )


def _wal_size(facts: Facts, limits: Thresholds, machine: Machine) -> Iterator[Recommendation]:
    setting, now = facts.setting("max_wal_size"), facts.bytes_of("max_wal_size")
    counted = facts.counters
    hours = counted.get("checkpoint_seconds", 0) / 3600
    asked, timed = counted.get("requested", 0), counted.get("timed", 0)
    if not setting or not now or not hours or asked < limits.checkpoints or asked < timed:
        return
    # Backups and people ask for checkpoints as well: it is the log's size only if that much of it was written.
    by_size = counted.get("wal_bytes", 0) >= 0.3 * now * asked
    if asked / hours < limits.checkpoints_an_hour or not by_size:
        return
    wanted = min(now * 4, limits.wal_size_max, int(machine.disk_free_bytes * 0.1))
    if wanted <= now:
        return
    yield advised(
        facts,
        setting,
        f"{wanted // MB}MB",
        harm=Harm(
            says=f"{asked / hours:.0f} checkpoints an hour are forced: max_wal_size is full before checkpoint_timeout",
            found=(
                evidence("forced", asked, "checkpoints", queries.checkpoints(facts.version)),
                evidence("by time", timed, "checkpoints", queries.checkpoints(facts.version)),
                evidence("in", hours, "hours", queries.COUNTED_SINCE),
                evidence("log written", counted.get("wal_bytes", 0), "bytes", queries.WAL),
            ),
            gain="fewer checkpoints write fewer pages, and fewer whole pages to the log; recovery after a crash "
            "takes longer",
            source="PostgreSQL's WAL Configuration",
            risk="moderate",
        ),
    )


def _wal_buffers(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    setting, now = facts.setting("wal_buffers"), facts.bytes_of("wal_buffers")
    full, seconds = facts.counters.get("wal_buffers_full", 0), facts.counters.get("wal_seconds", 0)
    # A bulk load fills them for minutes; only a rate over days says that they are small.
    if not setting or not now or seconds < DAY or full / seconds < limits.wal_buffers_full_a_second or now >= 64 * MB:
        return
    yield advised(
        facts,
        setting,
        "64MB",
        harm=Harm(
            says=f"the buffers of the write-ahead log were full {full / seconds:.1f} times a second",
            found=(evidence("full", full, "times", queries.WAL), evidence("in", seconds / DAY, "days", queries.WAL)),
            gain="commits wait less for others' writes",
            source="pg_stat_wal.wal_buffers_full",
        ),
    )


def _vacuum_memory(facts: Facts, machine: Machine | None) -> Iterator[Recommendation]:
    setting, now = facts.setting("maintenance_work_mem"), facts.bytes_of("maintenance_work_mem")
    passes = facts.counters.get("vacuum_index_passes", 0)
    if not setting or not now or passes < 2 or not machine:
        return
    wanted = min(machine.ram_bytes // 16, 1024 * MB) // MB * MB
    if wanted <= now:
        return
    yield advised(
        facts,
        setting,
        f"{wanted // MB}MB",
        harm=Harm(
            says=f"a vacuum reads all indexes for the {passes:.0f}th time: its list of dead rows does not fit",
            found=(evidence("passes", passes, "", queries.VACUUMS),),
            gain="one pass over the indexes a vacuum",
            source="PostgreSQL's Resource Consumption; PGTune",
        ),
    )


def _parallelism(facts: Facts, limits: Thresholds) -> Iterator[Recommendation]:
    wanted, had = facts.counters.get("parallel_wanted", 0), facts.counters.get("parallel_launched", 0)
    workers, most = facts.setting("max_parallel_workers"), facts.setting("max_worker_processes")
    if not workers or not most or wanted < 1000 or had >= limits.parallel_launched * wanted:
        return
    low = workers if int(workers.value) < int(most.value) else most
    yield advised(
        facts,
        low,
        str(int(low.value) * 2 if low is most else int(most.value)),
        harm=Harm(
            says=f"of the parallel workers that plans counted with, {share(had / wanted)} were there",
            found=(
                evidence("wanted", wanted, "workers", queries.of_database("parallel_workers_to_launch")),
                evidence("had", had, "workers", queries.of_database("parallel_workers_launched")),
            ),
            gain="plans run with the workers that they were chosen for",
            source="pg_stat_database of PostgreSQL 18",
            risk="moderate",
        ),
    )


def _waiting(facts: Facts) -> Iterator[Recommendation]:
    for each in facts.settings:
        if each.pending_restart:
            yield Recommendation(
                kind="setting",
                object=f"setting {each.name}",
                says=f"{each.name} was changed in a file, and waits for a restart; nobody saw yet whether it starts",
                evidence=(evidence("now", each.value, each.unit, queries.of_setting(each.name)),),
                gain="what was decided takes effect",
                risk="none",
                source="pg_settings.pending_restart",
                to_do="restart in a window, or take it out of the file",
            )
    for error in facts.file_errors:
        yield Recommendation(
            kind="setting",
            object=f"setting {error.split(' (')[0]}",
            says=f"the server could not take over a line of its files: {error}",
            evidence=(evidence("error", error, "", queries.FILE_ERRORS),),
            gain="the next start does not fail by it",
            risk="none",
            source="pg_file_settings",
            to_do="correct the file, then SELECT pg_reload_conf()",
        )
