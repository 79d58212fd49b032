"""The network of a fleet: one bridge, a cable to every host and one to this machine.

All of it is in network namespaces that only the supervisor's mounts keep: they end with it, and so does
the one interface on this machine, whose other end is in there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from day2.errors import StepFailed

SWITCH = "switch"
FIRST_HOST = 10
SLOTS = 200


@dataclass(frozen=True)
class Net:
    """Network 10.83.<slot>.0/24. The driving machine is .1, the repository .2, hosts start at .10."""

    slot: int

    @property
    def interface(self) -> str:
        """The fleet's interface on this machine."""
        return f"day2lab{self.slot}"

    @property
    def driver(self) -> str:
        return f"10.83.{self.slot}.1"

    @property
    def repository(self) -> str:
        return f"10.83.{self.slot}.2"

    def host(self, number: int) -> str:
        return f"10.83.{self.slot}.{FIRST_HOST + number}"


def cable(number: int) -> str:
    """The bridge's end of the cable of a host."""
    return f"port{number}"


def plug_in(names: Iterable[str]) -> Net:
    """Make the namespaces and cables of a fleet, and take the first network nobody uses."""
    batch(f"netns add {SWITCH}", f"-n {SWITCH} link add bridge type bridge", f"-n {SWITCH} link set bridge up")
    net = _take_slot()
    batch(
        f"addr add {net.driver}/24 dev {net.interface}",
        f"link set {net.interface} up",
        f"-n {SWITCH} link set uplink master bridge up",
        f"-n {SWITCH} addr add {net.repository}/24 dev bridge",
    )
    for number, name in enumerate(names):
        batch(
            f"netns add {name}",
            f"-n {name} link set lo up",
            f"link add {cable(number)} netns {SWITCH} type veth peer name eth0 netns {name}",
            f"-n {SWITCH} link set {cable(number)} master bridge up",
            f"-n {name} addr add {net.host(number)}/24 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} route add default via {net.driver}",
        )
    return net


def batch(*lines: str) -> None:
    """Run lines of `ip` one after the other."""
    for line in lines:
        done = _ip(*line.split())
        if done.returncode != 0:
            raise StepFailed(f"`ip {line}` answered: {done.stderr.strip()}", target="the lab's network")


def _take_slot() -> Net:
    """The name of the interface is the claim: the kernel gives it to one fleet only."""
    for slot in range(SLOTS):
        net = Net(slot)
        done = _ip("link", "add", net.interface, "type", "veth", "peer", "name", "uplink", "netns", SWITCH)
        if done.returncode == 0:
            return net
        if "File exists" not in done.stderr:
            raise StepFailed(f"cannot add an interface: {done.stderr.strip()}", target="the lab's network")
    raise StepFailed(f"all {SLOTS} networks are in use", target="the lab's network", next_step="end other fleets")


def _ip(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(("ip", *words), capture_output=True, text=True)
