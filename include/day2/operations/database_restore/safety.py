"""Before a living database is replaced: a recovery point of it as it is now, proven."""

from __future__ import annotations

import logging
from typing import Any

from day2.errors import StepFailed
from day2.operations.database_backup import expire, prove, take
from day2.operations.database_backup.job import Job

log = logging.getLogger("day2")
MUST_HOLD = ("restore_started", "schema_equal", "extensions_equal", "roles_equal", "sequences_equal", "scratch_removed")


def take_and_verify(job: Job, *, identity: str | None) -> str:
    """Take a recovery point and restore it to look at it. Returns its id; raises StepFailed if it is not good."""
    log.info("%s: first a recovery point of the database as it is now", job.name)
    point = str(take.back_up(job)["point"])
    measures: dict[str, Any] = {}
    prove.restore_test(job, point, identity=identity, measures=measures)
    wrong = problems(measures)
    expire.attest(job, point, passed=not wrong, summary={"restore_seconds": measures["restore_seconds"]})
    if wrong:
        raise StepFailed(
            f"{job.name}: the safety recovery point {point} is not good: {'; '.join(wrong)}",
            left="the living database is untouched",
            next_step="find out why a fresh backup does not restore before anything is replaced",
            runbook="The safety recovery point failed",
        )
    return point


def problems(measures: dict[str, Any]) -> list[str]:
    """What a restore test's measures say against a point. Pure."""
    wrong = [name for name in MUST_HOLD if not measures.get(name)]
    wrong += [f"{measures[name]} {name}" for name in ("amcheck_errors", "page_checksum_errors") if measures[name]]
    if measures["tables_equal"] != measures["tables_expected"]:
        wrong.append(f"{measures['tables_equal']} of {measures['tables_expected']} tables equal")
    if measures["watermark_expected"] and not measures.get("watermark_found"):
        wrong.append("the watermark row is missing")
    return wrong
