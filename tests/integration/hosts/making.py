"""Small things that tests of patching do to hosts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from day2.hosts.freeze import Wanted, freeze
from day2.hosts.health import Patience, http
from day2.hosts.health import wait as wait_until_well
from day2.hosts.install import Prepared, prepare
from day2.hosts.model import PatchSet
from day2.hosts.scan import scan
from day2.hosts.script import Host
from lab.hosts.fleet import Fleet
from lab.hosts.machine import Machine
from lab.hosts.releases import AGENT_PORT

HOLD = """
import fcntl, time
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep({seconds})
"""
RUN = "scheduled__2026-11-10T03:00:00+00:00"
QUICK = Patience(grace=timedelta(seconds=6), every=timedelta(seconds=0.1), in_a_row=3)


def frozen(host: Host, *patterns: str) -> PatchSet:
    """The set of all updates, or of those of some packages, as this host sees them now."""
    return freeze(host, scan(host), Wanted(security_only=False, approved=patterns))


def prepared(host: Host, *patterns: str) -> Prepared:
    """The same, with the files saved on the host."""
    return prepare(host, frozen(host, *patterns), run_id=RUN)


def packages(machine: Machine) -> str:
    """The host's package list with states, and what was installed automatically."""
    return machine.run("dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n") + machine.run(
        "apt-mark", "showauto"
    )


def upgrades(machine: Machine, package: str) -> int:
    """How often dpkg began to upgrade a package on this host."""
    return sum(f" upgrade {package}:" in line for line in machine.run("cat", "/var/log/dpkg.log").splitlines())


def version(machine: Machine, package: str) -> str:
    """The version that is installed."""
    return machine.run("dpkg-query", "-W", "-f", "${Version}", package)


@contextmanager
def lock_held(machine: Machine, *, seconds: float = 60) -> Iterator[None]:
    """Somebody else's apt runs on the host."""
    command = machine.inside("sh", "-c", 'cd / && exec "$@"', "sh", "python3", "-c", HOLD.format(seconds=seconds))
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.kill()
        machine.run("sh", "-c", "pkill -f '[l]ock-frontend' || true")


def agent_is_well(fleet: Fleet, name: str, expect: str = "") -> None:
    """The agent on that host answers 200, three times in a row. Raises StepFailed if it does not."""
    url = f"http://{fleet.address(name)}:{AGENT_PORT}/"
    wait_until_well(name, "acme-agent", http(url, expect=expect), patience=QUICK)
