"""Evidence that is larger than a ledger entry: kept in storage, named by its hash, locked where storage locks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from day2.errors import Corrupt, StepFailed
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


def fetch(store: Store, artefact: Mapping[str, Any]) -> bytes:
    """What was kept, read back. Raises StepFailed if it is not in this store, Corrupt if it is not what was kept."""
    uri, prefix = str(artefact["uri"]), f"{store.url}/"
    if not uri.startswith(prefix):
        raise StepFailed(
            f"it is not in {store.url}",
            target=uri,
            left="nothing was touched",
            next_step="fetch it by its address; the inventory keeps evidence elsewhere now",
        )
    with store.open(uri.removeprefix(prefix)) as found:
        data = found.read()
    if sha256(data) != artefact["sha256"]:
        raise Corrupt(
            f"its sha256 is {sha256(data)}, and {artefact['sha256']} was kept",
            target=uri,
            left="the ledger's entry names what it was",
            next_step="look for an older version of the object; treat it as an incident",
        )
    return data


def named(run: str) -> str:
    """A run as a part of a key: its id may hold anything, a key should not."""
    return "".join(each if each.isalnum() or each in "-_." else "_" for each in run)
