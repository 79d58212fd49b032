"""A drill stops, starts and promotes the pair behind the lab's back: nothing the lab does makes it worse.

The tests run in order, as a drill does: fenced, promoted, failed over; each looks at what the lab says then.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from day2.hosts.shell import Done, require
from lab.pair import WAY_OUT

from .commands import Lab, wait_for
from .ssh import shell

NEWEST = "SELECT max(id) FROM shop.orders"
IS_STANDBY = "SELECT pg_is_in_recovery()"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("lab") / "state")
    made.up()
    yield made
    made.run("clean")


def on(lab: Lab, host: str, *command: str) -> str:
    login = shell(lab.json("connections.json")[host], host)
    try:
        return require(login, *command)
    finally:
        login.close()


def route(lab: Lab, connection: str) -> Done:
    login = shell(lab.json("connections.json")["ssh_edge"], "edge")
    try:
        return login.run("route-orders", "127.0.0.1", str(lab.json("connections.json")[connection]["port"]))
    finally:
        login.close()


def writer_goes_on(lab: Lab, connection: str) -> None:
    before = lab.query(connection, NEWEST)
    wait_for(lambda: lab.query(connection, NEWEST) > before, f"the writer to write to {connection}", seconds=15)


def test_the_drills_role_may_do_what_a_drill_does(lab: Lab) -> None:
    for database in ("orders", "postgres"):
        may = "SELECT bool_and(has_function_privilege(who, function::regprocedure, 'EXECUTE')) FROM (VALUES"
        may += " ('day2_drill', 'pg_promote(boolean, integer)'), ('replicator', 'pg_ls_dir(text, boolean, boolean)'),"
        may += " ('replicator', 'pg_read_binary_file(text, bigint, bigint, boolean)')) AS needed (who, function)"
        assert lab.query("pg_drill_orders", may, dbname=database) == (True,), database
    assert lab.query("pg_endpoint_orders", "SELECT count(*) >= 40000 FROM shop.orders") == (True,)
    may = "SELECT rolsuper, rolreplication, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert lab.query("pg_drill_orders", may) == (False, True, False)


def test_both_servers_know_how_to_follow_the_other_without_a_password_in_their_settings(lab: Lab) -> None:
    known = lab.json("connections.json")
    ports = known["pg_drill_orders"]["port"], known["pg_drill_orders_standby"]["port"]
    for connection, other in zip(("pg_drill_orders", "pg_drill_orders_standby"), reversed(ports), strict=True):
        source = lab.query(connection, "SELECT current_setting('primary_conninfo')")[0]
        assert f"port={other}" in source
        assert "passfile=" in source
        assert "password=" not in source.replace("passfile=", "")
        assert lab.query(connection, "SELECT current_setting('primary_slot_name')") == ("day2_peer",)


def test_a_restart_by_hand_is_found_and_left_alone(lab: Lab) -> None:
    on(lab, "ssh_orders", "pg_ctl", "restart", "--wait", "--silent", "--mode=fast", "--log=/dev/null")
    pids = lab.pids()
    assert pids["orders"] == int(on(lab, "ssh_orders", "sh", "-c", "head -n1 $PGDATA/postmaster.pid"))
    lab.up()
    assert lab.pids() == pids


def test_a_fenced_primary_is_not_started_under_a_drill(lab: Lab) -> None:
    on(lab, "ssh_orders", "pg_ctl", "stop", "--wait", "--silent", "--mode=immediate")
    said = lab.up()
    assert "orders was stopped while orders-standby follows, and not by the lab" in said
    assert WAY_OUT in said
    assert "orders" not in lab.pids()


def test_a_promoted_standby_stays_primary_and_clients_stay_with_it(lab: Lab) -> None:
    assert lab.query("pg_drill_orders_standby", "SELECT pg_promote()") == (True,)
    assert route(lab, "pg_drill_orders_standby").code == 0
    said = lab.up()
    assert "orders is a primary that must stay stopped and orders-standby is a primary" in said
    assert "orders" not in lab.pids()
    assert lab.query("pg_endpoint_orders", IS_STANDBY) == (False,)
    writer_goes_on(lab, "pg_drill_orders_standby")


def test_after_down_only_the_newer_of_two_primaries_starts(lab: Lab) -> None:
    assert "orders-standby" in lab.run("down")
    lab.up()
    assert "orders-standby" in lab.pids()
    assert "orders" not in lab.pids()
    writer_goes_on(lab, "pg_endpoint_orders")


def test_a_pair_that_failed_over_stays_so(lab: Lab) -> None:
    data = Path(on(lab, "ssh_orders", "printenv", "PGDATA").strip())
    source = lab.json("connections.json")["pg_drill_orders_standby"]["port"]
    lab.query("pg_drill_orders_standby", "SELECT pg_create_physical_replication_slot('day2_peer', true)")
    on(lab, "ssh_orders", "rm", "-rf", str(data))
    conninfo = f"host=127.0.0.1 port={source} user=replicator"
    on(lab, "ssh_orders", "pg_basebackup", "-d", conninfo, "-D", str(data), "-X", "stream", "-c", "fast", "--no-sync")
    on(lab, "ssh_orders", "touch", f"{data}/standby.signal")
    said = lab.up()
    assert "orders is a standby and orders-standby is a primary, as a drill left them" in said
    assert lab.query("pg_drill_orders", IS_STANDBY) == (True,)
    writer_goes_on(lab, "pg_drill_orders")

    lab.run("down")
    assert not lab.pids()
    lab.up()
    assert lab.query("pg_drill_orders", IS_STANDBY) == (True,)
    writer_goes_on(lab, "pg_drill_orders")


def test_clean_ends_also_what_pg_ctl_started(lab: Lab) -> None:
    on(lab, "ssh_orders_standby", "pg_ctl", "restart", "--wait", "--silent", "--mode=fast", "--log=/dev/null")
    pid = int(on(lab, "ssh_orders_standby", "sh", "-c", "head -n1 $PGDATA/postmaster.pid"))
    assert Path(f"/proc/{pid}").exists()
    lab.run("clean")
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
    assert not lab.state.exists()
