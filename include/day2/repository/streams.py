"""Bytes on their way in and out: counted, hashed, compressed, encrypted, in bounded memory.

Every stage reads from the one before it. A stage that fails makes the next one's read raise, so that
a broken stream can never look like a short but complete one.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

from day2.errors import StepFailed
from day2.readable import Readable

CHUNK = 1 << 20
UNWIND_SECONDS = 10


class Count(io.RawIOBase):
    """Counts what is read through it. `read(n)` gives n bytes unless the stream ends."""

    def __init__(self, source: Readable, watch: Callable[[int], None] | None = None) -> None:
        self._source = source
        self._watch = watch
        self.bytes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self._some(CHUNK), b""))
        first = self._some(size)
        if len(first) == size or not first:
            return first
        pieces = [first]
        missing = size - len(first)
        while missing and (piece := self._some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _some(self, size: int) -> bytes:
        data = self._source.read(size)
        self.bytes += len(data)
        if self._watch:
            self._watch(self.bytes)
        return data


class Tally(Count):
    """Counts and hashes what is read through it."""

    def __init__(self, source: Readable, watch: Callable[[int], None] | None = None) -> None:
        super().__init__(source, watch)
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def _some(self, size: int) -> bytes:
        data = super()._some(size)
        self._hash.update(data)
        return data


@contextmanager
def compressed(source: Readable, *, level: int, threads: int) -> Iterator[Readable]:
    """zstd with a content checksum (RFC 8878 §3.1.1)."""
    import zstandard

    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    yield compressor.stream_reader(cast(IO[bytes], source), read_size=CHUNK, closefd=False)


@contextmanager
def decompressed(source: Readable, *, name: str) -> Iterator[Readable]:
    """The inverse; a damaged frame raises StepFailed naming the object.

    The library ends a cut frame like a whole one: `points.plain` compares size and hash at the end.
    """
    import zstandard

    reader = zstandard.ZstdDecompressor().stream_reader(
        cast(IO[bytes], source), read_size=CHUNK, read_across_frames=True, closefd=False
    )
    yield _Checked(reader, zstandard.ZstdError, f"{name}: not valid zstd data")


@contextmanager
def encrypted(source: Readable, recipients: Sequence[str]) -> Iterator[Readable]:
    """age (age-encryption.org/v1) to X25519 recipients. Raises StepFailed for one that is not a key."""
    import pyrage

    try:
        keys = [pyrage.x25519.Recipient.from_str(each) for each in recipients]
    except pyrage.RecipientError as error:
        raise StepFailed(
            f"not an age public key: {error}", next_step="write an age1… recipient in the inventory"
        ) from error
    with _pumped(source, lambda reader, writer: pyrage.encrypt_io(reader, writer, keys)) as stream:
        yield stream


@contextmanager
def decrypted(source: Readable, identity: str, *, name: str) -> Iterator[Readable]:
    """The inverse. A wrong identity or damaged data raises StepFailed naming the object."""
    import pyrage

    try:
        key = pyrage.x25519.Identity.from_str(identity.strip())
    except pyrage.IdentityError as error:
        raise StepFailed(
            "the age identity is not an AGE-SECRET-KEY-1… line",
            next_step="check the password field of the identity's connection, or the file given with --identity",
        ) from error

    def pump(reader: Any, writer: Any) -> None:
        try:
            pyrage.decrypt_io(reader, writer, [key])
        except (pyrage.DecryptError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise StepFailed(
                f"{name}: cannot be decrypted with this identity: {error}",
                left="the object is untouched",
                next_step="use the identity that belongs to a recipient named in the manifest",
                runbook="Wrong key or damaged object",
            ) from error

    with _pumped(source, pump) as stream:
        yield stream


class _Checked:
    """A reader whose own kind of error becomes a StepFailed."""

    def __init__(self, source: Readable, error: type[Exception], happened: str) -> None:
        self._source, self._error, self._happened = source, error, happened

    def read(self, size: int = -1) -> bytes:
        try:
            return self._source.read(size)
        except self._error as error:
            raise StepFailed(
                f"{self._happened}: {error}", next_step="restore from another copy or an older recovery point"
            ) from error


class _Remembering:
    """Passes reads on and keeps the error of a failed one, which a library may hide or reword."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._source.read(size)
        except BaseException as error:
            self.error = error
            raise


class _PipeWriter:
    def __init__(self, handle: int) -> None:
        self._handle = handle

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered here."""


class _PipeReader:
    """The reading end; at the end of the stream it raises what the writing thread died of."""

    def __init__(self, handle: int, finish: Callable[[], None]) -> None:
        self._handle, self._finish = handle, finish

    def read(self, size: int = -1) -> bytes:
        data = os.read(self._handle, CHUNK if size < 0 else min(size, CHUNK))
        if not data:
            self._finish()
        return data


@contextmanager
def _pumped(source: Readable, work: Callable[[Any, Any], None]) -> Iterator[Readable]:
    """Run a push-style library in a thread and read what it writes."""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, CHUNK)
    remembering = _Remembering(source)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work(remembering, _PipeWriter(write_end))
        except BaseException as error:  # noqa: BLE001 - raised again by whoever reads the pipe
            errors.append(remembering.error or error)
        finally:
            os.close(write_end)

    thread = threading.Thread(target=run, name="day2-stream", daemon=True)
    thread.start()

    def finish() -> None:
        thread.join()
        if errors:
            raise errors[0]

    try:
        yield _PipeReader(read_end, finish)
    finally:
        # Closing first unblocks a writer nobody reads from any more: it gets a broken pipe and ends.
        # One that waits for its own source ends when the caller stops that.
        os.close(read_end)
        thread.join(UNWIND_SECONDS)
