"""What can go wrong is looked for before anything is written: versions, rights, space, reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, PlanRefused
from day2.operations.database_backup.job import Job
from day2.postgres import binaries, scratch
from day2.postgres.content import Source
from day2.postgres.server import rows
from day2.units import size

if TYPE_CHECKING:
    import psycopg

# A restored copy needs its data, the WAL it replays, and for a dump the indexes it builds.
SCRATCH_FACTOR = 1.5
SCRATCH_FLOOR = 256 << 20
OLDEST_PHYSICAL = 15


@dataclass(frozen=True)
class Seen:
    """What a look at one target found. `problems` stop the run; each says what to do."""

    facts: dict[str, Any]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Inside:
    """One database as our role sees it: rows of sql/tables.sql, sequences.sql and large_objects.sql."""

    tables: Sequence[dict[str, Any]]
    sequences: Sequence[dict[str, Any]]
    large: dict[str, Any]


def inspect(job: Job) -> Seen:
    """Connect to the source and the repositories, and say what is in the way."""
    try:
        with job.server.connect() as connection:
            facts = rows(connection, "server_facts")[0]
            databases = rows(connection, "databases")
            inside = _inside(connection)
            watermark = _may_write_watermark(connection)
    except Day2Error as error:
        return Seen({}, (str(error),))
    problems = [*privileges(job.policy.engine, facts, inside)]
    if job.server.dbname not in {each["name"] for each in databases}:
        problems.append("it is a template database, which is not backed up: name a database that holds data")
    if job.policy.engine == "physical":
        problems += physical_limits(facts, may_mark=watermark)
        problems += _other_databases(job, facts, databases)
    problems += _programs(job, facts)
    needed = scratch_bytes(job.policy.engine, facts)
    problems += space(scratch.free_bytes(job.scratch), needed)
    for place in (job.primary, *job.copies):
        try:
            place.store.check()
        except Day2Error as error:
            problems.append(str(error))
    return Seen(_plain(facts) | {"scratch_bytes": needed}, tuple(problems))


def privileges(engine: str, facts: dict[str, Any], inside: Inside) -> list[str]:
    """Rights the engine's role lacks."""
    problems = unreadable(facts, inside)
    large = inside.large
    if engine == "physical" and not facts["may_replicate"]:
        problems.append("the role lacks REPLICATION, which a physical copy needs: alter role … replication")
    if engine == "logical" and large["unreadable"]:
        problems.append(
            f"no right to read {large['unreadable']} of {large['total']} large objects:"
            " use a role that owns them, or a superuser"
        )
    return problems


def unreadable(facts: dict[str, Any], inside: Inside) -> list[str]:
    """What a fingerprint of this database could not read, or only in part."""
    problems = []
    for kind, each in (("tables", inside.tables), ("sequences", inside.sequences)):
        names = [f"{row['schema_name']}.{row['name']}" for row in each if not row["readable"]]
        if names:
            problems.append(
                f"no right to read {len(names)} {kind} ({', '.join(names[:3])}):"
                " grant pg_read_all_data to the backup role"
            )
    secured = [row["name"] for row in inside.tables if row["row_security"]]
    if secured and not facts["bypasses_rls"]:
        problems.append(f"row security would hide rows of {', '.join(secured[:3])}: alter role … bypassrls")
    return problems


def physical_limits(facts: dict[str, Any], *, may_mark: bool) -> list[str]:
    """What keeps a physical copy from being streamed or proven."""
    problems = []
    if facts["version_num"] // 10_000 < OLDEST_PHYSICAL:
        problems.append(
            f"PostgreSQL {facts['version']} cannot compress a base backup itself (15 and later can):"
            " set `engine: logical`"
        )
    if facts["extra_tablespaces"]:
        problems.append(
            "the cluster has tablespaces of its own, which cannot be streamed as one archive: set `engine: logical`"
        )
    if facts["max_wal_senders"] <= facts["wal_senders_used"]:
        problems.append(f"all {facts['max_wal_senders']} wal senders are in use: raise max_wal_senders")
    if facts["in_recovery"]:
        problems.append(
            "the server is a standby, where no watermark row can be written: point the connection at the primary"
        )
    elif not may_mark:
        problems.append(
            "no right to write the watermark row: create schema day2 authorization <backup role>,"
            " or grant create on the database"
        )
    return problems


def scratch_bytes(engine: str, facts: dict[str, Any]) -> int:
    """Bytes the restore test needs on the worker."""
    source = facts["cluster_bytes"] if engine == "physical" else facts["database_bytes"]
    return int(source * SCRATCH_FACTOR) + SCRATCH_FLOOR


def space(free: int, needed: int) -> list[str]:
    if free >= needed:
        return []
    return [f"the restore test needs {size(needed)} of scratch space and the worker has {size(free)}: set `scratch`"]


def source(connection: psycopg.Connection[Any]) -> Source:
    """The server as the manifest describes it."""
    facts = rows(connection, "server_facts")[0]
    return Source(
        version=facts["version"],
        version_num=facts["version_num"],
        system_identifier=facts["system_identifier"],
        timeline=facts["timeline"],
        data_checksums=facts["data_checksums"],
        superuser=facts["superuser"],
        settings={each["name"]: each["setting"] for each in rows(connection, "settings")},
        bytes=facts["database_bytes"],
        in_recovery=facts["in_recovery"],
    )


def _programs(job: Job, facts: dict[str, Any]) -> list[str]:
    """Client programs for the copy, server programs of the same major version for the restore test."""
    major = facts["version_num"] // 10_000
    problems = []
    for need_server in (False, True):
        try:
            binaries.for_server(major, need_server=need_server)
        except PlanRefused as error:
            problems.append(f"{error.happened}: {error.next_step}")
    try:
        binaries.unprivileged()
    except PlanRefused as error:
        problems.append(f"{error.happened}: {error.next_step}")
    return problems


def _inside(connection: psycopg.Connection[Any]) -> Inside:
    return Inside(
        tables=rows(connection, "tables"),
        sequences=rows(connection, "sequences"),
        large=rows(connection, "large_objects")[0],
    )


def _other_databases(job: Job, facts: dict[str, Any], databases: Sequence[dict[str, Any]]) -> list[str]:
    """A physical copy holds the whole cluster, and every database of it is fingerprinted."""
    problems = []
    for each in databases:
        if each["name"] == job.server.dbname:
            continue
        if not each["may_connect"]:
            problems.append(f"no right to connect to the database {each['name']}: grant connect to the backup role")
            continue
        try:
            with job.server.at(each["name"]).connect() as connection:
                problems += [
                    f"database {each['name']}: {problem}" for problem in unreadable(facts, _inside(connection))
                ]
        except Day2Error as error:
            problems.append(str(error))
    return problems


def _may_write_watermark(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute(
        "select coalesce(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('day2'), 'CREATE'),"
        " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'))"
    ).fetchone()
    return bool(row and row[0])


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, (str, int, bool, float)) else str(value) for key, value in facts.items()}
