"""One look at a Linux host: what the kernel says of CPU, memory, disks and network. One command, read-only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from day2.errors import StepFailed
from day2.hosts.shell import Shell, require

SECONDS = 30.0
# Between two looks at the CPU's clock: long enough for a percentage, short enough for a thousand hosts.
PAUSE = 1
MARK = "--"
# Sections in a fixed order, each ended by a line of its own. No pipe: each command's failure is the script's.
LOOK = (
    f"set -e; head -n 1 /proc/stat; sleep {PAUSE}; head -n 1 /proc/stat; echo {MARK}; cat /proc/loadavg; nproc; "
    f"echo {MARK}; cat /proc/meminfo; echo {MARK}; cat /proc/net/dev; echo {MARK}; "
    f"df -P -k -l -x devtmpfs -x squashfs -x overlay; echo {MARK}; df -P -i -l -x devtmpfs -x squashfs -x overlay"
)
# Kept in memory by the system for itself; somebody else's file system in memory is one that fills.
SYSTEM = re.compile(r"^/(dev|proc|run|sys)(/|$)")
# /proc/stat: user nice system idle iowait irq softirq steal (proc_stat(5)); guest time is in user already.
IDLE, IOWAIT, STEAL, FIELDS = 3, 4, 7, 8


@dataclass(frozen=True)
class Value:
    """One value. `part` is of what: a mount point, a network interface; empty for the host as a whole.

    `note` is what a number cannot say: which ones, or why.
    """

    metric: str
    value: float
    part: str = ""
    note: str = ""


def look(shell: Shell, *, seconds: float = SECONDS) -> tuple[Value, ...]:
    """Every value of one look. Raises Unavailable where it does not answer in time, StepFailed for another answer."""
    said = require(shell, "sh", "-c", LOOK, seconds=seconds)
    try:
        return tuple(parse(said))
    except (ValueError, IndexError, KeyError) as error:
        raise StepFailed(
            f"what the host says of itself cannot be read: {error}",
            target=shell.label,
            left="no sample was taken: that is a gap, not a zero",
            next_step=f"log in to {shell.label} and look at /proc/stat, /proc/meminfo and df",
        ) from error


def parse(said: str) -> Iterator[Value]:
    """The values in what `LOOK` answered. Pure. Raises ValueError, IndexError, KeyError."""
    cpu, load, memory, network, disks, inodes = (part.strip("\n").splitlines() for part in said.split(f"{MARK}\n"))
    yield from _cpu(cpu)
    cpus = int(load[1])
    yield Value("cpus", cpus)
    yield Value("load_per_cpu", float(load[0].split()[0]) / cpus)
    yield from _memory(dict(_kilobytes(memory)))
    yield from _network(network)
    yield from _filesystems(disks, "disk", 1024)
    yield from _filesystems(inodes, "inodes", 1)


def _cpu(lines: list[str]) -> Iterator[Value]:
    before, after = ([int(each) for each in line.split()[1 : FIELDS + 1]] for line in lines)
    spent = [now - then for then, now in zip(before, after, strict=True)]
    total = sum(spent)
    if total <= 0:
        return  # a kernel that does not count: a gap
    yield Value("cpu_percent", 100 * (total - spent[IDLE] - spent[IOWAIT]) / total)
    yield Value("cpu_iowait_percent", 100 * spent[IOWAIT] / total)
    yield Value("cpu_steal_percent", 100 * spent[STEAL] / total)


def _kilobytes(lines: list[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        name, _, rest = line.partition(":")
        yield name, int(rest.split()[0]) * 1024


def _memory(known: Mapping[str, int]) -> Iterator[Value]:
    total = known["MemTotal"]
    yield Value("memory_bytes", total)
    yield Value("memory_percent", 100 * (total - known["MemAvailable"]) / total)
    if known["SwapTotal"]:
        yield Value("swap_percent", 100 * (known["SwapTotal"] - known["SwapFree"]) / known["SwapTotal"])


def _network(lines: list[str]) -> Iterator[Value]:
    """Counters since the boot: their increase is made when they are read, where a reset is seen."""
    for line in lines[2:]:
        name, _, rest = line.partition(":")
        if name.strip() == "lo":
            continue
        fields = [int(each) for each in rest.split()]
        for metric, value in (
            ("network_received_bytes", fields[0]),
            ("network_sent_bytes", fields[8]),
            ("network_errors", fields[2] + fields[3] + fields[10] + fields[11]),
        ):
            yield Value(metric, value, name.strip())


def _filesystems(lines: list[str], what: str, unit: int) -> Iterator[Value]:
    """`df -P`: one line a mount, whose name may hold blanks. Several mounts of one device are told once."""
    seen = set()
    for line in lines[1:]:
        device, total, used, free, _percent, mount = line.split(maxsplit=5)
        # One without a limit: btrfs has no inodes to run out of. All in memory are called the same.
        if (device in seen and device != "tmpfs") or SYSTEM.match(mount) or not total.isdigit() or not int(total):
            continue
        seen.add(device)
        yield Value(f"{what}_total", int(total) * unit, mount)
        yield Value(f"{what}_used", int(used) * unit, mount)
        # As df does: what is reserved for root is no room for anybody else.
        yield Value(f"{what}_percent", 100 * int(used) / max(int(used) + int(free), 1), mount)
