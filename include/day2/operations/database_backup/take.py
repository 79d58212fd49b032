"""The act: sweep what earlier attempts left, take the copy, commit it with its manifest."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import day2
from day2.errors import Day2Error
from day2.inventory.model import ObjectLock
from day2.operations.database_backup import logical, physical
from day2.operations.database_backup.job import Job, Place, Taken
from day2.repository import points
from day2.repository.manifest import Manifest, pack, seal, sha256
from day2.units import size

log = logging.getLogger("day2")

# Another engine is another entry here: it streams into `prefix` and says what it took.
ENGINES: dict[str, Callable[[Job, str], Taken]] = {"physical": physical.take, "logical": logical.take}


def back_up(job: Job) -> dict[str, Any]:
    """Take one recovery point into the primary repository. Returns measures for the ledger.

    On failure nothing of it is visible: objects without a manifest are removed here, or by the next
    run if this one is killed.
    """
    sweep(job)
    started = datetime.now(UTC)
    point_id = points.new_id(started)
    prefix = f"{job.name}/{point_id}/"
    log.info("%s: recovery point %s, engine %s, into %s", job.name, point_id, job.policy.engine, job.primary.store.url)
    try:
        taken = ENGINES[job.policy.engine](job, prefix)
        described = describe(job, point_id, started, taken)
        locked = commit(job.primary, described)
    except BaseException:
        _discard(job, prefix)
        raise
    log.info("%s: committed %s, %s in %d objects", job.name, point_id, size(described.stored_bytes), len(taken.objects))
    return {
        "point": point_id,
        "engine": job.policy.engine,
        "stored_bytes": described.stored_bytes,
        "source_bytes": described.source.bytes,
        "snapshot_at": described.snapshot_at.isoformat(),
        "seconds": (described.finished - started).total_seconds(),
        "lsn_end": described.lsn_end,
        "lock": locked,
        "artefacts": artefacts(job.primary, described, locked),
    }


def describe(job: Job, point_id: str, started: datetime, taken: Taken) -> Manifest:
    return Manifest(
        point=point_id,
        environment=job.environment,
        database=job.name,
        dbname=job.server.dbname,
        engine=job.policy.engine,
        engine_version=taken.engine_version,
        started=started,
        snapshot_at=taken.snapshot_at,
        finished=datetime.now(UTC),
        lsn_start=taken.lsn_start,
        lsn_end=taken.lsn_end,
        source=taken.source,
        objects=taken.objects,
        databases=taken.databases,
        roles=taken.roles,
        role_passwords=taken.role_passwords,
        watermark=taken.watermark,
        recipients=job.recipients,
        policy=job.policy.model_dump(mode="json"),
        policy_hash=job.policy_hash,
        plan_digest=job.plan_digest,
        run=job.run,
        day2_version=day2.__version__,
    )


def commit(place: Place, described: Manifest) -> dict[str, Any]:
    """Write the manifest, which makes the point visible, and lock everything if the repository locks.

    Returns {expected, verified, until, problems}: a repository that should lock and does not is a
    finding, not a failure of the copy.
    """
    prefix = f"{described.database}/{described.point}/"
    place.store.put(prefix + points.MANIFEST, pack(described))
    lock = place.repository.object_lock
    if lock is None:
        return {"expected": False, "verified": False, "until": None, "problems": []}
    return _lock(place, prefix, [each.name for each in described.objects], lock)


def artefacts(place: Place, described: Manifest, locked: dict[str, Any]) -> list[dict[str, Any]]:
    """The stored objects as the ledger names them: uri, sha256, size in bytes, locked until."""
    root = f"{place.store.url}/{described.database}/{described.point}/"
    until = locked["until"] if locked["verified"] else None
    found = [
        {"uri": root + each.name, "sha256": each.sha256, "size": each.bytes, "retain_until": until}
        for each in described.objects
    ]
    data = pack(described)
    return [*found, {"uri": root + points.MANIFEST, "sha256": sha256(data), "size": len(data), "retain_until": until}]


def sweep(job: Job) -> list[str]:
    """Remove leftovers of killed runs from every repository of this database. Needs its lease."""
    swept = []
    for place in (job.primary, *job.copies):
        for each in points.sweep(place.store, job.name):
            what = f"{place.store.url}/{each.key}"
            swept.append(what)
            if each.kept_because:
                log.warning("%s: leftover %s stays: %s", job.name, what, each.kept_because)
            else:
                log.info("%s: removed leftover of an earlier attempt: %s", job.name, what)
    return swept


def _lock(place: Place, prefix: str, names: list[str], lock: ObjectLock) -> dict[str, Any]:
    until = datetime.now(UTC) + timedelta(days=lock.days)
    place.store.put(prefix + points.LOCK_PROOF, seal({"purpose": "a deletion of this object is tried and must fail"}))
    problems = []
    for name in (*names, points.MANIFEST, points.LOCK_PROOF):
        if problem := place.store.lock(prefix + name, mode=lock.mode, until=until).problem:
            problems.append(problem)
    if not problems and not place.store.deletion_denied(prefix + points.LOCK_PROOF):
        problems.append(f"{place.store.url}/{prefix}{points.LOCK_PROOF}: deleting a locked version was not refused")
    for problem in problems:
        log.error("%s: object lock: %s", place.repository.name, problem)
    if not problems:
        log.info("%s: locked (%s) until %s; a deletion was tried and refused", place.repository.name, lock.mode, until)
    return {"expected": True, "verified": not problems, "until": until.isoformat(), "problems": problems}


def _discard(job: Job, prefix: str) -> None:
    """Remove this attempt's objects; if that fails too, the next run's sweep does it.

    The manifest goes first: dying half way must not leave a point without its objects.
    """
    manifest = prefix + points.MANIFEST
    try:
        for key in sorted((each.key for each in job.primary.store.items(prefix)), key=lambda key: key != manifest):
            job.primary.store.delete(key)
        log.info("%s: nothing of this attempt is left in %s", job.name, job.primary.store.url)
    except Day2Error as error:
        log.warning("%s: objects without a manifest stay until the next run's sweep: %s", job.name, error)
