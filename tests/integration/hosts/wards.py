"""A host and its set, as the task of a patch run makes a patient of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from day2.hosts.model import PatchSet
from day2.hosts.script import Host
from day2.inventory.model import Host as Known
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import configured, patient
from day2.operations.security_patching.patient import Patient
from lab.hosts.fleet import Fleet
from lab.hosts.machine import Machine
from lab.hosts.releases import AGENT_PORT
from tests.integration.hosts.making import RUN, frozen

# Each line says which agent was installed at that moment: so the order of things is seen, not believed.
TRAFFIC = "/var/tmp/traffic"
NOTE = "echo {word} $(dpkg-query -W -f '${{Version}}' acme-agent) >>" + TRAFFIC
POLICY = {
    "security_only": False,
    "drain": {
        "drain": {"command": ["sh", "-c", NOTE.format(word="out")]},
        "undrain": {"command": ["sh", "-c", NOTE.format(word="back")]},
    },
    "health_checks": [{"kind": "http", "address": f"http://{{address}}:{AGENT_PORT}/"}],
    "health": {"grace": "PT4S", "interval": "PT0.1S", "in_a_row": 3},
    "reboot": {"timeout": "PT30S", "stay": "PT1S"},
}


@dataclass(frozen=True)
class Ward:
    """A host with its set, and how its task makes a patient of it."""

    fleet: Fleet
    name: str
    frozen: PatchSet

    @property
    def machine(self) -> Machine:
        return self.fleet[self.name]

    @property
    def traffic(self) -> list[str]:
        return self.machine.run("sh", "-c", f"cat {TRAFFIC} 2>/dev/null || true").splitlines()

    def admit(self, **changes: Any) -> Patient:
        """With a login of its own, as every task has."""
        policy = PatchPolicy.model_validate(POLICY | changes)
        known = Known(name=self.name, address=self.fleet.address(self.name), connection="ssh", region="lab")
        host = Host(self.name, self.fleet.shell(self.name))
        return Patient(
            host=host,
            policy=policy,
            frozen=self.frozen,
            run=RUN,
            hook=configured.hook(policy, host.shell),
            probes=tuple(configured.probes(policy, known, host.shell)),
        )

    def patch(self, **changes: Any) -> dict[str, Any]:
        measures: dict[str, Any] = {}
        patient.patch(self.admit(**changes), measures)
        return measures

    def roll_back(self) -> dict[str, Any]:
        measures: dict[str, Any] = {}
        patient.roll_back(self.admit(), measures)
        return measures


def ward(fleet: Fleet, host: Host, *patterns: str) -> Ward:
    return Ward(fleet, host.name, frozen(host, *patterns))
