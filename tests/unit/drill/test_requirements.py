"""Readiness, judged without servers: what nobody wants to set up for real."""

from __future__ import annotations

from typing import Any

from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill import requirements
from day2.operations.dr_drill.pair import Seen
from day2.operations.dr_drill.standing import Standing, Standings

SETTINGS = {
    "archive_mode": "on",
    "data_checksums": "on",
    "full_page_writes": "on",
    "primary_conninfo": "host=other",
    "primary_slot_name": "peer",
    "restore_command": "cp",
    "synchronous_standby_names": "",
    "wal_log_hints": "off",
}
SLOT = {"slot_name": "peer", "active": True, "wal_status": "reserved", "restart_lsn": "0/1"}


def standing(name: str, seen: Seen, **changed: Any) -> Standing:
    sql = {
        "major": 17, "system": "1", "clock_off": 0.0, "settings": dict(SETTINGS), "wal_keep_bytes": 0,
        "max_wal_bytes": 1 << 30, "cluster_bytes": 10 << 30, "archived": 10.0, "archive_failed": 5.0,
        "archive_failed_on": "x", "slots": [], "senders": [], "may_promote": True, "may_replicate": True,
        "may_create": True, "may_checkpoint": True,
    }  # fmt: skip
    host = {"clock_off": 0.0, "free_bytes": 100 << 30, "missing": [], "unit": ""}
    return Standing(name, seen, sql | changed.get("sql", {}), host | changed.get("host", {}))


def healthy(**changed: Any) -> Standings:
    primary = standing("orders", Seen("orders", "primary"), **changed.get("primary", {}))
    primary.sql["slots"] = changed.get("slots", [SLOT])
    standby = standing("orders-standby", Seen("orders-standby", "standby", follows=True), **changed.get("standby", {}))
    between = {
        "lag_bytes": 0, "lag_seconds": 0.0, "caught_up": True, "pause_state": "not paused",
        "rewind_lacks": "", "rewind_reaches_standby": True, "endpoint": "a write is accepted",
    }  # fmt: skip
    return Standings(primary, standby, between | changed.get("between", {}))


def not_ok(found: Standings) -> dict[str, str]:
    return {each.name: each.severity for each in requirements.judge(found, DrillPolicy()) if not each.ok}


def test_a_healthy_pair_has_no_finding() -> None:
    assert not_ok(healthy()) == {}


def test_no_room_for_a_new_copy_is_a_warning_and_no_room_for_wal_is_red() -> None:
    assert not_ok(healthy(primary={"host": {"free_bytes": 5 << 30}})) == {"room for a re-clone": "warning"}
    assert not_ok(healthy(standby={"host": {"free_bytes": 1 << 20}})) == {"orders-standby: room for WAL": "critical"}


def test_different_versions_are_red() -> None:
    assert not_ok(healthy(standby={"sql": {"major": 16}})) == {"version": "critical"}
    old = {"sql": {"major": 14}}
    assert not_ok(healthy(primary=old, standby=old)) == {"version": "critical"}


def test_a_clock_that_is_off_is_stated_and_forbids_nothing() -> None:
    assert not_ok(healthy(standby={"host": {"clock_off": -40.0}})) == {
        "orders-standby: clock of its host": "warning",
    }


def test_a_unit_that_may_not_be_stopped_is_red() -> None:
    found = healthy(primary={"host": {"unit": "sudo systemctl stop postgresql"}})
    assert not_ok(found) == {"orders: systemd unit": "critical"}


def test_an_archive_that_failed_and_recovered_is_fine() -> None:
    assert not_ok(healthy(primary={"sql": {"archive_failed": 9.0, "archived": 10.0}})) == {}
    assert not_ok(healthy(primary={"sql": {"archive_failed": 11.0, "archived": 10.0}})) == {"WAL archive": "critical"}
    assert not_ok(healthy(primary={"sql": {"archive_failed": 1.0, "archived": None}})) == {"WAL archive": "critical"}


def test_a_slot_that_keeps_nothing_is_no_danger() -> None:
    idle = SLOT | {"slot_name": "new", "active": False, "restart_lsn": None, "wal_status": None}
    assert not_ok(healthy(slots=[SLOT, idle])) == {}


def test_what_could_not_be_looked_at_is_red() -> None:
    found = healthy()
    found.between.clear()
    found.unseen = {"lag": "timed out", "rewind": "no such host", "endpoint": "refused"}
    found.primary.unseen = {"host": "no route to host"}
    assert set(not_ok(found)) == {"lag", "rewind login", "endpoint", "orders: host"}
