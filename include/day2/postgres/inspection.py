"""Look at a restored server: is it sound, and does it hold what the manifest says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from day2.errors import StepFailed
from day2.postgres import dump, fingerprint
from day2.postgres.binaries import Binaries
from day2.postgres.content import DatabaseContent, Table
from day2.postgres.content import Sequence as SequenceValue
from day2.postgres.scratch import Scratch, stop
from day2.postgres.server import Server, rows

AMCHECK_FOUND = 2
BAD_CHECKSUMS = re.compile(r"Bad checksums:\s+(\d+)")


@dataclass(frozen=True)
class TableComparison:
    """A table of the manifest beside the restored one. `equal` is None where nothing was pinned."""

    database: str
    table: str
    expected_rows: int
    restored_rows: int
    expected_fingerprint: str
    restored_fingerprint: str
    pinned: bool
    reason: str
    partition: bool = False

    @property
    def equal(self) -> bool:
        """Pinned: the same count and content. Not pinned: the table is there and could be read."""
        if not self.pinned:
            return self.restored_rows >= 0
        return (self.expected_rows, self.expected_fingerprint) == (self.restored_rows, self.restored_fingerprint)


@dataclass(frozen=True)
class Comparison:
    """One database compared; `differences` says in words what is not equal."""

    database: str
    tables: tuple[TableComparison, ...]
    schema_equal: bool
    extensions_equal: bool
    sequences_equal: bool
    differences: tuple[str, ...]


def compare(expected: DatabaseContent, restored: DatabaseContent) -> Comparison:
    """Pure. Definitions are compared unless they changed while a physical copy ran."""
    tables = compare_tables(expected, restored.tables)
    sequences = sequence_differences(expected.sequences, restored.sequences)
    missing = sorted({each.name for each in expected.extensions} - {each.name for each in restored.extensions})
    schema_equal = not expected.schema_pinned or expected.schema_sha256 == restored.schema_sha256
    differences = [
        f"{each.table}: {each.restored_rows} rows restored, {each.expected_rows} expected"
        if each.restored_rows != each.expected_rows
        else f"{each.table}: same count, other content"
        for each in tables
        if not each.equal
    ]
    differences += sequences + [f"extension {name} is missing" for name in missing]
    if not schema_equal:
        differences.append("the definitions differ (pg_dump --schema-only)")
    return Comparison(
        database=expected.name,
        tables=tuple(tables),
        schema_equal=schema_equal,
        extensions_equal=not missing,
        sequences_equal=not sequences,
        differences=tuple(differences),
    )


def compare_tables(expected: DatabaseContent, restored: Sequence[Table]) -> list[TableComparison]:
    """Every table of the manifest; one that is not there has -1 rows. Extra tables are differences too."""
    found = {(each.schema_name, each.name): each for each in restored}
    compared = []
    for each in expected.tables:
        other = found.pop((each.schema_name, each.name), None)
        compared.append(
            TableComparison(
                database=expected.name,
                table=each.label,
                expected_rows=each.rows,
                restored_rows=other.rows if other else -1,
                expected_fingerprint=each.fingerprint,
                restored_fingerprint=other.fingerprint if other else "",
                pinned=each.pinned,
                reason=each.reason,
                partition=each.partition,
            )
        )
    for extra in found.values():
        compared.append(
            TableComparison(
                expected.name, extra.label, -1, extra.rows, "", extra.fingerprint, expected.schema_pinned,
                "not in the manifest",
            )
        )  # fmt: skip
    return compared


def sequence_differences(expected: Sequence[SequenceValue], restored: Sequence[SequenceValue]) -> list[str]:
    """A restored value lies between those read before and after the copy, whichever way it counts.

    Not compared: one that wrapped round or was set back while the copy ran.
    """
    found = {(each.schema_name, each.name): each.after for each in restored}
    differences = []
    for each in expected:
        name = f"{each.schema_name}.{each.name}"
        value = found.get((each.schema_name, each.name))
        ahead = each.increment * LOGGED_AHEAD
        low, high = sorted((each.before, each.after + ahead))
        if value is None:
            differences.append(f"sequence {name} is missing")
        elif (each.after - each.before) * each.increment >= 0 and not low <= value <= high:
            differences.append(f"sequence {name}: {value} restored, {each.before} to {each.after} expected")
    return differences


# A crash-recovered sequence may be ahead by the steps it logs in advance (SEQ_LOG_VALS in sequence.c).
LOGGED_AHEAD = 32


def read(binaries: Binaries, server: Server) -> DatabaseContent:
    """What a database holds, read as the source was: in one snapshot, with the same settings."""
    with fingerprint.snapshot(server) as (session, snapshot):
        schema = dump.schema_sha256(binaries, server, snapshot=snapshot)
        return fingerprint.content(session, schema_sha256=schema)


def roles_missing(server: Server, expected: Sequence[str]) -> list[str]:
    with server.connect() as connection:
        having = {each["name"] for each in rows(connection, "roles")}
    return sorted(set(expected) - having)


def amcheck(made: Scratch) -> list[str]:
    """Structural damage in heaps and btrees of every database, a line each.

    Raises StepFailed if the check itself could not run, which is not the same as finding nothing.
    """
    done = made.program(
        "pg_amcheck", f"--host={made.folder}", f"--port={made.server().port}", f"--username={made.superuser}",
        "--all", "--install-missing", "--jobs=2", "--no-password",
    )  # fmt: skip
    if done.returncode == 0:
        return []
    if done.returncode == AMCHECK_FOUND:
        return [line for line in done.stdout.splitlines() if line.strip() and not line.startswith(" ")] or ["damage"]
    raise StepFailed(
        f"pg_amcheck could not run (exit code {done.returncode}): {' | '.join(done.stderr.strip().splitlines()[-3:])}",
        left="the recovery point stays unverified",
        next_step="install PostgreSQL's contrib programs (amcheck) on the worker",
        runbook="The restore test could not run",
    )


def bad_page_checksums(made: Scratch) -> int:
    """Stop the server cleanly and check every page on disk. Returns the number of bad pages."""
    stop(made)
    done = made.program("pg_checksums", "--check", f"--pgdata={made.data}")
    found = BAD_CHECKSUMS.search(done.stdout)
    if found is None:
        raise StepFailed(
            f"pg_checksums could not run: {' | '.join(done.stderr.strip().splitlines()[-3:])}",
            left="the recovery point stays unverified",
            next_step="read its message; the copy may not have shut down cleanly",
            runbook="The restore test could not run",
        )
    return int(found[1])
