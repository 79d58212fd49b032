"""Processes the lab starts, and the proof that a process is one of them.

A pid alone proves nothing: the kernel hands the same number out again. So each process writes its boot
id, pid and start time down before it becomes the program, and counts as ours only while all three hold.
The child writes them itself, so there is no moment at which it runs unrecorded.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from day2.errors import StepFailed, Unavailable
from day2.postgres.binaries import RunAs
from day2.postgres.programs import still_running
from lab.files import write_private

# Shell, because it can record itself and then become the program: same pid, same start time.
RECORD_THEN_EXEC = 'read -r line </proc/$$/stat && echo "$line" >&0 && exec "$@" </dev/null'
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Processes:
    """Starts, finds and stops processes by name. Records are in `run`, output in `logs`."""

    def __init__(self, run: Path, logs: Path) -> None:
        self.run = run
        self.logs = logs
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        run.mkdir(mode=0o700, parents=True, exist_ok=True)
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        run_as: RunAs | None = None,
    ) -> int:
        """Start a program in a session of its own and return its pid. It outlives us."""
        record = os.open(self._record(name), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(record, BOOT_ID.read_bytes())
        with self.log(name).open("ab") as log:
            try:
                child = subprocess.Popen(
                    ("/bin/sh", "-c", RECORD_THEN_EXEC, name, *command),
                    stdin=record,
                    stdout=log,
                    stderr=log,
                    cwd="/",  # ours may be a folder the other user cannot enter
                    env=dict(os.environ if env is None else env),
                    start_new_session=True,
                    **(run_as or {}),
                )
            finally:
                os.close(record)
        self._children[name] = child
        # Until the child has written its line it cannot be told from one that died.
        while child.poll() is None and self.pid(name) is None:
            time.sleep(0.002)
        return child.pid

    def adopt(self, name: str, pid: int) -> None:
        """Count a process that somebody else started as ours from now on. The caller has proof that it is."""
        stat = Path(f"/proc/{pid}/stat").read_text()
        write_private(self._record(name), BOOT_ID.read_text() + stat)

    def was_ours(self, name: str) -> bool:
        """Whether it was started or adopted here and not stopped here: it runs, died, or somebody else stopped it."""
        return self._record(name).exists()

    def pid(self, name: str) -> int | None:
        """The pid of our process of that name, while it lives."""
        try:
            boot, stat = self._record(name).read_text().splitlines()[:2]
        except (FileNotFoundError, ValueError):
            return None
        number, started = _identity(stat)
        if boot != BOOT_ID.read_text().strip():
            return None
        try:
            now = Path(f"/proc/{number}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        state = now.rpartition(")")[2].split()[0]
        return number if _identity(now) == (number, started) and state not in "ZX" else None

    def names(self) -> list[str]:
        """Every name that has a record, running or not, newest first."""
        records = sorted(self.run.glob("*.pid"), key=lambda each: each.stat().st_mtime, reverse=True)
        return [each.stem for each in records]

    def send(self, name: str, number: signal.Signals) -> None:
        """Signal our process; nothing happens if it is gone."""
        if pid := self.pid(name):
            os.kill(pid, number)

    def stop(self, name: str, *, by: signal.Signals = signal.SIGTERM, grace: float = 20) -> bool:
        """Ask the process to end, wait `grace` seconds, then end it and what it started.

        Returns whether there was anything to stop.
        """
        pid = self.pid(name)
        if pid is None:
            self._forget(name)
            return False
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        process.send_signal(by)
        stubborn = still_running(family[:1], seconds=grace)
        left = still_running(family[1:], seconds=0 if stubborn or by == signal.SIGKILL else 2)
        for each in (*stubborn, *left):
            with suppress(psutil.NoSuchProcess):
                each.kill()
        still_running([*stubborn, *left], seconds=5)
        self._forget(name)
        return True

    def require(self, name: str, hint: str = "") -> None:
        """Raise StepFailed with the end of its log if a process is gone."""
        if self.pid(name) is None:
            tail = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-15:])
            raise StepFailed(
                f"stopped right after it was started. The end of its log:\n{tail}",
                target=name,
                next_step=hint or f"read {self.log(name)}",
            )

    def log(self, name: str) -> Path:
        """Where a process writes its output."""
        return self.logs / f"{name}.log"

    def _record(self, name: str) -> Path:
        return self.run / f"{name}.pid"

    def _forget(self, name: str) -> None:
        if child := self._children.pop(name, None):
            child.wait(5)
        self._record(name).unlink(missing_ok=True)


def wait_until(ready: Callable[[], bool], what: str, *, seconds: float, every: float = 0.1) -> None:
    """Poll `ready` until it says yes; it may raise. Raises Unavailable naming what was waited for."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise Unavailable(f"not ready after {seconds:.0f} s", target=what)
        time.sleep(every)


def _identity(stat: str) -> tuple[int, str]:
    """(pid, start time in ticks since boot) of a line of /proc/<pid>/stat; see proc(5), fields 1 and 22."""
    number, _, rest = stat.partition(" ")
    return int(number), rest.rpartition(")")[2].split()[19]
