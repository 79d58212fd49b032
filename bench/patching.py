"""Scanning and patching a fleet of real hosts: our driver against Ansible, each as a command, in turns.

Only the driver is measured. The hosts run on the same machine, but are nobody's children but the lab's: what
counts is the processor time of the command and all that it started, as the kernel sums it up at their end.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench import ansible, machine, patching_driver, servers
from bench.ansible import Ansible
from bench.measure import Comparison, Sample, measured
from bench.tables import Grid
from day2.airflow.patients import AT_ONCE
from day2.hosts import health
from day2.hosts.model import PatchSet
from day2.units import size
from lab.hosts import fleet as lab_hosts
from lab.hosts.fleet import Fleet
from lab.hosts.releases import AGENT_PORT
from lab.say import timed

GOAL = 1.0
HOSTS = 50
# Memory is read from every process of the driver, and reading costs: ten times a second would slow down forty of them.
EVERY_SECONDS = 1.0
PR_SET_CHILD_SUBREAPER = 36
OUR_NAME = "Day 2"
SCANS = {"scan_script": "scan; Ansible runs our scripts", "scan_modules": "scan; Ansible's own modules"}
PATCH = "patch and health check"


@dataclass(frozen=True)
class Command:
    """A driver as a command. What it leaves running, such as SSH connections kept open, counts with it."""

    bare = True  # nothing of the measuring process itself is the driver's

    words: tuple[str, ...]
    env: Mapping[str, str]
    log: Path

    def prepare(self) -> None:
        """Who is left alone becomes a child of this process, which so learns what it cost."""
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def run(self) -> int:
        """To its end, and of all that it started."""
        with self.log.open("wb") as log:
            done = subprocess.run(self.words, env=dict(self.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        left = psutil.Process().children(recursive=True)
        for each in left:
            each.terminate()
        psutil.wait_procs(left, timeout=10)
        if done.returncode != 0:
            raise RuntimeError(f"{self.words[0]} answered {done.returncode}: {self.log.read_text()[-2000:]}")
        return self.log.stat().st_size

    def clean(self) -> None:
        """Its log stays beside the other's until the bench ends."""


def runs(repeat: int, hosts: int = HOSTS, *, only: str = "") -> Iterator[Comparison]:
    """Every part, or those with `only` in their name; the sides in turns."""
    theirs = ansible.installed(servers.state_folder())
    with tempfile.TemporaryDirectory(prefix="day2-bench-") as folder:
        if only in "scan":
            yield from _scans(theirs, Path(folder), repeat, hosts)
        if only in PATCH:
            yield from _patches(theirs, Path(folder), repeat, hosts)


def grid(rows: list[dict[str, Any]]) -> Grid:
    """The rows as a table."""
    heads = (
        "ours / Ansible",
        "wall s",
        "ratio",
        "driver's CPU s",
        "ratio",
        "driver's peak memory",
        "ratio",
        "goal",
        "runs",
    )
    return Grid("Patching against ansible-core", heads, tuple(_cells(each) for each in rows))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    wall, cpu, peak = (row[key] for key in ("wall", "cpu", "peak_pss"))
    memory = peak[0] / peak[1]
    missed = [name for name, ratio in (("wall", wall[2]), ("CPU", cpu[2]), ("memory", memory)) if ratio >= GOAL]
    return (
        f"{row['name']}",
        f"{wall[0]:.1f} / {wall[1]:.1f}",
        f"{wall[2]:.2f}",
        f"{cpu[0]:.1f} / {cpu[1]:.1f}",
        f"{cpu[2]:.2f}",
        f"{size(peak[0])} / {size(peak[1])}",
        f"{memory:.2f}",
        f"< {GOAL:.2f} " + (f"missed: {' and '.join(missed)}" if missed else "met"),
        str(len(row["ours"])),
    )


def _scans(theirs: Ansible, folder: Path, repeat: int, hosts: int) -> Iterator[Comparison]:
    """One fleet for all: a scan changes nothing but the lists, which are fetched before.

    After every round, what there is so far: a bench that is stopped keeps it.
    """
    load = machine.load()
    samples: dict[str, list[Sample]] = {name: [] for name in (OUR_NAME, *SCANS)}
    with _fleet(theirs, hosts) as fleet:
        commands = {OUR_NAME: _ours(fleet, folder)}
        commands |= {name: _theirs(theirs, fleet, folder, name) for name in SCANS}
        for number in range(repeat):
            for name in _turn(list(commands), number):
                samples[name].append(_sample(f"scan, {name}", commands[name]))
            for name, title in SCANS.items():
                yield _compared(f"{title}, {hosts} hosts", samples[OUR_NAME], samples[name], load=load)


def _patches(theirs: Ansible, folder: Path, repeat: int, hosts: int) -> Iterator[Comparison]:
    """A fresh fleet for every run: a host that was patched and rolled back has its files saved already."""
    load = machine.load()
    samples: dict[str, list[Sample]] = {name: [] for name in (OUR_NAME, "patch")}
    for number in range(repeat):
        for name in _turn(list(samples), number):
            with _fleet(theirs, hosts) as fleet:
                frozen = patching_driver.Driver(fleet, 1).frozen(fleet.names[0])
                if name == OUR_NAME:
                    command = _ours(fleet, folder, frozen)
                else:
                    command = _theirs(theirs, fleet, folder, name, **_values(frozen))
                samples[name].append(_sample(f"patch, {name}", command))
                _require_patched(fleet, frozen)
        yield _compared(f"{PATCH}, {hosts} hosts", samples[OUR_NAME], samples["patch"], load=load)


def _turn(names: list[str], number: int) -> list[str]:
    """Who goes first changes from round to round."""
    first = number % len(names)
    return names[first:] + names[:first]


def _sample(what: str, command: Command) -> Sample:
    with timed(what):
        return measured(command, servers=(), every=EVERY_SECONDS)


def _compared(name: str, ours: list[Sample], bare: list[Sample], *, load: float) -> Comparison:
    command = f"ansible-core {ansible.VERSION}"
    return Comparison(name, command, GOAL, tuple(ours), tuple(bare), load=(load, machine.load()))


def _ours(fleet: Fleet, folder: Path, frozen: PatchSet | None = None) -> Command:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = patching_driver.write(fleet, folder / "work.json", at_once=AT_ONCE, frozen=frozen)
    return Command(words, env, folder / "ours.log")


def _theirs(theirs: Ansible, fleet: Fleet, folder: Path, playbook: str, **values: object) -> Command:
    env = ansible.settings(fleet, folder / "ansible", at_once=AT_ONCE)
    return Command(theirs.command(playbook, values), env, folder / f"{playbook}.log")


def _values(frozen: PatchSet) -> dict[str, list[str]]:
    """The same set as a playbook takes it."""
    return {
        "frozen": [f"{each.name}={each.after}" for each in frozen.changes],
        "earlier": [f"{each.name}={each.before}" for each in frozen.changes],
    }


@contextmanager
def _fleet(theirs: Ansible, hosts: int) -> Iterator[Fleet]:
    """Fresh hosts that know what the repository offers."""
    with lab_hosts.hosts(hosts) as fleet:
        theirs.suit(fleet)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: fleet[name].run("apt-get", "--quiet", "update"), fleet.names))
        yield fleet


def _require_patched(fleet: Fleet, frozen: PatchSet) -> None:
    """Looked at from outside, whichever side it was."""
    wanted = {each.name: each.after for each in frozen.changes}
    for name in fleet.names:
        told = fleet[name].run("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *wanted)
        found = dict(line.split() for line in told.splitlines())
        url = f"http://{fleet.address(name)}:{AGENT_PORT}/"
        ill = health.http(url, expect=f"acme-agent {wanted['acme-agent']} acme-lib {wanted['acme-lib']}")()
        if found != wanted or ill:
            raise RuntimeError(f"{name} is not as it was to be: {found}, {ill}")
