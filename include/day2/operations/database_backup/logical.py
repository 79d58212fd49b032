"""The logical engine: pg_dump of one database, with its fingerprint read in the same snapshot."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from day2.operations.database_backup import preflight
from day2.operations.database_backup.job import Job, Taken, Upload, store
from day2.postgres import dump, fingerprint
from day2.postgres.binaries import for_server
from day2.postgres.content import DatabaseContent
from day2.postgres.server import rows

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")


def take(job: Job, prefix: str) -> Taken:
    """Dump the database into the primary repository. The objects have no manifest yet."""
    with fingerprint.snapshot(job.server) as (session, snapshot):
        facts = rows(session, "server_facts")[0]
        binaries = for_server(facts["version_num"] // 10_000)
        expected = int(facts["database_bytes"])
        log.info("%s: snapshot %s at %s, WAL position %s", job.name, snapshot, facts["at"], facts["lsn"])
        # Sequences stand outside snapshots: the dump's value lies between before and after.
        before = _values(session)
        schema = dump.schema_sha256(binaries, job.server, snapshot=snapshot)
        with (
            _beside(session, lambda: fingerprint.content(session, schema_sha256=schema)) as reading,
            dump.dumping(binaries, job.server, snapshot) as program,
        ):
            upload = Upload(prefix, "dump.pgdump", "dump", compress=True, expected_bytes=expected)
            dumped = store(job, upload, program)
            content = reading.result()
    passwords = bool(facts["is_superuser"])
    roles = dump.roles(binaries, job.server, passwords=passwords)
    roles_upload = Upload(prefix, "roles.sql", "roles", compress=True, expected_bytes=len(roles))
    with job.server.connect() as connection:
        after = _values(connection)
        names = tuple(each["name"] for each in rows(connection, "roles"))
        source = preflight.source(connection)
    return Taken(
        source=source,
        engine_version=f"pg_dump {binaries.version[0]}.{binaries.version[1]}",
        snapshot_at=facts["at"],
        lsn_start=facts["lsn"],
        lsn_end=facts["lsn"],
        objects=(dumped, store(job, roles_upload, io.BytesIO(roles))),
        databases=(_with_sequences(content, before, after),),
        roles=names,
        role_passwords=passwords,
        watermark=None,
    )


Values = dict[tuple[str, str], int]


def _values(session: psycopg.Connection[Any]) -> Values:
    return {(each.schema_name, each.name): each.after for each in fingerprint.sequences(session)}


def _with_sequences(content: DatabaseContent, before: Values, after: Values) -> DatabaseContent:
    moved = tuple(
        each.model_copy(
            update={
                "before": before.get((each.schema_name, each.name), each.before),
                "after": after.get((each.schema_name, each.name), each.after),
            }
        )
        for each in content.sequences
    )
    return content.model_copy(update={"sequences": moved})


@contextmanager
def _beside(session: psycopg.Connection[Any], work: Any) -> Iterator[Future[DatabaseContent]]:
    """Run `work` on the session in a thread; if the block fails, its query is cancelled first."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="day2-fingerprint") as pool:
        future = pool.submit(work)
        try:
            yield future
        except BaseException:
            session.cancel_safe()
            raise
