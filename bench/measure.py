"""Measure one piece of work: wall clock, CPU-seconds of client and server, peak memory.

The work runs in a fresh process. CPU-seconds are the kernel's own accounting: `getrusage` of that process
and of every child it waited for, and for a server the change of its `/proc` times, reaped children and
living ones included. So nothing else on the machine is counted, and no cgroup is needed.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

import psutil

from bench import machine

EVERY_SECONDS = 0.1


class Work(Protocol):
    """What is measured is `run`; it returns how many bytes it stored or read. It must be picklable."""

    bare: bool

    def prepare(self) -> None:
        """Imports and clients: what a task process pays once, whatever the size of the database."""

    def run(self) -> int:
        """The work itself."""

    def clean(self) -> None:
        """Remove what the work made."""


@dataclass(frozen=True)
class Sample:
    """One run. CPU in seconds; memory in bytes, of the client's process tree, without any server."""

    wall: float
    client_cpu: float
    server_cpu: float
    peak_pss: int
    bytes: int

    @property
    def cpu(self) -> float:
        return self.client_cpu + self.server_cpu


@dataclass(frozen=True)
class Comparison:
    """Our runs and the bare tool's, taken in turns. `goal` bounds both ratios; None where there is no goal.

    `load` is the machine's load average before and after.
    """

    name: str
    bare_command: str
    goal: float | None
    ours: tuple[Sample, ...]
    bare: tuple[Sample, ...]
    load: tuple[float, float]

    @property
    def wall_ratio(self) -> float:
        return _median(self.ours, "wall") / _median(self.bare, "wall")

    @property
    def cpu_ratio(self) -> float:
        return _median(self.ours, "cpu") / _median(self.bare, "cpu")


def compare(
    name: str, works: tuple[Work, Work], *, repeat: int, goal: float | None, servers: Sequence[int]
) -> Comparison:
    """Run both in turns, the order changing each round so that neither profits from the other's cache."""
    ours, bare = works
    load = machine.load()
    samples: dict[bool, list[Sample]] = {False: [], True: []}
    for number in range(repeat):
        for work in (ours, bare) if number % 2 else (bare, ours):
            samples[work.bare].append(measured(work, servers=servers))
    command = getattr(bare, "command", "")
    return Comparison(
        name, command, goal, ours=tuple(samples[False]), bare=tuple(samples[True]), load=(load, machine.load())
    )


def measured(work: Work, *, servers: Sequence[int], every: float = EVERY_SECONDS) -> Sample:
    """Run the work in a process of its own. Raises RuntimeError with its traceback if it fails.

    Its memory is looked at `every` so many seconds.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_child, args=(work, there))
    child.start()
    there.close()
    try:
        _expect(here, "ready")
        before = server_cpu(servers)
        here.send("go")
        peak = _watch(child, here, skip_self=work.bare, every=every)
        wall, cpu, stored = _expect(here, "done")
        spent = server_cpu(servers) - before
        return Sample(wall=wall, client_cpu=cpu, server_cpu=spent, peak_pss=peak, bytes=stored)
    finally:
        here.close()
        child.join(60)
        work.clean()


def server_cpu(pids: Sequence[int]) -> float:
    """CPU-seconds so far of each server: itself, everything below it, and the children they have reaped."""
    return sum(_tree_cpu(psutil.Process(pid)) for pid in pids)


def _tree_cpu(root: psutil.Process) -> float:
    """A child that is reaped between the two looks would be missed, or counted twice: then look again."""
    while True:
        before = root.cpu_times()
        below = sum(_cpu(each) for each in root.children(recursive=True))
        after = root.cpu_times()
        if (before.children_user, before.children_system) == (after.children_user, after.children_system):
            return float(before.user + before.system + before.children_user + before.children_system + below)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def median(samples: Sequence[Sample], field: str) -> float:
    """The median of one field, or of `cpu`."""
    return _median(samples, field)


def _median(samples: Sequence[Sample], field: str) -> float:
    return float(statistics.median(getattr(each, field) for each in samples))


def _child(work: Work, pipe: Connection) -> None:
    try:
        work.prepare()
        pipe.send(("ready", None))
        pipe.recv()
        cpu, begun = _own_cpu(), time.monotonic()
        stored = work.run()
        wall = time.monotonic() - begun
        pipe.send(("done", (wall, _own_cpu() - cpu, stored)))
    except BaseException:  # noqa: BLE001 - told to the parent, which raises
        pipe.send(("failed", traceback.format_exc()))


def _own_cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _expect(pipe: Connection, wanted: str) -> tuple[float, float, int]:
    kind, content = pipe.recv()
    if kind != wanted:
        raise RuntimeError(str(content))
    return content  # type: ignore[no-any-return]


def _watch(child: BaseProcess, pipe: Connection, *, skip_self: bool, every: float) -> int:
    """The largest sum of PSS seen in the tree until the child answers. PSS splits shared pages fairly."""
    peak = 0
    root = psutil.Process(child.pid)
    while not pipe.poll(every):
        tree = root.children(recursive=True) + ([] if skip_self else [root])
        peak = max(peak, sum(_pss(each.pid) for each in tree))
    return peak


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0  # it ended in between, or is in the middle of becoming another program
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
