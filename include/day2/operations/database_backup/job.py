"""What a backup step works with, and the one way bytes get into the repository."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from day2.errors import StepFailed
from day2.inventory.model import BackupPolicy, Database, Repository
from day2.operations.progress import Progress
from day2.postgres.content import DatabaseContent, Source
from day2.postgres.server import Server
from day2.readable import Readable
from day2.repository import streams
from day2.repository.manifest import StoredObject
from day2.repository.store import Store

log = logging.getLogger("day2")


@dataclass(frozen=True)
class Place:
    """A repository of the inventory and the store behind it."""

    repository: Repository
    store: Store


@dataclass(frozen=True)
class Job:
    """One database of one run. `recipients` is empty only where the policy says `none`."""

    environment: str
    database: Database
    policy: BackupPolicy
    server: Server
    primary: Place
    copies: tuple[Place, ...]
    recipients: tuple[str, ...]
    run: str
    plan_digest: str
    policy_hash: str

    @property
    def name(self) -> str:
        return self.database.name

    @property
    def scratch(self) -> Path | None:
        return self.policy.scratch


@dataclass(frozen=True)
class Taken:
    """What an engine hands over: everything the manifest says about the copy."""

    source: Source
    engine_version: str
    snapshot_at: datetime
    lsn_start: str
    lsn_end: str
    objects: tuple[StoredObject, ...]
    databases: tuple[DatabaseContent, ...]
    roles: tuple[str, ...]
    role_passwords: bool
    watermark: str | None


@dataclass(frozen=True)
class Upload:
    """Where one stream goes: the object's name without suffixes, its role, and how much to expect.

    `share` says how far the source is read, 0 to 1; without it that is guessed from `expected_bytes`.
    """

    prefix: str
    name: str
    role: Literal["base", "dump", "roles"]
    compress: bool
    expected_bytes: int
    share: Callable[[], float | None] | None = None


def store(job: Job, upload: Upload, source: Readable) -> StoredObject:
    """Stream `source` into the primary repository: compressed, encrypted, hashed as it leaves.

    Raises StepFailed if what the store holds afterwards has another size than what was sent.
    """
    name = upload.name + ".zst" + (".age" if job.recipients else "")
    plain = streams.Count(source)
    guess = upload.expected_bytes or 1
    progress = Progress(f"{job.name}: {name}", share=upload.share or (lambda: plain.bytes / guess))
    with ExitStack() as stack:
        stream: Readable = plain
        if upload.compress:
            policy = job.policy
            stream = stack.enter_context(
                streams.compressed(stream, level=policy.compression_level, threads=policy.compression_workers)
            )
        if job.recipients:
            stream = stack.enter_context(streams.encrypted(stream, job.recipients))
        stored = streams.Tally(stream, progress)
        job.primary.store.write(upload.prefix + name, stored, expected_bytes=upload.expected_bytes)
    progress.done()
    _check_size(job.primary.store, upload.prefix + name, stored.bytes)
    return StoredObject(
        name=name,
        role=upload.role,
        bytes=stored.bytes,
        sha256=stored.sha256,
        plain_bytes=plain.bytes,
        encryption="age" if job.recipients else "none",
    )


def _check_size(target: Store, key: str, sent: int) -> None:
    held = {item.key: item.bytes for item in target.items(key)}.get(key)
    if held != sent:
        raise StepFailed(
            f"{target.url}/{key}: {sent} bytes were sent and {held} are stored",
            left="the object has no manifest and is removed by the next run",
            next_step="run it again; if this repeats, the object store loses data",
            runbook="Repository out of reach",
        )
