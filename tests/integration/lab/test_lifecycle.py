"""Booting and stopping the lab: twice, half-way, next to other programs, and never touching those."""

from __future__ import annotations

import ctypes
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from day2.postgres.programs import still_running
from lab.processes import BOOT_ID

from .commands import SERVERS, Lab, wait_for

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("lab") / "state")
    made.up()
    yield made
    made.run("clean")


def test_everything_runs_and_listens_on_loopback_only(lab: Lab) -> None:
    pids = lab.pids()
    assert set(pids) == SERVERS
    for name, pid in pids.items():
        listening = [each for each in psutil.Process(pid).net_connections("tcp") if each.status == "LISTEN"]
        assert {each.laddr.ip for each in listening} <= {"127.0.0.1"}, name


def test_a_second_up_leaves_what_runs_alone(lab: Lab) -> None:
    before = lab.pids(), lab.json("connections.json")
    lab.up()
    assert (lab.pids(), lab.json("connections.json")) == before


def test_the_seed_holds_what_backups_find_hard(lab: Lab) -> None:
    assert lab.query("pg_orders", "SELECT count(*) FROM public.returns_archive") == (0,)
    assert lab.query("pg_orders", "SELECT count(*) FROM pg_largeobject_metadata") == (12,)
    kinds = (
        "SELECT string_agg(DISTINCT relpersistence::text || relkind::text, ',') FROM pg_class WHERE relname !~ '^pg_'"
    )
    assert {"pp", "ur", "pm", "pv", "pS"} <= set(lab.query("pg_orders", kinds)[0].split(","))
    assert lab.query("pg_orders", """SELECT to_regclass('shop."Größe ""x"".y; $(touch pwned)"') IS NOT NULL""") == (
        True,
    )
    # A table nobody declared empty must not be empty.
    empty = "SELECT coalesce(min(id), 0) > 0 FROM shop.orders_later"
    assert lab.query("pg_orders", empty) == (True,)


def test_the_backup_role_reads_large_objects_without_being_superuser(lab: Lab) -> None:
    assert lab.query("pg_billing", "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == (False,)
    assert lab.query("pg_billing", "SELECT length(lo_get(pdf)) FROM billing.letters LIMIT 1") == (64000,)


def test_the_standby_follows_and_the_writer_keeps_writing(lab: Lab) -> None:
    assert lab.query("pg_orders_standby", "SELECT pg_is_in_recovery()") == (True,)
    newest = "SELECT max(id) FROM shop.orders"
    before = lab.query("pg_orders_standby", newest)
    wait_for(lambda: lab.query("pg_orders_standby", newest) > before, "a new order on the standby", seconds=15)


def test_secrets_are_private_and_in_no_process_list(lab: Lab) -> None:
    for name in ("secrets.json", "connections.json", "writer.json"):
        assert (lab.state / name).stat().st_mode & 0o777 == 0o600, name
    arguments = "\n".join(" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    for secret in lab.json("secrets.json").values():
        assert secret not in arguments


@pytest.fixture(scope="module")
def nobody_reaps(lab: Lab) -> Iterator[None]:
    """In some containers process 1 never collects the dead; here this process takes its place, and does not either."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
    lab.run("down")
    lab.up()  # started under the process that adopts them now
    yield
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 0) == 0


def test_up_restarts_what_died(lab: Lab, nobody_reaps: None) -> None:
    before = lab.pids()
    lab.kill("billing")
    lab.kill("s3-eu-west-1")
    lab.up()
    after = lab.pids()
    assert set(after) == SERVERS
    assert {name for name in SERVERS if after[name] != before[name]} == {"billing", "s3-eu-west-1"}


def test_a_taken_port_is_moved_and_said_and_everyone_follows(lab: Lab, nobody_reaps: None) -> None:
    port = lab.json("ports.json")["orders"]
    lab.kill("orders")
    # The server's own children may hold the port for a moment after it.
    with wait_for(lambda: occupied(port), f"port {port}"):
        said = lab.up()
    assert f"port {port} of orders is in use by another program: moved to" in said
    assert lab.json("connections.json")["pg_orders"]["port"] != port
    newest = "SELECT max(id) FROM shop.orders"
    before = lab.query("pg_orders", newest)
    wait_for(lambda: lab.query("pg_orders_standby", newest) > before, "writer and standby to follow", seconds=30)


def occupied(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        return None
    listener.listen()
    return listener


def test_down_stops_all_of_ours_and_no_other(lab: Lab) -> None:
    ours = lab.pids()
    decoy = subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)"))
    try:
        # A record whose pid went to a program of somebody else: same number, another start time.
        record = lab.state / "run" / "decoy.pid"
        stat = Path(f"/proc/{decoy.pid}/stat").read_text().split()
        stat[21] = str(int(stat[21]) - 1)
        record.write_text(BOOT_ID.read_text() + " ".join(stat) + "\n")
        said = lab.run("down")
        assert decoy.poll() is None
    finally:
        decoy.kill()
        decoy.wait()
    assert said.removeprefix("Stopped: ").strip().split(", ") == sorted(ours)
    assert not still_running([psutil.Process(pid) for pid in ours.values() if psutil.pid_exists(pid)], seconds=0)
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{lab.json('ports.json')['s3-eu-west-1-s3.grpc']}.sock"))
    assert "Nothing was running" in lab.run("down")
    lab.up()
    assert set(lab.pids()) == SERVERS


@pytest.mark.parametrize(
    ("moment", "number"),
    [("postmaster.pid", signal.SIGKILL), ("half-made-*", signal.SIGKILL), ("run/*.pid", signal.SIGINT)],
)
def test_a_start_ended_half_way_does_not_block_the_next(tmp_path: Path, moment: str, number: signal.Signals) -> None:
    lab = Lab(tmp_path / "state")
    process = lab.start("up", "--no-airflow", "--no-hosts")
    wait_for(lambda: [*lab.state.glob(moment), *lab.state.glob(f"servers/*/{moment}")] or data(lab, moment), moment)
    process.send_signal(number)
    said, _ = process.communicate(timeout=120)
    assert ("Interrupted. What was started goes on running" in said) == (number == signal.SIGINT)
    try:
        lab.up()
        assert set(lab.pids()) == SERVERS
        assert lab.query("pg_orders", "SELECT count(*) >= 40000 FROM shop.orders") == (True,)
        assert not list(lab.state.glob("servers/*/half-made-*"))
    finally:
        lab.run("clean")
    assert not lab.state.exists()


def data(lab: Lab, name: str) -> list[Path]:
    return list(lab.state.glob(f"servers/*/data/{name}"))


def test_two_starts_at_once_wait_for_each_other(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "state")
    both = [lab.start("up", "--no-airflow", "--no-hosts") for _ in range(2)]
    try:
        said = "".join(each.communicate(timeout=240)[0] for each in both)
        assert [each.returncode for each in both] == [0, 0], said
        assert "Another lab command is at work" in said
        assert set(lab.pids()) == SERVERS
    finally:
        lab.run("clean")


def test_nothing_of_the_lab_outlives_clean(tmp_path: Path) -> None:
    state = tmp_path / "state"
    Lab(state).run("clean")  # also where nothing ever was
    assert not state.exists()
    assert not list(tmp_path.iterdir())
