"""One host: the command that boots it, and a way in that needs no network, for the lab's switches."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from day2.errors import StepFailed, Unavailable
from lab.hosts.guest import FOLDER
from lab.hosts.net import Net

REBOOT, POWER_OFF = 42, 43  # what the first process of a host ends with
DISK = "256m"


@dataclass(frozen=True)
class Machine:
    """A host of a fleet. Its folder has its boot id, the pid of its current boot, and its console."""

    name: str
    number: int
    folder: Path

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def stays_off(self) -> Path:
        """While this file exists the host does not come back from a reboot."""
        return self.folder / "stays-off"

    @property
    def pid(self) -> int | None:
        """The process of its current boot; none while it is off."""
        return int(self.pid_file.read_text()) if self.pid_file.exists() else None

    def insert_disk(self, host_key: Path) -> None:
        """Mount its disk, memory of a limited size, with its own host key on it."""
        disk = self.folder / "disk"
        disk.mkdir()
        options = f"mode=755,size={DISK}"
        subprocess.run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", disk), check=True, capture_output=True)
        ssh = disk / "upper/etc/ssh"
        ssh.mkdir(parents=True)
        for file in (host_key, host_key.with_suffix(".pub")):
            shutil.copy2(file, ssh / f"ssh_host_ed25519_key{file.suffix}")
        programs = disk / "upper/usr/local/sbin"
        programs.mkdir(parents=True)
        shutil.copy2(FOLDER / "data-size", programs)
        made = [disk / "upper", disk / "upper/etc", ssh, *(disk / f"upper/usr{each}" for each in ("", "/local"))]
        for each in (*made, programs, programs / "data-size"):
            each.chmod(0o755)

    def boot(self, net: Net, lower: str) -> subprocess.Popen[bytes]:
        """Switch it on. It ends with the process that called this, and with it all it runs."""
        (self.folder / "boot_id").unlink(missing_ok=True)
        (self.folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
        uptime = Path("/proc/uptime").read_text().split(".")[0]
        command = (
            *("setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount"),
            *("--propagation", "private", "--pid", "--fork", "--kill-child", "--uts", "--ipc"),
            *("--time", "--boottime", f"-{uptime}", "/bin/sh", str(FOLDER / "boot"), self.name, str(self.folder)),
            *(lower, f"{net.host(self.number)}/24", net.repository),
        )
        with (self.folder / "console.log").open("ab") as console:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        self.pid_file.write_text(str(child.pid))
        return child

    def init(self) -> int:
        """The pid of its first process. Raises Unavailable while it is off."""
        try:
            parent = int(self.pid_file.read_text())
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            children = []
        if not children:
            raise Unavailable("is switched off", target=self.name)
        return int(children[0])

    def inside(self, *command: str) -> tuple[str, ...]:
        """The command line that runs a command in the host, as root, without the network."""
        init = self.init()
        enter = ("--mount", "--uts", "--ipc", "--net", "--pid", "--time", f"--root=/proc/{init}/root")
        return ("nsenter", "--target", str(init), *enter, *command)

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command in the host that must succeed; returns what it printed."""
        done = subprocess.run(self.inside(*command), input=stdin, capture_output=True, text=True)
        if done.returncode != 0:
            raise StepFailed(f"`{' '.join(command)}` answered {done.returncode}: {done.stderr}", target=self.name)
        return done.stdout

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to every process of the host but its first."""
        # -1 means every process one may signal; inside the host these are the host's own.
        self.run("sh", "-c", f"kill -{int(number)} -1 2>/dev/null || true")

    def wait_until_off(self, seconds: float = 10) -> None:
        """Wait for the end of its current boot."""
        deadline = time.monotonic() + seconds
        while self.pid_file.exists():
            if time.monotonic() > deadline:
                raise Unavailable(f"still on after {seconds:.0f} s", target=self.name)
            time.sleep(0.01)
