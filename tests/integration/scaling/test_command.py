"""The driver `command` over a real SSH server, growing a real file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from day2.errors import StepFailed, Unavailable
from day2.hosts.shell import Ssh
from day2.inventory.scaling import ScalingPolicy
from day2.operations.scale_resource import attempt
from day2.operations.scale_resource.choose import Choice
from day2.operations.scale_resource.drivers.command import Command
from day2.postgres import binaries
from lab.files import own_folder
from lab.ports import free_port
from lab.processes import Processes
from lab.ssh import SYSTEM_PATH, Host
from tests.integration.lab.ssh import shell

POLICY = ScalingPolicy(verify_within=timedelta(seconds=1), look_every=timedelta(milliseconds=50))
SMALL, LARGE = "1000", "2000"
READ, WRITE = ("stat", "-c", "%s", "a spool"), ("truncate", "-s", "{size}", "a spool")
TARGET = {"name": "spool", "before": SMALL, "size": LARGE, "direction": "more", "why": "", "ask": False, "blocked": ""}


@pytest.fixture(scope="module")
def host(servers_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    keys = tmp_path_factory.mktemp("scaling-ssh")
    home = own_folder(servers_folder / "scaling-home", binaries.unprivileged())
    env = {"PATH": SYSTEM_PATH, "HOME": str(home), "LC_ALL": "C"}
    processes = Processes(keys / "run", keys / "logs")
    made = Host("ssh-scaling", keys, free_port(), env, binaries.unprivileged(), processes)
    made.start()
    made.wait()
    yield made
    processes.stop(made.name)


@pytest.fixture
def login(host: Host) -> Iterator[Ssh]:
    made = shell(host.connection(), "edge")
    made.run("truncate", "-s", SMALL, "a spool")
    yield made
    made.close()


def spool(host: Host) -> Path:
    return Path(host.env["HOME"]) / "a spool"


def driver(login: Ssh, *, read: tuple[str, ...] = READ, write: tuple[str, ...] = WRITE) -> Command:
    return Command(login, "spool", read, write, seconds=10)


def scaled(how: Command) -> dict[str, Any]:
    measures: dict[str, Any] = {}
    again = Choice(before=SMALL, size=LARGE, direction="more", why="80 % used")
    attempt.scale(how, TARGET, POLICY, asked_before=False, decide_again=lambda _: again, measures=measures)
    return measures


def test_something_real_grows_and_is_taken_back(login: Ssh, host: Host) -> None:
    measures = scaled(driver(login))
    assert (measures["present"], measures["simulated"]) == (LARGE, False)
    assert spool(host).stat().st_size == int(LARGE)
    assert attempt.undo(driver(login), TARGET, POLICY, can_shrink=True, measures={}).startswith("the size before, 1000")
    assert spool(host).stat().st_size == int(SMALL)


def test_a_size_is_one_argument_and_never_a_shells_line(login: Ssh, host: Host) -> None:
    with pytest.raises(StepFailed, match="answered 1"):
        driver(login).write("1000; rm -f 'a spool'")
    assert spool(host).stat().st_size == int(SMALL)


def test_a_command_that_only_says_it_did_it_does_not_pass(login: Ssh, host: Host) -> None:
    with pytest.raises(StepFailed, match="2000 is not there after .*last seen: `stat -c %s a spool` says 1000"):
        scaled(driver(login, write=("true", "{size}")))
    assert spool(host).stat().st_size == int(SMALL)


def test_a_command_that_refuses_says_what_is_there_now(login: Ssh) -> None:
    refuses = ("sh", "-c", "echo no room >&2; exit 3", "{size}")
    with pytest.raises(StepFailed, match="asked to become 2000.*no room.*it is now: .* says 1000"):
        scaled(driver(login, write=refuses))


@pytest.mark.parametrize("says", ["", "1000 bytes", "-1", "a\nb"])
def test_what_is_no_size_is_not_taken_for_one(login: Ssh, says: str) -> None:
    with pytest.raises(StepFailed, match="is not the name of a size"):
        driver(login, read=("printf", "%s", says)).read()


def test_a_host_that_is_gone_is_unknown_and_no_size() -> None:
    def refused() -> Any:
        raise OSError("connection refused")

    with pytest.raises(Unavailable, match="connection refused"):
        driver(Ssh("edge", refused)).read()
