"""The one process that owns a fleet: its network, its disks, its hosts and its repository's web server.

Started in a mount namespace of its own. When it ends, however it ends, the kernel takes apart all it owns:
the hosts have it as the parent they die with, and the namespaces have no other keeper.
Usage: python -m lab.hosts.supervisor <fleet's folder>
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from lab.files import read_json, write_json
from lab.hosts.machine import REBOOT, Machine
from lab.hosts.net import SWITCH, Net, plug_in

LOOK_EVERY = 0.5  # seconds, for the owner; the end of a host is noticed at once
FIRMWARE = 0.3  # seconds a host is off in a reboot
REPOSITORY_PORT = 80


@dataclass
class Supervisor:
    """A fleet's hosts and what they run on."""

    folder: Path
    machines: list[Machine]
    lower: str
    owner: psutil.Process | None
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: bool = False
    _bell: int = -1  # readable when a signal came

    def run(self) -> None:
        """Everything up; then bring back hosts that reboot, until told to end or until the owner is gone."""
        self._listen()
        self._mount("/run/netns")
        net = plug_in(each.name for each in self.machines)
        web = self._serve(net)
        for machine in self.machines:
            machine.insert_disk(self.folder / "keys" / f"host-{machine.name}")
            self.running[machine.name] = machine.boot(net, self.lower)
        write_json(self.folder / "net.json", {"slot": net.slot, "repository": web.pid})
        while not self.ended and (self.owner is None or _lives(self.owner)):
            self._wait()
            for machine in self.machines:
                self._look_after(machine, net)
        self._halt(web)
        if not self.ended:
            self._clear()

    def _listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._bell, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer)

    def _wait(self) -> None:
        """Until a host ended or somebody wants us to; for those that are off, until they may come back."""
        all_on = len(self.running) == len(self.machines)
        if select.select([self._bell], [], [], LOOK_EVERY if all_on else FIRMWARE)[0]:
            os.read(self._bell, 4096)

    def _look_after(self, machine: Machine, net: Net) -> None:
        """Notice that a host is off, and switch it on again if it reboots or was asked to come back."""
        child = self.running.get(machine.name)
        if child is not None:
            if child.poll() is None:
                return
            del self.running[machine.name]
            machine.pid_file.unlink()
            if child.returncode != REBOOT:
                machine.stays_off.touch()
        elif not machine.stays_off.exists():
            self.running[machine.name] = machine.boot(net, self.lower)

    def _serve(self, net: Net) -> subprocess.Popen[bytes]:
        serve = ("-m", "http.server", "--protocol", "HTTP/1.1", "--bind", net.repository, str(REPOSITORY_PORT))
        enter = ("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{SWITCH}")
        with (self.folder / "repository.log").open("ab") as log:
            return subprocess.Popen(
                (*enter, sys.executable, *serve),
                cwd=self.folder / "repository",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _mount(self, where: str) -> None:
        Path(where).mkdir(exist_ok=True)
        subprocess.run(("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", where), check=True)

    def _halt(self, web: subprocess.Popen[bytes]) -> None:
        for child in (*self.running.values(), web):
            child.kill()
        for child in (*self.running.values(), web):
            child.wait()

    def _clear(self) -> None:
        """The owner is gone and will not remove the fleet's folder."""
        for machine in self.machines:
            subprocess.run(("umount", "--lazy", machine.folder / "disk"), check=True)
        shutil.rmtree(self.folder)

    def _end(self, _number: int, _frame: object) -> None:
        self.ended = True


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main(folder: Path) -> None:
    """Run the fleet that its folder describes."""
    plan = read_json(folder / "fleet.json")
    owner = psutil.Process(plan["owner"]) if plan["owner"] else None
    machines = [Machine(name, number, folder / "hosts" / name) for number, name in enumerate(plan["names"])]
    Supervisor(folder, machines, plan["lower"], owner).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
