"""A last look, once everything is done: is each change as its outcome says, and is nothing left behind?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from day2.operations.performance_tuning import leftovers
from day2.operations.performance_tuning.apply import state
from day2.operations.performance_tuning.facts_frame import UNTRIED, Afterwards
from day2.operations.performance_tuning.looking import same
from day2.operations.performance_tuning.session import session
from day2.operations.performance_tuning.story import recommendation
from day2.operations.performance_tuning.target import of
from day2.postgres.server import Server, rows


@dataclass(frozen=True)
class Standing:
    """Since when a server runs, and how many of its settings wait for a restart."""

    started: str
    pending: int


def standing(server: Server) -> Standing:
    """How it stands now: asked before the first change, and compared after the last."""
    with session(server) as connection:
        [seen] = rows(connection, "tuning_standing")
    return Standing(**seen)


def look(
    server: Server, records: Sequence[Mapping[str, Any]], *, before: Standing, settled: Sequence[bool]
) -> Afterwards:
    """What the suites judge, from the attempts' records.

    `settled`, of each change that an earlier run left in the middle, is whether it was put in order.
    """
    now = standing(server)
    changed = [each for each in records if each["outcome"] not in UNTRIED]
    return Afterwards(
        invalid_indexes=len(leftovers.find(server, rebuilt=rebuilt(changed))),
        restarted=now.started != before.started,
        pending_restart=max(0, now.pending - before.pending),
        interrupted=len(settled),
        put_in_order=sum(settled),
        as_meant={each["key"]: known for each in changed if (known := _as_meant(server, each)) is not None},
    )


def rebuilt(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Schema and name of each index that was rebuilt: what such a build leaves is ours as well. Pure."""
    targets = (of(change) for each in records if (change := recommendation(each["recommendation"]).change))
    return [(each.schema, each.name) for each in targets if each.subject == "index rebuild"]


def _as_meant(server: Server, record: Mapping[str, Any]) -> bool | None:
    """Whether a kept change is there, and else what was before; none if the attempt did not say what that was."""
    change = recommendation(record["recommendation"]).change
    if change is None:
        return None
    if "state_before" not in record:
        # It ended before anything was begun.
        return True if record["outcome"] in ("unmeasured", "withdrawn") else None
    meant = record["state_with"] if record["outcome"] == "kept" else record["state_before"]
    return same(state(server, change), meant)
