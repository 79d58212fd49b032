"""Which recovery point: the newest, a named one, or the newest at or before a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from day2.errors import StepFailed
from day2.repository import points
from day2.repository.points import Point
from day2.repository.store import Store
from day2.units import utc

log = logging.getLogger("day2")
LATEST = "latest"


def choose(store: Store, database: str, wanted: str) -> Point:
    """The point meant by `latest`, a point's id, or a time in ISO 8601.

    A time gives the newest point whose snapshot is at or before it: there is no recovery to a moment
    between two points. A point whose restore test failed is taken only when it is named.
    """
    if points.ID.match(wanted):
        return points.find(store, database, wanted)
    having = points.points(store, database)
    usable = [each for each in having if each.verified is not False]
    for each in having:
        if each.verified is False:
            log.warning("%s: %s is passed over: its restore test failed", database, each.id)
    moment = datetime.max.replace(tzinfo=UTC) if wanted == LATEST else _moment(wanted, database)
    found = _at(store, usable, moment)
    if found is None:
        raise _none(store, database, wanted, having)
    if found.verified is None:
        log.warning("%s: no restore test of %s has passed yet", database, found.id)
    return found


def _at(store: Store, usable: Sequence[Point], moment: datetime) -> Point | None:
    """A snapshot is taken after its point was begun, so the manifest decides."""
    for each in reversed([each for each in usable if each.taken_at <= moment]):
        if points.manifest(store, each).snapshot_at <= moment:
            return each
    return None


def _moment(wanted: str, database: str) -> datetime:
    try:
        found = datetime.fromisoformat(wanted)
    except ValueError as error:
        raise StepFailed(
            f"{wanted!r} is neither `latest`, nor a recovery point's id, nor a time",
            target=database,
            left="nothing was touched",
            next_step=f"write a time like 2026-11-23T02:15:00Z, or list the points: {_listing(database)}",
            runbook="No such recovery point",
        ) from error
    if found.tzinfo is None:
        raise StepFailed(
            f"{wanted!r} does not say its time zone",
            target=database,
            left="nothing was touched",
            next_step="add Z for UTC, or an offset like +01:00",
            runbook="No such recovery point",
        )
    return found.astimezone(UTC)


def _none(store: Store, database: str, wanted: str, having: Sequence[Point]) -> StepFailed:
    if not having:
        what = f"{store.url} has no recovery point of {database}"
    elif wanted == LATEST:
        what = f"no recovery point of {database} is usable: the restore test of all {len(having)} failed"
    else:
        what = f"no usable recovery point of {database} has its snapshot at or before {wanted}"
        what += f" (the oldest was begun at {utc(having[0].taken_at)}); there is no recovery between points"
    return StepFailed(
        what,
        left="nothing was touched",
        next_step=f"list them: {_listing(database)}",
        runbook="No such recovery point",
    )


def _listing(database: str) -> str:
    return f"day2 backup list --database {database}"
