"""Resources, a driver that is held in memory, and an environment to plan for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from day2.control.plan import Trigger
from day2.errors import Day2Error
from day2.inventory.model import Environment
from day2.inventory.scaling import Resource, ScalingPolicy
from day2.operations.scale_resource.drivers.driver import Seen

AT = datetime(2027, 3, 7, 12, 0, tzinfo=UTC)
GROUP = {"kind": "auto_scaling_group", "connection": "aws", "group": "workers"}
STORAGE = {"kind": "rds_storage", "connection": "aws", "instance": "orders"}
BY_USE = Trigger("asset_triggered", "", "", "")
BY_HAND = Trigger("manual", "operator", "a campaign begins", "")
AT_ONCE = ScalingPolicy(verify_within=timedelta(milliseconds=1), look_every=timedelta(milliseconds=1))


def resource(**more: Any) -> Resource:
    """Two to eight instances for half a unit an hour each, that follow the CPU of a host."""
    told: dict[str, Any] = {
        "name": "workers",
        "driver": GROUP,
        "count": {"min": 2, "max": 8, "cost": 0.5},
        "follows": {"target": "host/web-01", "metric": "cpu_percent"},
    }
    return Resource.model_validate(told | more)


def environment(*resources: Resource, **policy: Any) -> Environment:
    return Environment.model_validate({
        "name": "production",
        "tier": "production",
        "owner": "platform",
        "timezone": "Europe/Berlin",
        "regions": {"primary": "a", "recovery": "b"},
        "resources": [each.model_dump() for each in resources],
        "policies": {"database_backup": {"encryption": "none"}, "scale_resource": policy},
    })  # fmt: skip


def seen(size: int | str, *, settled: bool = True) -> Seen:
    return Seen(str(size), settled, f"{size} desired, {size if settled else 'fewer'} in service")


@dataclass
class Held:
    """A resource in memory. `fails` is raised by the next write; `ignores`: it is told, and never becomes it."""

    size: str
    settled: bool = True
    fails: Day2Error | None = None
    unreadable: Day2Error | None = None
    ignores: bool = False
    asked: list[str] = field(default_factory=list)
    label: str = "workers in memory"
    simulated: bool = True

    def read(self) -> Seen:
        if self.unreadable:
            raise self.unreadable
        return seen(self.size, settled=self.settled)

    def write(self, size: str) -> None:
        if self.fails:
            raise self.fails
        self.asked.append(size)
        self.size = size
        self.settled = not self.ignores
