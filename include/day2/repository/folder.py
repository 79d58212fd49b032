"""A folder as a store: for a mounted disk, and for tests."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from day2.errors import StepFailed
from day2.readable import Readable
from day2.repository.store import Item, LockState, Unfinished

PARTIAL = ".partial-"
CHUNK = 1 << 20


class FolderStore:
    """Objects are files below `root`. It cannot lock; asking it to is answered with a problem."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.absolute().as_uri()

    def check(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f"{PARTIAL}{uuid4().hex}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise self._failed("", error) from error

    def write(self, key: str, source: Readable, *, expected_bytes: int) -> None:
        final = self.root / key
        partial = final.with_name(f"{PARTIAL}{uuid4().hex}-{final.name}")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                while data := source.read(CHUNK):
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(final)
            _sync_folder(final.parent)
        except OSError as error:
            raise self._failed(key, error) from error
        finally:
            if partial.exists():
                partial.unlink()

    def put(self, key: str, data: bytes) -> None:
        self.write(key, io.BytesIO(data), expected_bytes=len(data))

    @contextmanager
    def open(self, key: str) -> Iterator[Readable]:
        try:
            file = (self.root / key).open("rb")
        except OSError as error:
            raise self._failed(key, error) from error
        with file:
            yield file

    def items(self, prefix: str) -> Iterator[Item]:
        for path in self._files(prefix):
            if not path.name.startswith(PARTIAL):
                stat = path.stat()
                yield Item(self._key(path), stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def delete(self, key: str) -> None:
        path = self.root / key
        try:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or (folder.exists() and any(folder.iterdir())):
                    break
                if folder.exists():
                    folder.rmdir()
        except OSError as error:
            raise self._failed(key, error) from error

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        for path in self._files(prefix):
            if path.name.startswith(PARTIAL):
                begun = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield Unfinished(self._key(path), str(path), begun)

    def abort(self, upload: Unfinished) -> None:
        self.delete(upload.key)

    def lock(self, key: str, *, mode: str, until: datetime) -> LockState:
        return LockState(None, None, "a folder cannot lock objects")

    def locked_until(self, key: str) -> datetime | None:
        return None

    def deletion_denied(self, key: str) -> bool:
        return False

    def _files(self, prefix: str) -> list[Path]:
        """A prefix is a string, as in S3, and need not end at a folder."""
        folder = self.root / prefix.rpartition("/")[0]
        found = (path for path in folder.rglob("*") if path.is_file())
        wanted = (path for path in found if self._key(path).startswith(prefix) or PARTIAL in path.name)
        return sorted(wanted, key=self._key)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _failed(self, key: str, error: OSError) -> StepFailed:
        reason = error.strerror or str(error)
        return StepFailed(
            f"{self.url}/{key}: {reason}",
            left="no recovery point was committed by this attempt",
            next_step="check that the folder exists, is writable by the worker and has space",
            runbook="Repository out of reach",
        )


def _sync_folder(folder: Path) -> None:
    """A rename is durable only when its folder is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
