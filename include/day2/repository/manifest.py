"""The manifest: what a recovery point says about itself. Written last; it is the commit."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import ValidationError

from day2.errors import Corrupt
from day2.postgres.content import DatabaseContent, Part, Source

SCHEMA = 1


class StoredObject(Part):
    """One object of the point: its name in the point's folder, what it holds, its size and sha256."""

    name: str
    role: Literal["base", "dump", "roles"]
    bytes: int
    sha256: str
    plain_bytes: int
    encryption: Literal["age", "none"]


class Manifest(Part):
    """A self-describing recovery point. Times are aware UTC; sizes are bytes; LSNs are PostgreSQL's."""

    schema_version: int = SCHEMA
    point: str
    environment: str
    database: str
    dbname: str
    engine: Literal["physical", "logical"]
    engine_version: str
    started: datetime
    snapshot_at: datetime
    finished: datetime
    lsn_start: str
    lsn_end: str
    source: Source
    objects: tuple[StoredObject, ...]
    databases: tuple[DatabaseContent, ...]
    roles: tuple[str, ...]
    role_passwords: bool
    watermark: str | None
    recipients: tuple[str, ...]
    policy: dict[str, Any]
    policy_hash: str
    plan_digest: str
    run: str
    day2_version: str

    @property
    def stored_bytes(self) -> int:
        return sum(each.bytes for each in self.objects)


def seal(content: dict[str, Any]) -> bytes:
    """JSON that carries the sha256 of its own canonical content, so that a flipped bit shows."""
    return (_canonical({"content": content, "sha256": _digest(content)}) + "\n").encode()


def unseal(data: bytes, *, name: str) -> dict[str, Any]:
    """The content of sealed JSON. Raises Corrupt naming the object unless every byte is as written."""
    try:
        document = json.loads(data)
        content: dict[str, Any] = document["content"]
        if document["sha256"] == _digest(content) and data == seal(content):
            return content
    except (ValueError, KeyError, TypeError):
        pass  # falls through to the one error below: the bytes are not what `seal` wrote
    raise Corrupt(
        f"{name}: is not what was written: its content does not match its own sha256",
        left="the stored objects are untouched",
        next_step="use another copy of this point, or an older one; `day2 backup verify` names every damaged object",
        runbook="A stored object is damaged",
    )


def pack(manifest: Manifest) -> bytes:
    return seal(manifest.model_dump(mode="json"))


def unpack(data: bytes, *, name: str) -> Manifest:
    """Raises Corrupt for damaged bytes, and for a manifest this version cannot read."""
    try:
        return Manifest.model_validate(unseal(data, name=name))
    except ValidationError as error:
        raise Corrupt(
            f"{name}: not a manifest this version reads: {error.error_count()} fields differ",
            next_step="read it with the day2 version it names",
        ) from error


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _digest(content: dict[str, Any]) -> str:
    return sha256(_canonical(content).encode())
