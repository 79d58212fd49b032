"""Evidence that is larger than a ledger entry: kept in storage, named by its hash, locked where storage locks."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from day2.inventory.model import ObjectLock
from day2.repository.manifest import sha256
from day2.repository.store import Store

log = logging.getLogger("day2")


def keep(store: Store, key: str, data: bytes, *, lock: ObjectLock | None) -> dict[str, Any]:
    """Store it. Returns the artefact as ledger entries tell it: address, sha256, size, and until when it is locked."""
    store.put(key, data)
    if lock:
        until = datetime.now(UTC) + timedelta(days=lock.days)
        if problem := store.lock(key, mode=lock.mode, until=until).problem:
            log.warning("%s/%s is not locked: %s", store.url, key, problem)
    locked = store.locked_until(key)
    return {
        "uri": f"{store.url}/{key}",
        "sha256": sha256(data),
        "size": len(data),
        "retain_until": locked.isoformat() if locked else None,
    }


def named(run: str) -> str:
    """A run as a part of a key: its id may hold anything, a key should not."""
    return "".join(each if each.isalnum() or each in "-_." else "_" for each in run)
