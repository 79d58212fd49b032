"""What the machine of a database's server has: memory, CPUs, and the disk that its data is on."""

from __future__ import annotations

from collections.abc import Callable

from day2.errors import StepFailed
from day2.hosts.shell import Shell, require
from day2.operations.performance_tuning.facts import Machine
from day2.operations.performance_tuning.ready import Disk, Host

SECONDS = 20.0
# In one login: CPUs, `MemTotal: 123 kB`, and below its headings the bytes of the disk. On one line, for the log.
LOOK = 'set -e; nproc; grep MemTotal: /proc/meminfo; df --block-size=1 --output=size,used,avail "${1:-$PGDATA}"'


def look(shell: Shell, folder: str = "") -> tuple[Machine, Disk]:
    """Ask the host; `folder` is the data directory, or what its login calls PGDATA. Raises StepFailed, Unavailable."""
    said = require(shell, "sh", "-c", LOOK, "look", folder, seconds=SECONDS, left="nothing was touched")
    try:
        cpus, memory, _headings, disk = said.strip().splitlines()
        total, used, free = (int(each) for each in disk.split())
        machine = Machine(int(memory.split()[1]) * 1024, int(cpus), disk_bytes=total, disk_free_bytes=free)
    except ValueError:
        raise StepFailed(
            f"the host's answer is not CPUs, memory and disk: {said.strip()[:200]!r}",
            target=shell.label,
            left="nothing was touched",
            next_step="correct `data_directory` of the database in the inventory, or PGDATA of that login",
        ) from None
    return machine, Disk(total_bytes=total, used_bytes=used)


def host(shell: Shell, folder: str = "") -> Host:
    """What decides whether now is the time: its CPUs, and its disk, which is asked each time anew."""
    machine, _ = look(shell, folder)
    asked: Callable[[], Disk] = lambda: look(shell, folder)[1]  # noqa: E731
    return Host(cpus=machine.cpus, disk=asked)
