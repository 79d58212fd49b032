"""What earlier scans and runs left in the ledger: first sightings, and the fleet's standing over time."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from day2.hosts.model import Scan
from day2.ledger import Ledger, evidence
from day2.operations.security_patching import sla
from day2.operations.security_patching.compliance import Summary
from day2.operations.security_patching.sla import Sighting
from day2.repository.store import Store

SCANNED, STANDING = "patch_scan", "patch_standing"


def sightings(ledger: Ledger, environment: str) -> tuple[Sighting, ...]:
    """Every sighting of an environment's hosts so far."""
    bodies = (each.body for each in ledger.entries(kind=SCANNED) if each.body["environment"] == environment)
    return tuple(Sighting(**each) for body in bodies for each in body["sightings"])


def new(known: tuple[Sighting, ...], scans: Mapping[str, Scan]) -> tuple[Sighting, ...]:
    """The sightings that these scans add."""
    before = sla.lookup(known)
    return tuple(
        each
        for each in sla.remember(known, scans.values())
        if before.get((each.key, each.installed, each.security)) != each.first_seen
    )


def trend(ledger: Ledger, environment: str) -> tuple[Summary, ...]:
    """The fleet's standing after each run, oldest first."""
    bodies = (each.body for each in ledger.entries(kind=STANDING) if each.body["environment"] == environment)
    return tuple(Summary(**body["summary"]) for body in bodies)


def tries(ledger: Ledger, run: str) -> list[dict[str, Any]]:
    """What a run's steps wrote, in the order they began: those of its newest plan."""
    return evidence.gather(list(ledger.entries(run=run))).tries


def packed(scans: Mapping[str, Scan]) -> bytes:
    """Whole scans as they are kept: the same scans give the same bytes."""
    told = json.dumps({name: each.as_dict() for name, each in scans.items()}, sort_keys=True)
    return gzip.compress(told.encode(), mtime=0)


def unpacked(store: Store, uri: str) -> dict[str, Scan]:
    """The scans that were kept there."""
    with store.open(uri.removeprefix(f"{store.url}/")) as source:
        data = b"".join(iter(lambda: source.read(1 << 20), b""))
    return {name: Scan.from_dict(each) for name, each in json.loads(gzip.decompress(data)).items()}
