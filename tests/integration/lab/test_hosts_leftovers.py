"""A fleet leaves nothing behind, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from lab.files import read_json
from lab.hosts import fleet as lab_hosts
from lab.hosts import resident
from lab.hosts.build import golden, tidy
from lab.hosts.fleet import Fleet, default_folder, hosts
from lab.hosts.net import Net
from lab.processes import wait_until

OWNER = """
import sys, time
from pathlib import Path
from lab.hosts.fleet import hosts
with hosts(2, Path(sys.argv[1])) as fleet:
    print(fleet.folder, flush=True)
    time.sleep(300)
"""


@dataclass
class Traces:
    """What the machine could still show of a fleet."""

    folder: Path
    interface: str
    processes: list[psutil.Process]

    def left(self) -> list[str]:
        found = [str(each.pid) for each in self.processes if _runs(each)]
        found += [name for _, name in socket.if_nameindex() if name == self.interface]
        found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(self.folder) in line]
        return found


def _runs(process: psutil.Process) -> bool:
    """It may end between two questions."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def traces(folder: Path) -> Traces:
    supervisor = psutil.Process(int((folder / "run/supervisor.pid").read_text().splitlines()[1].split()[0]))
    family = [supervisor, *supervisor.children(recursive=True)]
    assert len(family) > 2  # the web server and the hosts
    return Traces(folder, Net(read_json(folder / "net.json")["slot"]).interface, family)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for fleets that nobody else sweeps, with the trees that are there already."""
    if reason := lab_hosts.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    default_folder().mkdir(parents=True, exist_ok=True)
    for name in golden(default_folder()).names:
        (tmp_path / name).symlink_to(default_folder() / name)
    return tmp_path


def start_owner(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    owner = subprocess.Popen((sys.executable, "-c", OWNER, folder), stdout=subprocess.PIPE, text=True, env=env)
    assert owner.stdout is not None
    lines = iter(owner.stdout.readline, "")
    return owner, Path(next(line for line in lines if line.startswith("/")).strip())


def test_nothing_is_left_when_the_block_ends(folder: Path) -> None:
    with hosts(2, folder) as fleet:
        before = traces(fleet.folder)
        assert before.left()
    wait_until(lambda: not before.left(), "the fleet's end", seconds=10)
    assert not fleet.folder.exists()


def test_nothing_is_left_when_the_owner_is_killed(folder: Path) -> None:
    owner, home = start_owner(folder)
    before = traces(home)
    owner.kill()
    owner.communicate()
    wait_until(lambda: not before.left() and not home.exists(), "the fleet's end", seconds=10)


def test_hosts_end_with_their_supervisor_and_the_next_start_removes_its_folder(folder: Path) -> None:
    owner, home = start_owner(folder)
    before = traces(home)
    before.processes[0].send_signal(signal.SIGKILL)
    try:
        wait_until(lambda: not before.left(), "the fleet's end", seconds=10)
        assert home.exists()
        with hosts(1, folder):
            assert not home.exists()
    finally:
        owner.kill()
        owner.communicate()


def test_a_boot_that_fails_takes_everything_down(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Traces] = []

    def never(fleet: Fleet, *_names: str) -> None:
        seen.append(traces(fleet.folder))
        raise KeyboardInterrupt

    monkeypatch.setattr(Fleet, "wait", never)
    with pytest.raises(KeyboardInterrupt):
        lab_hosts.up(1, folder)
    wait_until(lambda: not seen[0].left(), "the fleet's end", seconds=10)
    assert not seen[0].folder.exists()


def test_the_fleet_that_stays_is_found_again_and_taken_down(folder: Path) -> None:
    fleet = resident.ensure(folder, ("web-01",))
    before = traces(fleet.folder)
    assert resident.ensure(folder, ("web-01",)) == fleet
    assert [each["host"] for each in resident.logins(fleet)] == [fleet.address("web-01")]
    assert resident.down(folder) == ("web-01",)
    wait_until(lambda: not before.left(), "the fleet's end", seconds=10)
    assert resident.find(folder) is None


def test_trees_nobody_asked_for_in_a_day_are_removed_unless_a_fleet_runs_on_them(tmp_path: Path) -> None:
    for name in ("tree-new", "tree-old", "tree-running", "shelf-old", "notes-old"):
        (tmp_path / name).mkdir()
    for name in ("tree-old", "tree-running", "shelf-old", "notes-old"):
        os.utime(tmp_path / name, (0, 0))
    tidy(tmp_path, used={"tree-running"})
    assert sorted(each.name for each in tmp_path.iterdir()) == ["notes-old", "tree-new", "tree-running"]


def test_a_command_has_hosts_in_namespaces_of_its_own(request: pytest.FixtureRequest) -> None:
    # As an ordinary user it becomes root there; the networks of this machine are out of sight either way.
    code = "import socket\nfrom lab.hosts.fleet import *\nwith hosts(1) as it:\n"
    code += " print(it.shell('host-01').run('sudo', 'id', '-u').stdout, [name for _, name in socket.if_nameindex()])"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = (sys.executable, "-m", "lab.hosts.apart", sys.executable, "-c", code)
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:
            stack.enter_context(
                hosts(1, request.getfixturevalue("folder"))
            )  # it has the first name, which is free again in there
        done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.stdout.endswith("0\n ['lo', 'day2lab0']\n"), done.stdout + done.stderr
