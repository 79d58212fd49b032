"""Whether a resource is used so much, or so little, that somebody should look at its size. It only asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from day2.inventory.scaling import Resource
from day2.ledger import Ledger
from day2.ledger.metrics import Sample, Series
from day2.operations.scale_resource import choose, trigger
from day2.operations.scale_resource.decide import Direction

KIND = "scaling_asked"


@dataclass(frozen=True)
class Wanted:
    """A resource, in which direction it should go, and its use in percent."""

    resource: str
    direction: Direction
    used: float


def wanted(
    resources: Iterable[Resource], samples: Iterable[Sample], asked: Mapping[str, datetime], *, now: datetime
) -> list[Wanted]:
    """The resources to ask for now: by the newest sample of what each follows. Pure."""
    newest: dict[Series, Sample] = {}
    for each in sorted(samples, key=lambda sample: sample.at):
        newest[each.series] = each
    found = []
    for one in resources:
        if one.follows is None:
            continue
        sample = newest.get(Series(one.follows.target, one.follows.metric, one.follows.part))
        used = sample.value if sample else None
        direction = trigger.wanted(choose.rules(one), used, asked.get(one.name), now)
        if direction and used is not None:
            found.append(Wanted(one.name, direction, used))
    return found


def last_asked(
    ledger: Ledger, environment: str, resources: Iterable[Resource], *, now: datetime
) -> dict[str, datetime]:
    """When each resource was asked for last, as far back as the longest cooldown."""
    longest = max((each.cooldown for each in resources), default=timedelta(0))
    return {
        entry.body["resource"]: datetime.fromisoformat(entry.recorded_at)
        for entry in ledger.entries(kind=KIND, since=now - longest)
        if entry.body["environment"] == environment
    }
