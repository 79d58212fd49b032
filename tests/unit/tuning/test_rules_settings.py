"""Settings are judged by harm that was counted; a value that differs from a formula is no harm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.performance_tuning import rules_memory, rules_settings
from day2.operations.performance_tuning.facts import Trial
from day2.operations.performance_tuning.thresholds import DAY, GB, MB, Thresholds
from tests.unit.tuning.making import MACHINE, STATEMENT, TABLE, facts, setting

LIMITS = Thresholds()
DEFAULTS = (
    setting("autovacuum", "on"),
    setting("track_counts", "on"),
    setting("work_mem", "4096", "kB", context="user"),
    setting("shared_buffers", "16384", "8kB", context="postmaster"),
    setting("maintenance_work_mem", "65536", "kB", context="user"),
    setting("max_wal_size", "1024", "MB"),
    setting("wal_buffers", "512", "8kB", context="postmaster"),
    setting("random_page_cost", "4", context="user"),
    setting("max_connections", "100", context="postmaster"),
    setting("max_parallel_workers", "8", context="user"),
    setting("max_worker_processes", "8", context="postmaster"),
)
# A busy server: a day of it.
COUNTERS = {
    "block_size": 8192.0, "checkpoint_seconds": DAY, "timed": 280.0, "requested": 8.0, "wal_bytes": 20.0 * GB,
    "wal_buffers_full": 500.0, "wal_seconds": DAY, "blocks_hit": 1e8, "blocks_read": 1e5, "database_bytes": 50.0 * GB,
}  # fmt: skip


def found(settings=DEFAULTS, machine=MACHINE, **parts):
    known = facts(settings=settings, **{"counters": COUNTERS} | parts)
    return [
        *rules_settings.settings(known, LIMITS, machine),
        *rules_memory.sizes(known, LIMITS, machine),
        *rules_memory.memory(known, LIMITS, machine),
    ]


def other(name: str, value: str, **more):
    return tuple(replace(each, value=value, **more) if each.name == name else each for each in DEFAULTS)


def test_a_server_with_the_defaults_and_no_harm_is_told_nothing():
    assert found() == []
    assert found(machine=None) == []


def test_forced_checkpoints_ask_for_a_larger_log_but_not_those_that_a_backup_asked_for():
    forced = COUNTERS | {"requested": 500.0, "wal_bytes": 400.0 * GB}
    [one] = found(counters=forced)
    assert one.change.statement == "ALTER SYSTEM SET max_wal_size = '4096MB'"
    assert one.change.reverse == "ALTER SYSTEM RESET max_wal_size"
    assert found(counters=COUNTERS | {"requested": 500.0}) == []
    full = replace(MACHINE, disk_free_bytes=5 * GB)
    assert found(counters=forced, machine=full) == []


def test_a_setting_goes_back_to_exactly_what_was_there():
    forced = COUNTERS | {"requested": 500.0, "wal_bytes": 400.0 * GB}
    auto = other("max_wal_size", "512", source="configuration file", file="/data/postgresql.auto.conf")
    [one] = found(auto, counters=forced)
    assert one.change.reverse == "ALTER SYSTEM SET max_wal_size = '512MB'"
    by_hand = other("max_wal_size", "512", source="configuration file", file="/etc/postgresql.conf")
    [one] = found(by_hand, counters=forced)
    assert one.change.reverse == "ALTER SYSTEM RESET max_wal_size"


def test_what_a_role_or_the_command_line_sets_is_for_people():
    forced = COUNTERS | {"requested": 500.0, "wal_bytes": 400.0 * GB}
    [one] = found(other("max_wal_size", "512", source="command line"), counters=forced)
    assert (one.change, "command line" in one.to_do) == (None, True)


def test_what_needs_a_restart_is_advised_and_never_a_change():
    cold = COUNTERS | {"blocks_read": 1e9, "blocks_hit": 1e9}
    buffers, hits = sorted(found(counters=cold, window=30 * DAY), key=lambda each: each.kind, reverse=True)
    assert (buffers.object, buffers.change, hits.kind) == ("setting shared_buffers", None, "cache_hit")
    assert "ALTER SYSTEM SET shared_buffers = '16384MB'; it takes a restart" in buffers.to_do
    [full] = found(counters=COUNTERS | {"wal_buffers_full": 1e6})
    assert (full.object, full.change) == ("setting wal_buffers", None)


@pytest.mark.parametrize("name", ["autovacuum", "track_counts"])
def test_upkeep_that_is_switched_off_is_told(name):
    [one] = found(other(name, "off"))
    assert (one.object, one.change.statement) == (f"setting {name}", f"ALTER SYSTEM SET {name} = 'on'")


SPILLS = replace(STATEMENT, temp_blocks=1000 * 2000, total_ms=1e6)


def test_a_statement_that_sorts_on_disk_gets_memory_within_what_is_safe():
    [one] = found(statements=(SPILLS,))
    # 16 MB a call on disk, twice that in memory.
    assert one.change.statement == "ALTER SYSTEM SET work_mem = '32MB'"
    assert one.change.measured_by == (1,)


def test_a_small_spill_beside_much_memory_asks_for_more_than_there_is():
    small = replace(SPILLS, temp_blocks=1000 * 256)
    [one] = found(other("work_mem", "65536"), statements=(small,))
    assert one.change.statement == "ALTER SYSTEM SET work_mem = '128MB'"


def test_a_spill_that_no_safe_memory_holds_is_told_as_temporary_files():
    huge = replace(SPILLS, temp_blocks=1000 * 200_000)
    assert [(each.kind, each.object) for each in found(statements=(huge,))] == [("temporary_files", "statement 1")]
    small = replace(MACHINE, ram_bytes=GB // 2)
    assert [each.kind for each in found(statements=(SPILLS,), machine=small, window=1 * DAY)] == ["temporary_files"]
    assert [each.kind for each in found(statements=(SPILLS,), machine=None, window=1 * DAY)] == ["temporary_files"]


def test_an_index_that_was_built_on_disk_once_is_no_harm():
    built = replace(SPILLS, text="CREATE INDEX x ON t (a)")
    assert found(statements=(built,)) == []


def test_without_the_statements_the_database_tells_of_temporary_files():
    [one] = found(counters=COUNTERS | {"temp_bytes": 900.0 * GB, "temp_files": 1e5})
    assert (one.kind, one.object) == ("temporary_files", "database shop")


FLIP = Trial("setting", 1, "random_page_cost", ("public.t",), "1.1", cost_after=10.0, uses=("t_a",))


def test_a_planner_cost_needs_a_plan_that_changes_and_blocks_that_were_read():
    whole = replace(STATEMENT, blocks=1000 * 128_000)
    [one] = found(statements=(whole,), tables=(TABLE,), trials=(FLIP,))
    assert one.change.statement == "ALTER SYSTEM SET random_page_cost = '1.1'"
    assert found(statements=(STATEMENT,), tables=(TABLE,), trials=(FLIP,)) == []
    assert found(statements=(whole,), tables=(TABLE,)) == []


def test_a_value_of_the_database_is_changed_there():
    whole = replace(STATEMENT, blocks=1000 * 128_000)
    [one] = found(
        other("random_page_cost", "100", source="database"),
        statements=(whole,), tables=(TABLE,), trials=(FLIP,), database='my "shop"',
    )  # fmt: skip
    assert one.change.statement == 'ALTER DATABASE "my ""shop""" SET random_page_cost = \'1.1\''
    assert one.change.reverse == 'ALTER DATABASE "my ""shop""" SET random_page_cost = \'100\''


def test_parallel_workers_that_were_never_there_are_told():
    lacking = COUNTERS | {"parallel_wanted": 10_000.0, "parallel_launched": 1000.0}
    few = other("max_parallel_workers", "2")
    assert [each.change.statement for each in found(few, counters=lacking)] == [
        "ALTER SYSTEM SET max_parallel_workers = '8'"
    ]
    assert [each.change for each in found(counters=lacking)] == [None]
    assert found(few, counters=lacking | {"parallel_launched": 9000.0}) == []


def test_what_waits_for_a_restart_and_what_the_server_could_not_read_is_told():
    waiting = other("shared_buffers", "16384", pending_restart=True)
    [one, two] = found(waiting, file_errors=("wrok_mem (/etc/x.conf, line 3): unrecognized configuration parameter",))
    assert (one.object, two.object) == ("setting shared_buffers", "setting wrok_mem")
    assert {one.change, two.change} == {None}


def test_work_mem_never_passes_its_bound():
    known = facts(settings=(setting("max_connections", "5000"),))
    assert rules_memory.work_mem_bound(known, LIMITS, MACHINE) <= 64 * GB / 4 / 5000 * 3
    assert rules_memory.work_mem_bound(facts(), LIMITS, MACHINE) == 256 * MB
