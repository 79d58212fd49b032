"""Copies in other regions: written, read again, re-hashed at their destination, locked."""

from __future__ import annotations

import logging
import time
from typing import Any

from day2.errors import StepFailed
from day2.operations.database_backup.job import Job
from day2.operations.database_backup.take import artefacts, commit
from day2.operations.progress import Progress
from day2.repository import points
from day2.units import duration, size

log = logging.getLogger("day2")


def copy(job: Job, point_id: str) -> dict[str, Any]:
    """Copy a point to every repository the policy names. Idempotent. Returns measures for the ledger.

    Raises StepFailed naming every object that reads differently at its destination.
    """
    point = points.find(job.primary.store, job.name, point_id)
    described = points.manifest(job.primary.store, point)
    copies, found, problems = [], [], []
    for place in job.copies:
        begun = time.monotonic()
        bad = points.copy_objects(
            job.primary.store,
            place.store,
            point,
            described,
            watching=lambda each: Progress.of(f"{job.name}: copying {each.name}", each.bytes),
        )
        problems += bad
        if bad:
            continue
        locked = commit(place, described)
        seconds = time.monotonic() - begun
        log.info(
            "%s: copied to %s and read again: %s in %s", job.name, place.store.url, size(described.stored_bytes),
            duration(seconds),
        )  # fmt: skip
        copies.append({"repository": place.repository.name, "verified": True, "lock": locked, "seconds": seconds})
        found += artefacts(place, described, locked)
    if problems:
        raise StepFailed(
            f"{job.name}: a copy is not what was sent: {'; '.join(problems)}",
            left="the copy has no manifest and is removed by the next run; the primary is untouched",
            next_step="run the copy again (clear `copy`); if it repeats, the destination damages data",
            runbook="A stored object is damaged",
        )
    return {"point": point_id, "copies": copies, "artefacts": found}
