"""The hosts that are patched come and go with the lab, and Airflow knows how to reach them."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from day2 import inventory
from day2.hosts.shell import require
from day2.inventory.model import Environment
from lab.files import read_json
from lab.hosts import fleet, resident
from lab.hosts.fleet import default_folder, hosts
from lab.hosts.net import Net

from .commands import SERVERS, Lab, wait_for
from .ssh import shell

ALL = {"hosts", *resident.NAMES}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := fleet.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    made = Lab(tmp_path_factory.mktemp("patchable") / "state")
    try:
        made.up(hosts=True)
        yield made
    finally:
        made.run("clean")


@pytest.fixture(scope="module")
def production() -> Environment:
    return next(each for each in inventory.environments() if each.name == "production")


def said_by(lab: Lab, host: str, *command: str) -> str:
    login = shell(lab.json("connections.json")[f"ssh_{host.replace('-', '_')}"], host)
    try:
        return require(login, *command)
    finally:
        login.close()


def has_network(plan: dict[str, Any]) -> bool:
    return Net(plan["slot"]).interface in {name for _, name in socket.if_nameindex()}


def test_they_run_beside_the_servers(lab: Lab) -> None:
    assert set(lab.pids()) == SERVERS | ALL


def test_every_host_the_inventory_lets_us_patch_has_a_connection_and_is_no_login_to_this_machine(
    lab: Lab, production: Environment
) -> None:
    known = lab.json("connections.json")
    assert [each.name for each in production.patched] == list(resident.NAMES)
    for each in production.patched:
        assert not known[each.connection]["host"].startswith("127.")
        assert said_by(lab, each.name, "hostname") == f"{each.name}\n"


def test_the_inventorys_health_check_is_content_with_a_new_host(lab: Lab, production: Environment) -> None:
    [check] = production.patch_policy(production.host("web-01")).health_checks
    assert check.expect is not None
    assert check.expect in said_by(lab, "web-01", *check.command)


def test_a_second_up_leaves_them_alone(lab: Lab) -> None:
    before = lab.pids(), lab.json("connections.json")
    lab.up(hosts=True)
    assert (lab.pids(), lab.json("connections.json")) == before


def test_up_boots_them_anew_when_what_keeps_them_was_killed(lab: Lab) -> None:
    lab.kill("hosts")
    assert set(lab.pids()) == SERVERS
    assert "web-01                   not running" in lab.run("status")
    lab.up(hosts=True)
    assert set(lab.pids()) == SERVERS | ALL
    assert said_by(lab, "db-01", "hostname") == "db-01\n"


def test_up_boots_them_anew_when_their_start_was_killed_half_way(lab: Lab) -> None:
    before = lab.pids()
    [published] = (lab.state / "hosts/fleets").glob("*/known_hosts")
    published.unlink()  # the last thing that a start writes before it waits for the hosts
    lab.up(hosts=True)
    assert not psutil.pid_exists(before["hosts"])
    assert lab.pids()["hosts"] != before["hosts"]
    assert said_by(lab, "web-01", "hostname") == "web-01\n"


def test_down_ends_them_and_the_next_up_makes_no_new_tree(lab: Lab) -> None:
    [before] = (read_json(each) for each in (lab.state / "hosts/fleets").glob("*/net.json"))
    assert has_network(before)
    said = lab.run("down")
    assert set(said.removeprefix("Stopped: ").strip().split(", ")) >= ALL
    assert not has_network(before)
    assert not list((lab.state / "hosts/fleets").iterdir())
    said = lab.up(hosts=True)
    assert "Hosts to patch" in said
    assert "The hosts' tree" not in said


def test_clean_leaves_nothing_but_hosts_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := fleet.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    monkeypatch.setenv("DAY2_TREES", str(default_folder()))
    lab = Lab(tmp_path / "state")
    lab.state.mkdir()
    process = lab.start("up", "--no-airflow")
    wait_for(lambda: list(lab.state.glob("hosts/fleets/*/net.json")), "the hosts")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    [killed] = (read_json(each) for each in lab.state.glob("hosts/fleets/*/net.json"))
    with hosts(1, lab.state / "hosts") as others:
        assert "other hosts run from it" in lab.run("clean")
        assert require(others.shell("host-01"), "hostname") == "host-01\n"
    lab.run("clean")
    assert not lab.state.exists()
    assert not has_network(killed)
