"""`python -m bench.tuning_report page.html`: the report of a made-up run of tuning, to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from day2.operations.performance_tuning import report, tuning_csv
from day2.operations.performance_tuning.effect import AFTER, BEFORE, WITH
from day2.operations.performance_tuning.model import Advice, Change, Evidence, NotPossible, Outcome, Recommendation
from day2.operations.performance_tuning.story import Effect, Kept, Seen, Story, Tried, Watched
from lab.say import say

NOW = datetime(2026, 11, 23, 2, 41, tzinfo=UTC)
SECONDS = 600.0
Three = tuple[float, float, float]
STATEMENTS = (
    "SELECT queryid, calls, total_exec_time, shared_blks_hit + shared_blks_read AS blocks FROM pg_stat_statements"
)
INDEXES = "SELECT indexrelid::regclass, idx_scan, pg_relation_size(indexrelid) FROM pg_stat_user_indexes"


def main(page: Path) -> None:
    """Write the page, and its CSV beside it."""
    story = made()
    page.write_bytes(report.render(story))
    page.with_suffix(".csv").write_bytes(tuning_csv.rows(story))
    say(f"wrote {page} and {page.with_suffix('.csv')}")


def made() -> Story:
    """A run that kept three changes, reverted two and could not measure one, after a year of such runs."""
    tried = tuple(_tried())
    found = tuple(each.recommendation for each in tried)
    advice = Advice("billing", NOW.isoformat(), (*found, *_left()), (_blind(),))
    return Story(
        environment="production",
        owner="platform-team",
        mode="apply_approved",
        run="performance_tuning.production/scheduled__2026-11-01T01:00:00+00:00",
        at=NOW,
        advice=(advice,),
        tried=tried,
        earlier=tuple(_earlier()),
    )


def _tried() -> Iterator[Tried]:
    index = Recommendation(
        "missing_index",
        "bazaar.orders (customer_id, created_at)",
        "82 % of the time goes to two statements that read all of bazaar.orders for a few rows",
        (
            Evidence("share of all time", 82.0, "%", STATEMENTS),
            Evidence("rows read for each one returned", 48_211.0, "", STATEMENTS),
            Evidence("calls a day", 21_400.0, "", STATEMENTS),
        ),
        "99 % fewer blocks a call, by the planner with a hypothetical index",
        "safe",
        "postgres_dba i4, PgHero missing indexes",
        0.82,
        _index("day2_orders_customer_id_created_at", "bazaar.orders (customer_id, created_at)", 61_000_000),
    )
    yield _run(index, "kept", (288.4, 0.13, 301.2), (104_348, 13, 104_348), 1000, interval=0.002)
    cost = _setting("random_page_cost", "40", "1.1", "every index is left aside for a scan of the whole table")
    yield _run(cost, "kept", (41.2, 9.8, 40.7), (8_810, 1_204, 8_810), 3400, interval=0.03)
    memory = _setting("work_mem", "64kB", "16MB", "1.2 GB of temporary files an hour are sorts that do not fit")
    yield _run(memory, "kept", (182.0, 121.0, 179.0), (5_204, 3_310, 5_204), 900, interval=0.05)
    wide = Recommendation(
        "missing_foreign_key_index", "bazaar.events (kind, payload, source)", "deletes in bazaar.kinds read all events",
        (Evidence("rows", 1_200_000.0, "", INDEXES),), "deletes find their rows", "moderate", "postgres_dba i3", 0.1,
        _index("day2_events_kind_payload_source", "bazaar.events (kind, payload, source)", 210_000_000),
    )  # fmt: skip
    worse = Watched("statement 77", worse=True, says="INSERT INTO bazaar.events: 0.11 ms a call before, 0.29 with it")
    yield replace(
        _run(wide, "reverted", (12.1, 11.7, 12.2), (310, 305, 311), 700, interval=0.06),
        decision="It made something else worse: inserts take 2.6 times as long. It was dropped.",
        guards=(worse, Watched("workload wal", worse=False, says="WAL of the whole workload: 4 % more")),
    )
    slow = _setting("default_statistics_target", "100", "1000", "plans of skewed columns are wrong")
    yield replace(
        _run(slow, "reverted", (5.1, 5.0, 5.1), (88, 87, 88), 4000, interval=0.04),
        decision="No gain of at least 10 %: 2 % less (95 % interval 6 % less to 2 % more).",
    )
    rare = replace(
        index, object="bazaar.invoices (due_on)", change=_index("day2_invoices_due_on", "bazaar.invoices (due_on)")
    )
    yield Tried(
        "billing", rare, "unmeasured",
        "Nothing measurable: the statement was called 3 times in 10 minutes, and 100 are needed. It was undone.",
        NOW.isoformat(), SECONDS,
    )  # fmt: skip
    bloat = replace(
        index, kind="index_bloat", object="bazaar.orders_pkey", says="61 % of the index is empty",
        evidence=(Evidence("size", 412e6, "bytes", INDEXES), Evidence("empty", 61.0, "%", INDEXES)), score=0.2,
        change=Change("REINDEX INDEX CONCURRENTLY bazaar.orders_pkey", "", "blocks nobody", 160_000_000),
    )  # fmt: skip
    yield Tried(
        "billing", bloat, "deferred", "The server was busy: 1.9 active sessions a CPU, more than 0.7.", NOW.isoformat()
    )


def _run(
    item: Recommendation, outcome: Outcome, ms: Three, blocks: Three, calls: float, *, interval: float
) -> Tried:  # fmt: skip
    effects = []
    for metric, values in (("ms", ms), ("blocks", blocks)):
        before = (values[0] + values[2]) / 2
        grew = values[1] / before - 1
        effects.append(Effect(metric, before, values[1], grew, grew - interval, grew + interval))
    seen = tuple(
        Seen(name, SECONDS, calls, *pair) for name, *pair in zip((BEFORE, WITH, AFTER), ms, blocks, strict=True)
    )
    watched = tuple(Watched(name, worse=False, says="") for name in ("workload ms", "workload wal", "deadlocks"))
    share = effects[0].share or 0
    return Tried(
        "billing", item, outcome, f"{-share:.0%} less time a call; nothing else got worse.", NOW.isoformat(),
        3 * SECONDS, tuple(effects), seen, watched,
    )  # fmt: skip


def _index(name: str, on: str, space: int = 0) -> Change:
    schema = on.partition(".")[0]
    return Change(
        f"CREATE INDEX CONCURRENTLY {name} ON {on}",
        f"DROP INDEX CONCURRENTLY IF EXISTS {schema}.{name}",
        "SHARE UPDATE EXCLUSIVE on the table",
        space,
        measured_by=(1, 2),
    )


def _setting(name: str, now: str, then: str, says: str) -> Recommendation:
    change = Change(f"ALTER SYSTEM SET {name} = '{then}'", f"ALTER SYSTEM SET {name} = '{now}'", "none", context="user")
    shown = f"SHOW {name}"
    return Recommendation(
        "setting", name, says, (Evidence("now", now, "", shown), Evidence("proposed", then, "", shown)),
        "known when it is measured", "safe", "PGTune; the manual, Planner Cost Constants", 0.5, change,
    )  # fmt: skip


def _left() -> Iterator[Recommendation]:
    size = Evidence("size", 96e6, "bytes", INDEXES)
    for number in range(3):
        name = f"bazaar.orders_by_{('status', 'region', 'note')[number]}"
        drop = Change(
            f"DROP INDEX CONCURRENTLY {name}",
            f"CREATE INDEX CONCURRENTLY … ON bazaar.orders USING btree ({number})",
            "blocks nobody",
        )
        yield Recommendation(
            "unused_index", name, "nobody has used it for 41 days, here or on the standby", (size,),
            "96 MB of disk, and faster writes", "moderate", "postgres_dba i1", 0.12, drop,
        )  # fmt: skip
    yield Recommendation(
        "sequence_exhaustion", "bazaar.tickets_id_seq", "91.6 % of an integer's ids are used up",
        (Evidence("used", 91.6, "%", "SELECT last_value FROM bazaar.tickets_id_seq"),
         Evidence("left", 180_388_626.0, "ids", "")),
        "inserts fail when it is at its end", "high", "PgHero sequences", 0.916,
        to_do="Plan the change of the column to bigint: it rewrites the table.",
    )  # fmt: skip
    yield Recommendation(
        "long_transaction", "pid 4711, reports", "has been open for 6 h, idle: vacuum can remove nothing newer",
        (Evidence("open for", 6.1, "h", "SELECT pid, xact_start, state FROM pg_stat_activity"),),
        "vacuum works again", "none", "check_postgres txn_time", 0.7,
        to_do="Ask its owner to end it; SELECT pg_terminate_backend(4711) ends it.",
    )  # fmt: skip


def _blind() -> NotPossible:
    return NotPossible(
        ("regressed_statement", "slow_statement"),
        "the texts of other users' statements may not be seen",
        "GRANT pg_read_all_stats TO day2_tuning;",
    )


def _earlier() -> Iterator[Kept]:
    for month, (share, saved) in enumerate(
        [(-0.4, 310.0), (-0.22, 125.0), (-0.91, 1240.0), (-0.15, 60.0), (-0.6, 488.0)]
    ):
        at = (NOW - timedelta(days=330 - 62 * month)).isoformat()
        yield Kept(
            at,
            f"run {month}",
            "billing",
            f"missing_index:bazaar.table_{month} (id)",
            f"an index on table {month}",
            "ms",
            share,
            saved,
        )


if __name__ == "__main__":
    typer.run(main)
