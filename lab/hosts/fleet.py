"""A fleet of patchable hosts: `with hosts(3, folder) as fleet:`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from day2.errors import PlanRefused, Unavailable
from day2.hosts.shell import Ssh
from lab import files
from lab.hosts import build, keys
from lab.hosts.layer import KEYRING, make_layer
from lab.hosts.machine import Machine
from lab.hosts.net import SWITCH, Net, cable
from lab.hosts.repository import Repository
from lab.places import state_folder
from lab.processes import Processes, wait_until

if TYPE_CHECKING:
    from paramiko import SSHClient

SUPERVISOR = "supervisor"
SSH_PORT = 22
BOOT_SECONDS = 60


@dataclass(frozen=True)
class Fleet:
    """Hosts that run, and the repository they install from."""

    folder: Path
    names: tuple[str, ...]
    repository: Repository

    def __getitem__(self, name: str) -> Machine:
        return Machine(name, self.names.index(name), self.folder / "hosts" / name)

    @property
    def net(self) -> Net:
        return Net(files.read_json(self.folder / "net.json")["slot"])

    @property
    def login_key(self) -> Path:
        """The private key that user `ops` logs in with on every host."""
        return self.folder / "keys/login"

    @property
    def known_hosts(self) -> Path:
        """Every host's public key, as published when the fleet was made."""
        return self.folder / "known_hosts"

    @property
    def supervisor(self) -> int | None:
        return _processes(self.folder).pid(SUPERVISOR)

    def address(self, name: str) -> str:
        return self.net.host(self[name].number)

    def connect(self, name: str) -> SSHClient:
        """Log in over SSH as `ops`; a host key other than the published one is refused."""
        from paramiko import RejectPolicy, SSHClient

        client = SSHClient()
        client.load_host_keys(str(self.known_hosts))
        client.set_missing_host_key_policy(RejectPolicy())
        client.connect(
            self.address(name),
            username=build.USER,
            key_filename=str(self.login_key),
            allow_agent=False,
            look_for_keys=False,
            timeout=5,
            banner_timeout=5,
        )
        return client

    def shell(self, name: str) -> Ssh:
        """A shell over SSH, connected at its first command."""
        return Ssh(name, lambda: self.connect(name))

    def cable(self, name: str, *, plugged: bool) -> None:
        """Plug a host's network cable in, or pull it."""
        state = "up" if plugged else "down"
        self._ip("-n", SWITCH, "link", "set", cable(self[name].number), state)

    def repository_address(self, *, present: bool) -> None:
        """Let the repository's address exist, or not: then connections to it go nowhere."""
        verb = "add" if present else "del"
        self._ip("-n", SWITCH, "addr", verb, f"{self.net.repository}/24", "dev", "bridge")

    def is_plugged_in(self) -> bool:
        """Whether the network is there. Raises StepFailed if the supervisor gave up."""
        _processes(self.folder).require(SUPERVISOR)
        return (self.folder / "net.json").exists()

    def wait(self, *names: str, seconds: float = BOOT_SECONDS) -> None:
        """Wait until hosts answer on SSH; all of them, if none is named."""
        for name in names or self.names:
            wait_until(partial(self._answers, name), f"SSH on {name}", seconds=seconds, every=0.05)

    def down(self) -> None:
        """End every host and everything they run on, and remove what they left."""
        _processes(self.folder).stop(SUPERVISOR)
        _remove(self.folder)

    def _answers(self, name: str) -> bool:
        if self[name].stays_off.exists():
            console = (self.folder / "hosts" / name / "console.log").read_text()
            raise Unavailable(f"is switched off. Its console: {console[-500:]}", target=name)
        return _greets(self.address(name))

    def _ip(self, *words: str) -> None:
        enter = ("nsenter", "--target", str(self.supervisor), "--mount")
        subprocess.run((*enter, "ip", *words), check=True, capture_output=True)


@contextmanager
def hosts(names: int | Sequence[str], folder: Path | None = None) -> Iterator[Fleet]:
    """Hosts that run for as long as the block does; they also end when this process ends in any other way."""
    fleet = up(names, folder or default_folder(), owner=os.getpid())
    try:
        yield fleet
    finally:
        fleet.down()


def up(names: int | Sequence[str], folder: Path, *, owner: int | None = None) -> Fleet:
    """Boot a fleet; with an owner, it ends when that process does. Waits until every host answers on SSH."""
    if reason := why_not():
        raise PlanRefused(f"cannot run hosts here: {reason}", target="the lab's hosts")
    if isinstance(names, int):
        names = [f"host-{number:02}" for number in range(1, names + 1)]
    for each in (folder, trees_folder(folder)):
        each.mkdir(mode=0o711, parents=True, exist_ok=True)
    with files.lock(folder / "fleets.lock"):
        golden = build.golden(trees_folder(folder))
        _sweep(folder)
        build.tidy(trees_folder(folder), used=golden.names | _used(folder))
        fleet = _make(folder, golden, tuple(names))
        _start(fleet, golden, owner)
    try:
        wait_until(fleet.is_plugged_in, "the hosts' network", seconds=BOOT_SECONDS, every=0.02)
        _publish_keys(fleet)
        fleet.wait()
    except BaseException:  # also Ctrl-C: nobody else knows what was started
        fleet.down()
        raise
    return fleet


def sweep(folder: Path) -> list[str]:
    """Remove what fleets left whose supervisor is gone; returns their names."""
    if not folder.exists():
        return []
    with files.lock(folder / "fleets.lock"):
        return _sweep(folder)


def default_folder() -> Path:
    """Where the shared tree and the fleets are kept: in the lab's state."""
    return state_folder() / "hosts"


def trees_folder(folder: Path) -> Path:
    """Where the shared tree of these fleets is: with them, or in `DAY2_TREES`, so that several labs make it once."""
    return Path(os.environ.get("DAY2_TREES") or folder)


def running(folder: Path) -> list[str]:
    """The fleets that run, whoever owns them."""
    return [each.name for each in (folder / "fleets").glob("fleet-*") if _processes(each).pid(SUPERVISOR)]


def why_not() -> str:
    """Why hosts cannot run here; empty if they can."""
    if os.geteuid() != 0:
        return "it takes root; an ordinary user can run a command through `python -m lab.hosts.apart`"
    if missing := build.missing():
        return f"missing Debian packages: {' '.join(missing)}"
    layers = "d=$(mktemp -d) && mount -t tmpfs tmpfs $d && mkdir $d/u $d/w $d/r && "
    layers += "mount -t overlay overlay -o lowerdir=/usr,upperdir=$d/u,workdir=$d/w $d/r && umount $d/r $d && rmdir $d"
    probe = ("unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--time", "sh", "-c", layers)
    done = subprocess.run(probe, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"no namespaces or no overlay mounts: {done.stderr.strip()}"


def _make(folder: Path, golden: build.Golden, names: tuple[str, ...]) -> Fleet:
    """The fleet's folder with its keys, its repository and the layer over the tree."""
    (folder / "fleets").mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="fleet-", dir=folder / "fleets"))
    for each in ("keys", "repository", *(f"hosts/{name}" for name in names)):
        (home / each).mkdir(parents=True)
    repository = Repository(home / "repository", golden.shelf, home / "keys")
    repository.create()
    fleet = Fleet(home, names, repository)
    keys.make_ssh_key(fleet.login_key, "the lab's operator")
    for name in names:
        keys.make_ssh_key(home / "keys" / f"host-{name}", name)
    public = (fleet.login_key.with_suffix(".pub"), home / "keys/archive.gpg")
    make_layer(home / "layer", login_key=public[0], signing_key=public[1], sources=repository.sources(KEYRING))
    return fleet


def _start(fleet: Fleet, golden: build.Golden, owner: int | None) -> None:
    lower = f"{fleet.folder / 'layer'}:{golden.tree}"
    plan = {"names": fleet.names, "lower": lower, "owner": owner, "shelf": str(golden.shelf)}
    files.write_json(fleet.folder / "fleet.json", plan)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    apart = ("unshare", "--mount", "--propagation", "private")
    command = (*apart, sys.executable, "-m", "lab.hosts.supervisor", str(fleet.folder))
    _processes(fleet.folder).start(SUPERVISOR, command, env=env)


def _publish_keys(fleet: Fleet) -> None:
    lines = []
    for name in fleet.names:
        kind, key, _ = (fleet.folder / "keys" / f"host-{name}.pub").read_text().split(maxsplit=2)
        lines.append(f"{fleet.address(name)} {kind} {key}\n")
    fleet.known_hosts.write_text("".join(lines))


def _sweep(folder: Path) -> list[str]:
    for half in (folder / "fleets").glob(".*"):
        if not psutil.pid_exists(int(half.suffix[1:])):
            shutil.rmtree(half)
    left = [each for each in (folder / "fleets").glob("fleet-*") if _processes(each).pid(SUPERVISOR) is None]
    for each in left:
        _remove(each)
    return [each.name for each in left]


def _remove(home: Path) -> None:
    """Remove a fleet's folder. Another command may be about to: whoever renames it first does."""
    gone = home.with_name(f".{home.name}.{os.getpid()}")
    try:
        home.rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone)


def _used(folder: Path) -> set[str]:
    """The trees and shelves that running fleets are made from."""
    plans = [files.read_json(each) for each in (folder / "fleets").glob("fleet-*/fleet.json")]
    return {Path(path).name for plan in plans for path in (plan["shelf"], plan["lower"].rpartition(":")[2])}


def _processes(folder: Path) -> Processes:
    return Processes(folder / "run", folder / "logs")


def _greets(address: str) -> bool:
    try:
        with socket.create_connection((address, SSH_PORT), timeout=1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
