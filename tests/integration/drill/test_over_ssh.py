"""The way forward on hosts behind SSH, as in production: nothing in it depends on being local."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from day2.errors import StepFailed
from day2.hosts.shell import Local
from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill import control, fence, observe, promote, readiness
from day2.operations.dr_drill.pair import Node, Pair
from day2.postgres import binaries
from lab.ports import free_port
from lab.processes import Processes
from lab.ssh import Host
from tests.integration.drill.making import Living
from tests.integration.lab.ssh import shell


@pytest.fixture
def remote(pair: Living, tmp_path: Path) -> Iterator[Pair]:
    """The pair, each server's host behind an SSH server of its own."""
    processes = Processes(tmp_path / "run", tmp_path / "logs")
    hosts = {each.name: _host(each, tmp_path, processes) for each in pair.pair.nodes}
    for host in hosts.values():
        host.wait()
    logins = {name: shell(host.connection(), f"host of {name}") for name, host in hosts.items()}
    primary, standby = (replace(each, shell=logins[each.name]) for each in pair.pair.nodes)
    yield replace(pair.pair, primary=primary, standby=standby)
    for login in logins.values():
        login.close()
    for host in hosts.values():
        processes.stop(host.name)


def _host(node: Node, folder: Path, processes: Processes) -> Host:
    assert isinstance(node.shell, Local)
    (folder / node.name).mkdir()
    made = Host(f"ssh-{node.name}", folder / node.name, free_port(), node.shell.env, binaries.unprivileged(), processes)
    made.start()
    return made


def test_the_way_forward_over_ssh(pair: Living, remote: Pair) -> None:
    assert [readiness.told(each) for each in readiness.check(remote, DrillPolicy()) if not each.ok] == []
    assert fence.fence(remote, mode="fast", crashed_ok=False)["received_all"] is True
    assert fence.unfence(remote)["streams"] is True
    assert fence.fence(remote, mode="immediate", crashed_ok=False)["already"] is False
    promote.replay(remote, seconds=20)
    assert promote.promote(remote, seconds=30)["timeline"] == 2
    assert observe.now(remote) == "promoted"
    assert pair.sql(remote.standby, "select count(*) from orders") == 500


def test_a_server_that_cannot_start_says_why_over_ssh(pair: Living, remote: Pair) -> None:
    control.stop(remote.standby)
    (pair.home(remote.standby) / "data" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(StepFailed, match='unrecognized configuration parameter "no_such_setting"'):
        control.start(remote.standby)
