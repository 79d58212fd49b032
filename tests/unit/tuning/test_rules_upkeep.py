"""Bloat, dead rows, stale statistics: told late enough to be true, and one thing at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.performance_tuning import rules_upkeep
from day2.operations.performance_tuning.bloat import index_bloat, table_bloat
from day2.operations.performance_tuning.thresholds import Thresholds
from tests.unit.tuning.making import SESSION, TABLE, facts, index, setting

LIMITS = Thresholds()
FULL = replace(TABLE, bytes=1_000_000_000)
SETTINGS = (setting("autovacuum_vacuum_scale_factor", "0.2"), setting("autovacuum_vacuum_threshold", "50"))


def told(table, *indexes, **parts) -> list[str]:
    known = facts(tables=(table,), indexes=indexes, settings=SETTINGS, **parts)
    return [each.kind for each in rules_upkeep.upkeep(known, LIMITS)]


def test_a_table_that_is_kept_well_is_not_told():
    assert told(FULL, index("t_a", "a")) == []


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"dead": 2_000_000, "vacuumed_ago": 7200.0}, ["vacuum_lag"]),
        ({"dead": 2_000_000, "vacuumed_ago": None}, ["vacuum_lag"]),
        # Autovacuum is given its time, and one that runs is not told to run.
        ({"dead": 2_000_000, "vacuumed_ago": 600.0}, []),
        ({"dead": 2_000_000, "vacuumed_ago": 7200.0, "vacuum_runs": True}, []),
        ({"dead": 500_000, "vacuumed_ago": 7200.0}, []),
        ({"changed": 2_000_000, "analyzed_ago": 7200.0}, ["stale_statistics"]),
        ({"changed": 2_000_000, "analyzed_ago": 600.0}, []),
        ({"changed": 5_000, "live": 6_000, "analyzed_ago": 7200.0}, []),
    ],
)
def test_dead_rows_and_old_statistics_are_told_when_autovacuum_had_its_time(change, kinds):
    assert told(replace(FULL, **change)) == kinds


def test_few_rows_with_many_dead_ones_are_no_matter():
    assert told(replace(TABLE, bytes=2_000_000, rows=10, live=10, dead=50_000, vacuumed_ago=None)) == []


def test_a_vacuum_is_of_no_use_while_an_old_transaction_holds_the_rows():
    lag = replace(FULL, dead=2_000_000, vacuumed_ago=7200.0)
    known = facts(tables=(lag,), transactions=(replace(SESSION, seconds=9000, xid_age=10**6),))
    [found] = rules_upkeep.upkeep(known, LIMITS)
    assert found.to_do.startswith("first end the old transaction")


def test_autovacuum_that_is_switched_off_is_switched_on_only_where_rows_are_dead():
    off = replace(FULL, options={"autovacuum_enabled": "off"})
    assert told(off) == []
    [setting_, lag] = told(replace(off, dead=2_000_000, vacuumed_ago=None))
    assert (setting_, lag) == ("autovacuum_settings", "vacuum_lag")
    known = facts(tables=(replace(off, dead=2_000_000, vacuumed_ago=10.0),))
    [found] = rules_upkeep.upkeep(known, LIMITS)
    assert found.change.statement == "ALTER TABLE public.t RESET (autovacuum_enabled)"
    assert found.change.reverse == "ALTER TABLE public.t SET (autovacuum_enabled = off)"


@pytest.mark.parametrize(
    ("options", "reverse"),
    [
        ({}, "ALTER TABLE public.t RESET (autovacuum_vacuum_scale_factor)"),
        (
            {"autovacuum_vacuum_scale_factor": "0.3"},
            "ALTER TABLE public.t SET (autovacuum_vacuum_scale_factor = 0.3)",
        ),
    ],
)
def test_a_big_table_gets_a_smaller_share_and_back_what_it_had(options, reverse):
    big = replace(FULL, bytes=10**10, rows=5e7, live=50_000_000, dead=6_000_000, options=options)
    [found] = rules_upkeep.upkeep(facts(tables=(big,), settings=SETTINGS), LIMITS)
    assert (found.kind, found.change.reverse) == ("autovacuum_settings", reverse)


def test_bloat_is_only_judged_where_vacuum_and_analyze_are_up_to_date():
    empty = replace(FULL, rows=1e6, live=1_000_000)
    assert told(empty) == ["table_bloat"]
    assert told(replace(empty, dead=900_000, vacuumed_ago=None)) == ["vacuum_lag"]
    assert told(replace(empty, row_bytes=None)) == []


def test_an_index_that_is_half_empty_is_built_anew_and_needs_its_space_again():
    known = facts(tables=(FULL,), indexes=(index("t_a", "a", bytes=400_000_000),))
    [found] = rules_upkeep.upkeep(known, LIMITS)
    assert found.change.statement == "REINDEX INDEX CONCURRENTLY public.t_a"
    assert found.change.takes_space == 400_000_000


def test_what_cannot_be_estimated_is_none_and_never_below_zero():
    assert table_bloat(replace(TABLE, rows=-1.0)) is None
    assert table_bloat(replace(TABLE, bytes=0)) is None, "truncated, and not counted since"
    assert index_bloat(index("x", "a", bytes=0)) is None
    assert table_bloat(replace(TABLE, bytes=8192, pages=1)) == 0
    assert index_bloat(index("x", "a", method="gin")) is None
    assert index_bloat(index("x", "a", expressions=True)) is None
    assert index_bloat(index("x", "a", bytes=8192)) == 0


def test_the_estimates_fit_tables_that_are_full():
    # pgbench_accounts at scale 2 and its key, freshly loaded: 3279 and 551 pages.
    accounts = replace(TABLE, bytes=3279 * 8192, pages=3279, rows=200_000.0, columns=4, row_bytes=97.0)
    assert table_bloat(accounts) == pytest.approx(0, abs=0.05)
    assert index_bloat(index("k", "a", rows=2e5, key_bytes=4.0, bytes=551 * 8192)) == pytest.approx(0, abs=0.02)
