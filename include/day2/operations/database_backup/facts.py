"""From measures to rows for the suites: one a database, one a table. Pure, but for reading evidence."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from day2.operations.database_backup.job import Job
from day2.repository import points
from day2.repository.manifest import unseal

HISTORY = 10
SUITE = "database_backup"
TABLE_SUITE = "database_backup_tables"


def database_row(job: Job, measured: Mapping[str, Mapping[str, Any]], *, now: datetime) -> dict[str, Any]:
    """One database's row. `measured` is by step: back_up, copy, restore_test; a missing one is empty.

    What was not measured is None or False, which the suite's checks fail on: absence is no pass.
    """
    taken = measured.get("back_up", {})
    copied = measured.get("copy", {}).get("copies", [])
    tested = measured.get("restore_test", {})
    median = previous_median(job, taken.get("point"))
    stored = taken.get("stored_bytes")
    locks = [taken.get("lock", {}), *(each["lock"] for each in copied)]
    expected = [place for place in (job.primary, *job.copies) if place.repository.object_lock]
    score = three_two_one(job, taken, copied, tested)
    return {
        "target": job.name,
        "engine": job.policy.engine,
        "point_id": taken.get("point"),
        "committed": bool(taken),
        "stored_bytes": stored,
        "minimum_bytes": job.policy.minimum_bytes,
        "previous_median_bytes": median,
        "size_change_percent_allowed": job.policy.size_change_percent,
        "size_ratio": (stored / median if median else 1.0) if stored is not None else None,
        "copies_expected": len(job.copies),
        "copies_verified": sum(bool(each["verified"]) for each in copied),
        "lock_expected": bool(expected),
        "lock_verified": sum(bool(each.get("verified")) for each in locks) >= len(expected),
        "score_3_2_1_1_0": score,
        "score_ok": meets(score, job.policy.required_score),
        "encryption_expected": bool(job.recipients),
        "rto_seconds": job.policy.rto.total_seconds(),
        "fingerprints_pinned_share_required": 1.0 if job.policy.engine == "logical" else 0.0,
        "recovery_point_age_seconds": _age(taken, now),
        "rpo_seconds": job.policy.rpo.total_seconds(),
        **{name: tested.get(name) for name in TESTED},
        "watermark_expected": bool(tested.get("watermark_expected", job.policy.engine == "physical")),
        "watermark_found": bool(tested.get("watermark_found", False)),
        "scratch_removed": bool(tested.get("scratch_removed", False)),
    }


TESTED = (
    "objects_expected", "objects_verified", "encrypted", "restore_ran", "restore_started", "restore_seconds",
    "amcheck_errors", "page_checksum_errors", "tables_expected", "tables_compared", "tables_equal",
    "fingerprints_pinned_share", "schema_equal", "extensions_equal", "roles_equal", "sequences_equal",
)  # fmt: skip


def table_rows(job: Job, measured: Mapping[str, Mapping[str, Any]], *, today: date) -> list[dict[str, Any]]:
    """The table comparison of a restore test, from the evidence in the repository. Empty if there was none."""
    key = measured.get("restore_test", {}).get("evidence")
    if not key:
        return []
    with job.primary.store.open(key) as file:
        tables = unseal(file.read(), name=f"{job.primary.store.url}/{key}")["tables"]
    declared = {each.table for each in job.database.declared_empty if each.until >= today}
    return [table_row(job.name, each, declared) for each in tables]


def table_row(name: str, table: Mapping[str, Any], declared: set[str]) -> dict[str, Any]:
    """One table. An empty one is fine only if it is declared empty, until a date, or one of many partitions."""
    empty = table["expected_rows"] == 0
    is_declared = table["table"] in declared
    return {
        "target": f"{name} {table['table']}",
        "database": name,
        "table": table["table"],
        "expected_rows": table["expected_rows"] if table["pinned"] else table["restored_rows"],
        "restored_rows": table["restored_rows"],
        "expected_fingerprint": table["expected_fingerprint"],
        "restored_fingerprint": table["restored_fingerprint"],
        "pinned": table["pinned"],
        "fingerprint_equal": table["equal"],
        "reason": table["reason"],
        "empty": empty,
        "declared_empty": is_declared,
        "empty_ok": is_declared or not empty or table["partition"],
    }


def previous_median(job: Job, current: str | None) -> float | None:
    """Median size in bytes of the last verified points before this one; None without any."""
    having = [each for each in points.points(job.primary.store, job.name) if each.verified and each.id != current]
    sizes = [points.manifest(job.primary.store, each).stored_bytes for each in having[-HISTORY:]]
    return statistics.median(sizes) if sizes else None


def three_two_one(
    job: Job, taken: Mapping[str, Any], copied: Sequence[Mapping[str, Any]], tested: Mapping[str, Any]
) -> str:
    """The 3-2-1-1-0 score: copies of the data (the live one counts), media, off-site, immutable, errors."""
    places = {place.repository.name: place.repository for place in job.copies}
    held = [job.primary.repository] if taken else []
    held += [places[each["repository"]] for each in copied if each["verified"]]
    locked = sum(bool(each.get("verified")) for each in [taken.get("lock", {}), *(each["lock"] for each in copied)])
    media = {"live server"} | {each.media for each in held}
    offsite = sum(each.region != job.database.region for each in held)
    errors = (
        tested.get("amcheck_errors", 0) + tested.get("page_checksum_errors", 0) + tested.get("differences_total", 0)
        if tested.get("scratch_removed")
        else 1
    )
    return f"{1 + len(held)}-{len(media)}-{offsite}-{locked}-{errors}"


def meets(score: str, required: str) -> bool:
    """Whether a score reaches the required one: at least as many of each, and no more errors."""
    got, wanted = [int(each) for each in score.split("-")], [int(each) for each in required.split("-")]
    return all(have >= need for have, need in zip(got[:4], wanted[:4], strict=True)) and got[4] <= wanted[4]


def _age(taken: Mapping[str, Any], now: datetime) -> float | None:
    at = taken.get("snapshot_at")
    return (now - datetime.fromisoformat(at)).total_seconds() if at else None
