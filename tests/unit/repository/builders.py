"""Points and manifests for tests, made the way the engines make them, but small."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from day2.postgres.content import Source
from day2.repository import points
from day2.repository.manifest import Manifest, StoredObject, pack, seal, sha256
from day2.repository.points import Point
from day2.repository.store import Store

NOW = datetime(2026, 11, 23, 2, 15, tzinfo=UTC)
SOURCE = Source(
    version="17.10",
    version_num=170010,
    system_identifier="7400000000000000001",
    timeline=1,
    data_checksums=True,
    superuser="postgres",
    settings={"max_connections": "100"},
    bytes=8_000_000,
    in_recovery=False,
)


def manifest(point_id: str, *, objects: tuple[StoredObject, ...] = (), **more: Any) -> Manifest:
    """A manifest with everything in it; `more` replaces fields."""
    fields: dict[str, Any] = {
        "point": point_id,
        "environment": "production",
        "database": "orders",
        "dbname": "Bestellungen \"x\" 'y'",
        "engine": "logical",
        "engine_version": "pg_dump 17.10",
        "started": NOW,
        "snapshot_at": NOW,
        "finished": NOW,
        "lsn_start": "0/3000028",
        "lsn_end": "0/3000120",
        "source": SOURCE,
        "objects": objects,
        "databases": (),
        "roles": ("postgres", "größe"),
        "role_passwords": True,
        "watermark": None,
        "recipients": (),
        "policy": {"engine": "logical", "rpo": "PT26H"},
        "policy_hash": "p" * 64,
        "plan_digest": "d" * 64,
        "run": "database_backup.production/manual__1",
        "day2_version": "0.1.0",
    }
    return Manifest(**fields | more)


def stored_object(name: str, data: bytes, **more: Any) -> StoredObject:
    """How a manifest names `data` stored under `name`, as a dump in clear unless `more` says otherwise."""
    fields: dict[str, Any] = {"role": "dump", "plain_bytes": len(data), "encryption": "none"} | more
    return StoredObject(name=name, bytes=len(data), sha256=sha256(data), **fields)


def commit(
    store: Store, database: str = "orders", *, at: datetime = NOW, objects: dict[str, bytes] | None = None
) -> Point:
    """Write a point: its objects, then the manifest."""
    point_id = points.new_id(at)
    data = {"dump.pgdump.zst": b"dump", "roles.sql.zst": b"roles"} if objects is None else objects
    for name, content in data.items():
        store.put(f"{database}/{point_id}/{name}", content)
    described = manifest(
        point_id, database=database, objects=tuple(stored_object(name, content) for name, content in data.items())
    )
    store.put(f"{database}/{point_id}/{points.MANIFEST}", pack(described))
    return points.find(store, database, point_id)


def evidence(store: Store, point: Point) -> str:
    """A sealed document beside the manifest, as a restore test leaves one; its key."""
    key = point.key("restore-test-20261123T030000Z.json")
    store.put(key, seal({"run": "r", "tables": [{"table": "public.orders", "equal": True}]}))
    return key
