"""Retention: what goes, what stays and why, said before anything is deleted."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from day2.errors import StepFailed
from day2.operations.database_backup.job import Job, Place
from day2.repository import points, retention
from day2.repository.points import Point
from day2.repository.retention import Candidate, Decision

log = logging.getLogger("day2")


def expire(job: Job, *, timezone: str, now: datetime) -> dict[str, Any]:
    """Apply the policy to every repository of a database. Returns what was removed, for the ledger."""
    removed, kept = [], 0
    for place in (job.primary, *job.copies):
        having = {each.id: each for each in points.points(place.store, job.name)}
        decisions = retention.decide(
            [candidate(job, place, each, timezone) for each in having.values()], job.policy.retention, now=now
        )
        for line in lines(job.name, place, decisions):
            log.info("%s", line)
        # Oldest first: if we die half way, what is left is the newer part.
        for each in reversed([each for each in decisions if not each.keep]):
            points.remove(place.store, having[each.candidate.id])
            log.info("%s: removed %s from %s", job.name, each.candidate.id, place.repository.name)
            removed.append(f"{place.store.url}/{having[each.candidate.id].prefix}")
        kept += sum(each.keep for each in decisions)
    return {"removed": removed, "kept": kept}


def candidate(job: Job, place: Place, point: Point, timezone: str) -> Candidate:
    """A point as retention sees it. A copy counts as verified when its primary does."""
    return Candidate(
        id=point.id,
        taken_at=point.taken_at.astimezone(ZoneInfo(timezone)),
        verified=point.verified,
        held=point.held,
        locked_until=place.store.locked_until(point.key(points.MANIFEST)),
    )


def lines(name: str, place: Place, decisions: list[Decision]) -> list[str]:
    """The dry list: every point with its fate and the reasons."""
    return [
        f"{name}: {place.repository.name}: {'keep' if each.keep else 'EXPIRE'} {each.candidate.id}"
        f" ({', '.join(each.reasons) or 'no rule keeps it'})"
        for each in decisions
    ]


def attest(job: Job, point_id: str, *, passed: bool, summary: dict[str, Any]) -> None:
    """Write the restore test's verdict beside the point, in the primary and in every copy."""
    at = datetime.now(UTC)
    for place in (job.primary, *job.copies):
        try:
            point = points.find(place.store, job.name, point_id)
        except StepFailed:
            log.warning("%s: %s has no copy of %s to attest", job.name, place.repository.name, point_id)
            continue
        points.attest(place.store, point, passed=passed, at=at, content=summary | {"run": job.run})
        log.info("%s: %s: %s is %s", job.name, place.repository.name, point_id, "verified" if passed else "NOT usable")
