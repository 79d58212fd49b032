"""Recovery points in a store: listing, reading, verifying, copying, sweeping, removing."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from day2.errors import Corrupt, StepFailed
from day2.readable import Readable
from day2.repository import streams
from day2.repository.manifest import Manifest, StoredObject, seal, unpack, unseal
from day2.repository.store import Item, Store

# Told how many bytes have gone by so far.
Watch = Callable[[int], None]
MANIFEST = "manifest.json"
HOLD = "hold.json"
LOCK_PROOF = "lock-proof.json"
# Names that sort by time; two points of one second have an order.
STAMP = "%Y%m%dT%H%M%S.%fZ"
# Points and verdicts of before 2026-11-23 have no microseconds.
ID = re.compile(r"^\d{8}T\d{6}(\.\d{6})?Z-[0-9a-f]{8}$")
VERDICT = re.compile(r"^verified-(\d{8}T\d{6}(?:\.\d{6})?Z)-(passed|failed)\.json$")


@dataclass(frozen=True)
class Point:
    """A committed recovery point as a listing shows it.

    `verified` is the newest restore test's verdict: True, False, or None when there was none.
    """

    database: str
    id: str
    taken_at: datetime
    bytes: int
    verified: bool | None
    held: bool

    @property
    def prefix(self) -> str:
        return f"{self.database}/{self.id}/"

    def key(self, name: str) -> str:
        return self.prefix + name


def new_id(now: datetime) -> str:
    """A point id that sorts by time and never repeats: `20261123T021500.250000Z-1f0c9a3e`."""
    return f"{now.astimezone(UTC):{STAMP}}-{secrets.token_hex(4)}"


def taken_at(point_id: str) -> datetime:
    return datetime.fromisoformat(point_id.split("-")[0])


def databases(store: Store) -> list[str]:
    """Databases that have anything stored."""
    return sorted({item.key.split("/")[0] for item in store.items("") if item.key.count("/") >= 2})


def points(store: Store, database: str) -> list[Point]:
    """Committed points of a database, oldest first. What has no manifest is not a point."""
    found = [_point(database, each, items) for each, items in _folders(store, database).items()]
    return sorted((each for each in found if each), key=lambda each: each.id)


def find(store: Store, database: str, wanted: str, *, before: datetime | None = None) -> Point:
    """The point with that id, or for `latest` the newest one taken at or before `before`.

    Raises StepFailed naming what there is.
    """
    having = points(store, database)
    if wanted == "latest":
        early_enough = [each for each in having if before is None or each.taken_at <= before]
        if early_enough:
            return early_enough[-1]
    for each in having:
        if each.id == wanted:
            return each
    known = ", ".join(each.id for each in having[-5:]) or "none"
    raise StepFailed(
        f"no recovery point {wanted!r} of {database} in {store.url} (the newest: {known})",
        left="nothing was changed",
        next_step=f"list them: day2 backup list --database {database}",
    )


def manifest(store: Store, point: Point) -> Manifest:
    """Read and check a point's manifest. Raises Corrupt if its bytes are not what was written."""
    key = point.key(MANIFEST)
    with store.open(key) as file:
        found = unpack(file.read(), name=f"{store.url}/{key}")
    if (found.database, found.point) != (point.database, point.id):
        raise Corrupt(f"{store.url}/{key}: describes {found.database}/{found.point}, not this point")
    return found


def verify_objects(store: Store, point: Point, described: Manifest, *, watch: Watch | None = None) -> list[str]:
    """Read every object again and compare size and sha256. Returns problems, each naming its object."""
    problems = []
    for each in described.objects:
        name = f"{store.url}/{point.key(each.name)}"
        try:
            with store.open(point.key(each.name)) as file:
                tally = streams.Tally(file, watch)
                while tally.read(streams.CHUNK):
                    pass
        except StepFailed as error:
            problems.append(error.happened)
            continue
        if tally.bytes != each.bytes:
            problems.append(f"{name}: {tally.bytes} bytes stored, {each.bytes} written")
        elif tally.sha256 != each.sha256:
            problems.append(f"{name}: sha256 {tally.sha256} stored, {each.sha256} written")
    return problems + verify_documents(store, point)


def verify_documents(store: Store, point: Point) -> list[str]:
    """Read every sealed document beside the manifest: verdicts, evidence, a hold. Returns problems, as above."""
    problems = []
    for item in store.items(point.prefix):
        if item.key.endswith(".json") and item.key != point.key(MANIFEST):
            with store.open(item.key) as file:
                try:
                    unseal(file.read(), name=f"{store.url}/{item.key}")
                except Corrupt as error:
                    problems.append(error.happened)
    return problems


@contextmanager
def plain(
    store: Store, point: Point, stored: StoredObject, *, identity: str | None, watch: Watch | None = None
) -> Iterator[Readable]:
    """An object's content: hashed as it is read, decrypted, decompressed. `watch` gets the stored bytes read.

    At its end the stored bytes are compared with the manifest; a difference raises Corrupt naming the
    object. A stream not read to its end has not been checked.
    """
    key = point.key(stored.name)
    name = f"{store.url}/{key}"
    with ExitStack() as stack:
        tally = streams.Tally(stack.enter_context(store.open(key)), watch)
        guarded = _Guarded(tally, stored, name)
        source: Readable = guarded
        if stored.encryption == "age":
            if identity is None:
                raise StepFailed(f"{name}: is encrypted and no identity was given", next_step="pass --identity")
            source = stack.enter_context(streams.decrypted(source, identity, name=name))
        source = stack.enter_context(streams.decompressed(source, name=name))
        yield _Explaining(source, guarded)


def copy_objects(
    source: Store,
    target: Store,
    point: Point,
    described: Manifest,
    *,
    watching: Callable[[StoredObject], Watch | None] = lambda _: None,
) -> list[str]:
    """Copy a committed point's objects and read them again there. Returns problems, each naming its object.

    The copy becomes a recovery point when its manifest is written. `watching` gives each object's watcher.
    """
    for each in described.objects:
        with source.open(point.key(each.name)) as file:
            target.write(point.key(each.name), streams.Tally(file, watching(each)), expected_bytes=each.bytes)
    return verify_objects(target, point, described)


def attest(store: Store, point: Point, *, passed: bool, at: datetime, content: dict[str, Any]) -> str:
    """Add a restore test's verdict beside the manifest; returns the object's name."""
    name = f"verified-{at.astimezone(UTC):{STAMP}}-{'passed' if passed else 'failed'}.json"
    store.put(point.key(name), seal(content | {"point": point.id, "passed": passed}))
    return name


def hold(store: Store, point: Point, *, reason: str, who: str, at: datetime) -> None:
    """Put a point under legal hold: retention keeps it until `release`."""
    store.put(point.key(HOLD), seal({"reason": reason, "who": who, "at": at.astimezone(UTC).isoformat()}))


def release(store: Store, point: Point) -> None:
    store.delete(point.key(HOLD))


def remove(store: Store, point: Point) -> None:
    """Delete a point. The manifest goes first, so a half-removed point can never be taken for a good one."""
    store.delete(point.key(MANIFEST))
    for item in list(store.items(point.prefix)):
        store.delete(item.key)


@dataclass(frozen=True)
class Swept:
    """A leftover of an earlier attempt: removed, or why it stays."""

    key: str
    kept_because: str | None = None


def sweep(store: Store, database: str) -> list[Swept]:
    """Remove what killed runs left: objects without a manifest, and unfinished uploads.

    Only for the holder of the database's lease: a backup under way looks the same.
    """
    swept = []
    for upload in list(store.unfinished(f"{database}/")):
        store.abort(upload)
        swept.append(Swept(upload.key))
    for items in _folders(store, database).values():
        if any(item.key.endswith(f"/{MANIFEST}") for item in items):
            continue
        for item in items:
            try:
                store.delete(item.key)
                swept.append(Swept(item.key))
            except StepFailed as error:
                swept.append(Swept(item.key, error.happened))
    return swept


def _folders(store: Store, database: str) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = defaultdict(list)
    for item in store.items(f"{database}/"):
        folder = item.key.split("/")[1]
        if item.key.count("/") == 2 and ID.match(folder):
            found[folder].append(item)
    return found


def _point(database: str, point_id: str, items: Sequence[Item]) -> Point | None:
    names = [item.key.rsplit("/", 1)[1] for item in items]
    if MANIFEST not in names:
        return None
    verdicts = sorted(match.groups() for name in names if (match := VERDICT.match(name)))
    return Point(
        database=database,
        id=point_id,
        taken_at=taken_at(point_id),
        bytes=sum(item.bytes for item in items),
        verified=verdicts[-1][1] == "passed" if verdicts else None,
        held=HOLD in names,
    )


class _Guarded:
    """Compares what was read with the manifest when the stream ends."""

    def __init__(self, tally: streams.Tally, stored: StoredObject, name: str) -> None:
        self._tally, self._stored, self._name = tally, stored, name

    def read(self, size: int = -1) -> bytes:
        data = self._tally.read(size)
        if not data:
            self.check()
        return data

    def check(self) -> None:
        tally, stored = self._tally, self._stored
        if (tally.bytes, tally.sha256) != (stored.bytes, stored.sha256):
            raise Corrupt(
                f"{self._name}: stored bytes are not what was written"
                f" ({tally.bytes} bytes, sha256 {tally.sha256[:12]}…; written {stored.bytes}, {stored.sha256[:12]}…)",
                left="the stored object is untouched",
                next_step="restore from another copy or an older recovery point, and take a new backup now",
                runbook="A stored object is damaged",
            )

    def drain(self) -> None:
        """Read to the end, so that `check` can tell damage from a wrong key."""
        while self.read(streams.CHUNK):
            pass


class _Explaining:
    """When decryption or decompression fails, says first whether the stored bytes are damaged."""

    def __init__(self, source: Readable, guarded: _Guarded) -> None:
        self._source, self._guarded = source, guarded

    def read(self, size: int = -1) -> bytes:
        try:
            return self._source.read(size)
        except Corrupt:
            raise
        except StepFailed:
            self._guarded.drain()
            raise
