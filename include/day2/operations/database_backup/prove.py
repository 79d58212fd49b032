"""The restore test: a point is really restored, started, read and compared with what was backed up."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from day2.errors import Corrupt
from day2.operations import materialize
from day2.operations.database_backup.job import Job
from day2.operations.materialize import Origin
from day2.postgres import basebackup, inspection
from day2.postgres.inspection import Comparison
from day2.postgres.scratch import Scratch
from day2.repository import points
from day2.repository.manifest import Manifest, seal, sha256

log = logging.getLogger("day2")
MOST_DIFFERENCES = 20


def restore_test(job: Job, point_id: str, *, identity: str | None, measures: dict[str, Any]) -> None:
    """Prove one point of the primary repository. Fills `measures` as it goes, also when it fails.

    Raises Corrupt for stored bytes that changed, StepFailed for a copy that does not restore or start.
    Differences in content are measures, judged by the suite.
    """
    point = points.find(job.primary.store, job.name, point_id)
    described = points.manifest(job.primary.store, point)
    measures |= {
        "point": point.id,
        "engine": described.engine,
        "stored_bytes": described.stored_bytes,
        "snapshot_at": described.snapshot_at.isoformat(),
        "objects_expected": len(described.objects),
        "objects_verified": 0,
        "encrypted": all(each.encryption == "age" for each in described.objects),
        "restore_ran": False,
        "restore_started": False,
    }
    if problems := points.verify_documents(job.primary.store, point):
        raise Corrupt(
            "; ".join(problems),
            left="the point is untouched and stays unverified",
            next_step="use a copy of this point in another repository, and take a new backup now",
            runbook="A stored object is damaged",
        )
    origin = Origin(job.primary.store, point, described, identity)
    try:
        with materialize.running(origin, parent=job.scratch, run=job.run) as restored:
            measures |= {"restore_ran": True, "restore_started": True, "restore_seconds": round(restored.seconds, 3)}
            measures |= {"objects_verified": len(described.objects), "notes": list(restored.notes)}
            examine(restored.made, described, measures)
    except Corrupt:
        problems = points.verify_objects(job.primary.store, point, described)
        measures["objects_verified"] = len(described.objects) - len(problems)
        for problem in problems:
            log.error("%s: damaged: %s", job.name, problem)
        raise
    measures["scratch_removed"] = True
    store_evidence(job, measures, kind="restore-test")


def examine(made: Scratch, described: Manifest, measures: dict[str, Any]) -> None:
    """Compare, then look for damage: comparing first, because amcheck installs itself in the copy."""
    comparisons = [
        inspection.compare(each, inspection.read(made.binaries, made.server(each.name))) for each in described.databases
    ]
    measures |= summary(comparisons, dbname=described.dbname)
    missing = inspection.roles_missing(made.server(), described.roles)
    measures["roles_equal"] = not missing
    measures["watermark_expected"] = described.watermark is not None
    if described.watermark:
        with made.server(described.dbname).connect() as connection:
            measures["watermark_found"] = basebackup.has_watermark(connection, described.watermark)
    damage = inspection.amcheck(made)
    measures["amcheck_errors"] = len(damage)
    measures["page_checksum_errors"] = (
        inspection.bad_page_checksums(made) if described.source.data_checksums or described.engine == "logical" else 0
    )
    for line in [
        *measures["differences"],
        *damage[:MOST_DIFFERENCES],
        *(f"role {each} is missing" for each in missing),
    ]:
        log.error("%s: %s", described.database, line)
    log.info(
        "%s: %d of %d tables equal to the source as of the snapshot, %.0f%% of them pinned; amcheck found %d,"
        " page checksums %d",
        described.database, measures["tables_equal"], measures["tables_expected"],
        100 * measures["fingerprints_pinned_share"], len(damage), measures["page_checksum_errors"],
    )  # fmt: skip


def summary(comparisons: list[Comparison], *, dbname: str) -> dict[str, Any]:
    """Numbers for the suite, and the table rows for its second frame. Pure.

    A physical copy has the server's other databases too: their tables carry the database's name.
    """
    tables = [table for each in comparisons for table in each.tables]
    pinned = [table for table in tables if table.pinned]
    differences = [f"{each.database}: {line}" for each in comparisons for line in each.differences]
    return {
        "tables_expected": len(tables),
        "tables_compared": sum(table.restored_rows >= 0 for table in tables),
        "tables_equal": sum(table.equal for table in tables),
        "fingerprints_pinned_share": len(pinned) / len(tables) if tables else 1.0,
        "schema_equal": all(each.schema_equal for each in comparisons),
        "extensions_equal": all(each.extensions_equal for each in comparisons),
        "sequences_equal": all(each.sequences_equal for each in comparisons),
        "differences": differences[:MOST_DIFFERENCES],
        "differences_total": len(differences),
        "tables": [
            asdict(table)
            | {"equal": table.equal, "table": ("" if each.database == dbname else f"{each.database}: ") + table.table}
            for each in comparisons
            for table in each.tables
        ],
    }


def store_evidence(job: Job, measures: dict[str, Any], *, kind: str) -> None:
    """The table by table comparison goes beside the point; the ledger names it by its sha256."""
    tables = measures.pop("tables")
    name = f"{kind}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    key = f"{job.name}/{measures['point']}/{name}"
    data = seal({"run": job.run, "tables": tables})
    job.primary.store.put(key, data)
    uri = f"{job.primary.store.url}/{key}"
    measures["evidence"] = key
    measures["artefacts"] = [{"uri": uri, "sha256": sha256(data), "size": len(data), "retain_until": None}]
