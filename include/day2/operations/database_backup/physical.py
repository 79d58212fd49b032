"""The physical engine: pg_basebackup of the whole cluster, and what of its content can be pinned.

The copy is consistent as of its end. Every table is fingerprinted while the copy runs and again after
it: one that reads the same both times did not change in between, so the restored copy must equal it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from day2.operations.database_backup import preflight
from day2.operations.database_backup.job import Job, Taken, Upload, store
from day2.postgres import basebackup, dump, fingerprint
from day2.postgres.binaries import Binaries, for_server
from day2.postgres.content import DatabaseContent
from day2.postgres.server import rows

log = logging.getLogger("day2")


def take(job: Job, prefix: str) -> Taken:
    """Copy the cluster into the primary repository. The object has no manifest yet."""
    with job.server.connect() as connection:
        facts = rows(connection, "server_facts")[0]
        names = [each["name"] for each in rows(connection, "databases")]
    binaries = for_server(facts["version_num"] // 10_000)
    mark = f"{job.run}/{secrets.token_hex(8)}"
    basebackup.write_watermark(job.server, mark)
    options: dict[str, Any] = {
        "label": f"day2 {job.environment} {job.name}",
        "level": job.policy.compression_level,
        "workers": job.policy.compression_workers,
    }
    with (
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="day2-fingerprint") as pool,
        basebackup.copying(binaries, job.server, **options) as (program, session),
    ):
        before = pool.submit(lambda: list(_contents(job, binaries, names)))

        def share() -> float | None:
            done, total = basebackup.progress(session)
            return done / total if total else None

        upload = Upload(
            prefix, "base.tar", "base", compress=False, expected_bytes=int(facts["cluster_bytes"]), share=share
        )
        base = store(job, upload, program)
        span = basebackup.span(program)
        first = before.result()
    with job.server.connect() as connection:
        source = preflight.source(connection)
        finished_at = rows(connection, "server_facts")[0]["at"]
        roles = tuple(each["name"] for each in rows(connection, "roles"))
    log.info("%s: consistent at WAL position %s; reading the content again to see what stood still", job.name, span.end)
    second = {each.name: each for each in _contents(job, binaries, names)}
    return Taken(
        source=source,
        engine_version=f"pg_basebackup {binaries.version[0]}.{binaries.version[1]}",
        snapshot_at=finished_at,
        lsn_start=span.start,
        lsn_end=span.end,
        objects=(base,),
        databases=tuple(fingerprint.merged(each, second[each.name]) for each in first if each.name in second),
        roles=roles,
        role_passwords=True,
        watermark=mark,
    )


def _contents(job: Job, binaries: Binaries, names: list[str]) -> Iterator[DatabaseContent]:
    for name in names:
        server = job.server.at(name)
        with fingerprint.snapshot(server) as (session, snapshot):
            schema = dump.schema_sha256(binaries, server, snapshot=snapshot)
            yield fingerprint.content(session, schema_sha256=schema, skip=_skip)


def _skip(table: dict[str, Any]) -> str | None:
    return "unlogged: empty in a physical copy by design" if table["unlogged"] else None
