"""`python -m bench.patching_driver <work.json>`: our side of the patching bench, as one process that can be measured.

It calls what the DAG's tasks call for each host, as many at a time as the scan's task does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from day2.hosts import scan as scanning
from day2.hosts.freeze import freeze
from day2.hosts.model import PatchSet, Scan
from day2.hosts.script import Host
from day2.inventory.model import Host as Known
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import configured, patient
from day2.operations.security_patching.patient import Patient
from lab.hosts.fleet import Fleet
from lab.hosts.releases import AGENT_PORT
from lab.hosts.repository import Repository

# acme-core asks for a reboot, and waiting for one is the same on both sides. One good answer, as Ansible's `until`.
POLICY = PatchPolicy.model_validate(
    {
        "approved": ["acme-tool"],
        "rejected": ["acme-core"],
        "health_checks": [{"kind": "http", "address": f"http://{{address}}:{AGENT_PORT}/"}],
        "health": {"grace": "PT60S", "interval": "PT1S", "in_a_row": 1},
    }
)
RUN = "bench"
Made = TypeVar("Made")


@dataclass(frozen=True)
class Driver:
    """A fleet, and how many of its hosts are worked on at a time."""

    fleet: Fleet
    at_once: int

    def scan(self) -> dict[str, Scan]:
        """What the scan's task asks of each host."""
        return dict(self._each(lambda host: scanning.scan(host)))

    def patch(self, frozen: PatchSet) -> dict[str, dict[str, Any]]:
        """What a host's own task does, for every host."""
        return dict(self._each(lambda host: _patched(host, frozen, self.fleet.address(host.name))))

    def frozen(self, canary: str) -> PatchSet:
        """The set that the policy wants, resolved on one host, as the plan does it."""
        return self._with(canary, lambda host: freeze(host, scanning.scan(host), configured.Chosen(policy=POLICY)))

    def _each(self, work: Callable[[Host], Made]) -> list[tuple[str, Made]]:
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(lambda name: (name, self._with(name, work)), self.fleet.names))

    def _with(self, name: str, work: Callable[[Host], Made]) -> Made:
        shell = self.fleet.shell(name)
        try:
            return work(Host(name, shell))
        finally:
            shell.close()


def _patched(host: Host, frozen: PatchSet, address: str) -> dict[str, Any]:
    known = Known(name=host.name, address=address, connection="ssh", region="lab")
    measures: dict[str, Any] = {}
    probes = tuple(configured.probes(POLICY, known, host.shell))
    patient.patch(Patient(host, POLICY, frozen, RUN, probes=probes), measures)
    return measures


def write(fleet: Fleet, path: Path, *, at_once: int, frozen: PatchSet | None = None) -> tuple[str, ...]:
    """Write down what is to be done; returns the command that does it. No set: a scan."""
    told = {"folder": str(fleet.folder), "names": fleet.names, "at_once": at_once}
    path.write_text(json.dumps(told | ({"frozen": frozen.as_dict()} if frozen else {})))
    return sys.executable, "-m", "bench.patching_driver", str(path)


def main(path: Path) -> None:
    """Do it, and print what became of each host."""
    told = json.loads(path.read_text())
    folder = Path(told["folder"])
    repository = Repository(folder / "repository", folder, folder / "keys")
    driver = Driver(Fleet(folder, tuple(told["names"]), repository), told["at_once"])
    if "frozen" in told:
        made: dict[str, Any] = driver.patch(PatchSet.from_dict(told["frozen"]))
    else:
        made = {name: each.as_dict() for name, each in driver.scan().items()}
    json.dump(made, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
