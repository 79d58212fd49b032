"""Where objects are kept: an S3 bucket or a folder, behind the few verbs a repository needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from day2.readable import Readable


@dataclass(frozen=True)
class Item:
    """One stored object: key below the store's root, size in bytes, time of the last write."""

    key: str
    bytes: int
    modified: datetime


@dataclass(frozen=True)
class Unfinished:
    """An upload that was begun and never completed; `token` is the store's own handle for it."""

    key: str
    token: str
    begun: datetime


@dataclass(frozen=True)
class LockState:
    """What the store says about an object's lock, read back after it was set."""

    mode: str | None
    retain_until: datetime | None
    problem: str | None = None


class Store(Protocol):
    """The verbs. Every failure is a Day2Error that names the store and the object."""

    url: str

    def check(self) -> None:
        """Raise unless the store is there and answers to our credentials."""

    def write(self, key: str, source: Readable, *, expected_bytes: int) -> None:
        """Stream `source` to its end in bounded memory; the object appears only when all of it is in.

        `expected_bytes` sizes the parts of a large upload; it need not be exact.
        """

    def put(self, key: str, data: bytes) -> None:
        """Store a small object."""

    def open(self, key: str) -> AbstractContextManager[Readable]:
        """Read an object from its beginning. Raises StepFailed if there is none."""

    def items(self, prefix: str) -> Iterator[Item]:
        """Objects below a prefix, in key order."""

    def delete(self, key: str) -> None:
        """Remove an object, every version of it. Raises StepFailed if a lock forbids it."""

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        """Uploads begun below a prefix and never completed."""

    def abort(self, upload: Unfinished) -> None:
        """Throw an unfinished upload away."""

    def lock(self, key: str, *, mode: str, until: datetime) -> LockState:
        """Lock an object against deletion, and read the lock back.

        A store that cannot lock is answered with a problem; one that cannot be reached raises.
        """

    def locked_until(self, key: str) -> datetime | None:
        """When an object's lock ends; None if it has none."""

    def deletion_denied(self, key: str) -> bool:
        """Try to delete the newest version of an object: True if the store refused."""
