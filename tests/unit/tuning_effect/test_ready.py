"""When a change has to wait, exactly at the limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning import ready
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.ready import Disk

POLICY = TuningPolicy(low_load=0.5, lock_timeout=timedelta(seconds=3), disk_limit_percent=90)
INDEX = Change("CREATE INDEX CONCURRENTLY a ON t (a)", "DROP INDEX CONCURRENTLY a", "", takes_space=10)


def seen(**more: Any) -> dict[str, Any]:
    return {
        "standby": False,
        "read_only": False,
        "active": 0.0,
        "hidden": 0,
        "oldest_seconds": 0.0,
        "oldest": "",
        **more,
    }


@pytest.mark.parametrize(("used", "refused"), [(880, False), (881, True)])
def test_an_index_and_its_wal_must_stay_below_the_limit_of_the_disk(used: int, refused: bool) -> None:
    assert bool(ready.no_room(INDEX, POLICY, Disk(1000, used))) is refused


def test_a_disk_nobody_can_see_is_no_room_but_only_for_what_takes_space() -> None:
    assert "nobody can see the server's disk" in ready.no_room(INDEX, POLICY, None)
    assert ready.no_room(Change("ANALYZE s.t", "", ""), POLICY, None) == ""


@pytest.mark.parametrize(("active", "refused"), [(1.0, False), (1.2, True)])
def test_low_load_is_active_sessions_by_cpu(active: float, refused: bool) -> None:
    assert bool(ready.too_busy(seen(active=active), POLICY, cpus=2)) is refused


def test_what_cannot_be_seen_is_busy() -> None:
    assert "GRANT pg_read_all_stats" in ready.too_busy(seen(hidden=1), POLICY, cpus=2)
    assert "set `cpus`" in ready.too_busy(seen(), POLICY, cpus=None)


@pytest.mark.parametrize(("age", "refused"), [(3.0, False), (3.1, True)])
def test_a_transaction_open_for_longer_than_we_would_wait_is_in_the_way(age: float, refused: bool) -> None:
    assert bool(ready.somebody_waits(seen(oldest_seconds=age, oldest="pid 7"), POLICY)) is refused


def test_a_standby_and_a_restart_are_in_the_way() -> None:
    assert "its primary does" in ready.in_recovery(seen(standby=True))
    assert "read-only" in ready.in_recovery(seen(read_only=True))
    assert ready.in_recovery(seen()) == ""
    assert "restart" in ready.needs_restart(Change("ALTER SYSTEM SET a = 1", "", "", context="postmaster"))
