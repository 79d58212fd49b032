"""Is what was restored what was backed up? The same comparison on any server, scratch or target."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from day2.errors import StepFailed
from day2.operations.database_backup import prove
from day2.postgres import inspection
from day2.postgres.content import DatabaseContent
from day2.postgres.inspection import TableComparison
from day2.postgres.server import Server, rows

log = logging.getLogger("day2")
SHOWN = 5


def compare(
    pairs: Sequence[tuple[DatabaseContent, DatabaseContent]], *, measures: dict[str, Any]
) -> list[TableComparison]:
    """Compare (expected, restored) databases, fill the measures, return the tables one by one."""
    found = [inspection.compare(expected, restored) for expected, restored in pairs]
    numbers = prove.summary(found, dbname=found[0].database)
    numbers.pop("tables")
    measures |= numbers
    for line in measures["differences"]:
        log.error("%s", line)
    log.info(
        "%s: %d of %d tables equal, definitions %s, sequences %s", ", ".join(each.name for _, each in pairs),
        measures["tables_equal"], measures["tables_expected"], _equal(measures["schema_equal"]),
        _equal(measures["sequences_equal"]),
    )  # fmt: skip
    return [table for each in found for table in each.tables]


def objects(server: Server) -> frozenset[str]:
    """Every object of a database, in words that do not depend on the server's version."""
    with server.connect() as connection:
        return frozenset(each["line"] for each in rows(connection, "objects"))


def compare_objects(expected: frozenset[str], restored: frozenset[str], *, measures: dict[str, Any]) -> None:
    """Instead of definitions as text, which each version writes in its own way."""
    found = [f"missing: {each}" for each in sorted(expected - restored)]
    found += [f"not in the point: {each}" for each in sorted(restored - expected)]
    measures["schema_equal"] = not found
    measures["differences"] = [*measures["differences"], *found][: prove.MOST_DIFFERENCES]
    measures["differences_total"] += len(found)
    for line in found[: prove.MOST_DIFFERENCES]:
        log.error("%s", line)


def require_equal(measures: dict[str, Any], target: str, *, left: str) -> None:
    """Raise StepFailed naming the first differences unless there are none."""
    if not measures["differences_total"]:
        return
    shown = "; ".join(measures["differences"][:SHOWN])
    raise StepFailed(
        f"what was restored is not what was backed up, {measures['differences_total']} differences: {shown}",
        target=target,
        left=left,
        next_step="restore an older recovery point, and look into the backup: day2 backup verify",
        runbook="The result differs from the manifest",
    )


def require_writable(server: Server, *, left: str) -> None:
    """Write through the real name, and roll it back. Raises StepFailed with the server's words."""
    import psycopg

    with server.connect() as connection:
        try:
            with connection.transaction(force_rollback=True):
                # A default of the database is its owner's choice; a server that cannot write refuses this too.
                connection.execute("set transaction read write")
                connection.execute("create temporary table day2_probe (value integer)")
                connection.execute("insert into pg_temp.day2_probe values (1)")
                found = connection.execute("select value from pg_temp.day2_probe").fetchone()
        except psycopg.Error as error:
            raise StepFailed(
                f"does not accept a write: {str(error).strip().splitlines()[0]}",
                target=server.label,
                left=left,
                next_step="see whether the server is a standby, read-only, or out of space",
                runbook="The restored database does not accept writes",
            ) from error
    log.info("%s: a row was written and read, and rolled back (%s)", server.label, found)


def analyze(server: Server) -> None:
    """Give the planner its statistics: a dump carries none, and queries would crawl."""
    with server.connect() as connection:
        connection.execute("analyze")


def _equal(equal: bool) -> str:
    return "equal" if equal else "DIFFERENT"
