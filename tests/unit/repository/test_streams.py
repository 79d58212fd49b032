"""Bytes through compression and encryption: unchanged, in bounded memory, and never silently short."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.errors import StepFailed
from day2.repository import streams

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
KEY = str(IDENTITY)


class Broken(Exception):
    """An error of a kind no stage knows."""


class Dripping:
    """Gives its data in pieces of the given sizes, then fails with `error`, or ends."""

    def __init__(self, data: bytes, sizes: list[int] | None = None, error: Exception | None = None) -> None:
        self._data, self._sizes, self._error = io.BytesIO(data), list(sizes or []), error
        self.asked = 0

    def read(self, size: int = -1) -> bytes:
        self.asked += 1
        wanted = self._sizes.pop(0) if self._sizes else 1 << 16
        data = self._data.read(min(wanted, size) if size >= 0 else wanted)
        if not data and self._error:
            raise self._error
        return data


def read_all(source, size: int = 1 << 20) -> bytes:
    return b"".join(iter(lambda: source.read(size), b""))


def sealed(data: bytes, *, threads: int = 0) -> bytes:
    with ExitStack() as stack:
        stream = stack.enter_context(streams.compressed(io.BytesIO(data), level=3, threads=threads))
        return read_all(stack.enter_context(streams.encrypted(stream, [RECIPIENT])))


def opened(source, key: str = KEY) -> bytes:
    with ExitStack() as stack:
        stream = stack.enter_context(streams.decrypted(source, key, name="the object"))
        return read_all(stack.enter_context(streams.decompressed(stream, name="the object")))


@given(
    st.binary(max_size=200_000),
    st.lists(st.integers(1, 70_000), max_size=8),
    st.integers(1, 100_000),
    st.integers(0, 2),
)
@settings(max_examples=40, deadline=None)
def test_what_goes_in_comes_out_whatever_the_pieces(data, sizes, read_size, threads):
    with ExitStack() as stack:
        plain = streams.Tally(Dripping(data, sizes))
        stream = stack.enter_context(streams.compressed(plain, level=1, threads=threads))
        stream = stack.enter_context(streams.encrypted(stream, [RECIPIENT]))
        stored = streams.Tally(stream)
        written = read_all(stored, read_size)
    assert (plain.bytes, stored.bytes) == (len(data), len(written))
    assert opened(Dripping(written, sizes)) == data


def test_a_standard_tool_could_read_it():
    assert streams_of_age(sealed(b"x" * 100)) == b"x" * 100


def streams_of_age(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress(pyrage.decrypt(data, [IDENTITY]))


def test_anyone_named_as_recipient_can_read_it():
    other = pyrage.x25519.Identity.generate()
    with streams.encrypted(io.BytesIO(b"shared"), [RECIPIENT, str(other.to_public())]) as stream:
        written = read_all(stream)
    for key in (KEY, str(other)):
        with streams.decrypted(io.BytesIO(written), key, name="x") as stream:
            assert read_all(stream) == b"shared"


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_tally_gives_what_was_asked_for_unless_the_stream_ends(size):
    data = random.Random(1).randbytes(100_000)
    tally = streams.Tally(Dripping(data, [1, 7, 300] * 40))
    assert tally.read(size) == data[:size]
    assert size + len(tally.read()) >= len(data)
    assert tally.bytes == len(data)


# --- an error of any stage reaches the reader, and is never the end of the stream


def through_compression(source):
    return streams.compressed(source, level=3, threads=2)


def through_encryption(source):
    return streams.encrypted(source, [RECIPIENT])


def through_decryption(source):
    return streams.decrypted(source, KEY, name="the object")


def through_decompression(source):
    return streams.decompressed(source, name="the object")


@pytest.mark.parametrize(
    "error", [Broken("lost"), OSError("lost"), BrokenPipeError("lost"), StepFailed("lost"), ValueError("lost")]
)
@pytest.mark.parametrize("already", [0, 10, 3_000_000])
@pytest.mark.parametrize("stage", [through_compression, through_encryption])
def test_a_source_that_fails_fails_the_reader(stage, already, error):
    source = Dripping(random.Random(1).randbytes(already), error=error)
    with stage(source) as stream, pytest.raises(type(error), match="lost"):
        read_all(stream)


@pytest.mark.parametrize("error", [Broken("lost"), OSError("lost"), StepFailed("lost")])
@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("stage", [through_decryption, through_decompression])
def test_a_store_that_fails_fails_the_reader(stage, share, error):
    data = random.Random(1).randbytes(3_000_000)
    with ExitStack() as stack:
        make = through_encryption if stage is through_decryption else through_compression
        written = read_all(stack.enter_context(make(io.BytesIO(data))))
    source = Dripping(written[: int(len(written) * share)], error=error)
    with stage(source) as stream, pytest.raises(type(error), match="lost"):
        read_all(stream)


def test_an_error_stays_an_error_when_the_reader_asks_again():
    with through_encryption(Dripping(b"", error=Broken("lost"))) as stream:
        for _ in range(3):
            with pytest.raises(Broken, match="lost"):
                read_all(stream)


# --- damage


SEALED = sealed(random.Random(2).randbytes(5000))


@given(st.integers(0, len(SEALED) * 8 - 1))
@settings(max_examples=200, deadline=None)
def test_no_flipped_bit_comes_out_as_data(bit):
    written = bytearray(SEALED)
    written[bit // 8] ^= 1 << bit % 8
    with pytest.raises(StepFailed, match="the object"):
        opened(io.BytesIO(bytes(written)))


@pytest.mark.parametrize("cut", [0, 1, 100, 4000, -1])
def test_a_cut_encrypted_stream_is_an_error(cut):
    written = sealed(random.Random(2).randbytes(200_000))
    with pytest.raises(StepFailed, match="the object"):
        opened(io.BytesIO(written[:cut]))


def test_trailing_bytes_are_an_error():
    with pytest.raises(StepFailed, match="the object"):
        opened(io.BytesIO(sealed(b"data") + b"x"))


def test_another_identity_cannot_open_it():
    with pytest.raises(StepFailed, match="^the object: cannot be decrypted with this identity"):
        opened(io.BytesIO(sealed(b"data")), str(pyrage.x25519.Identity.generate()))


@pytest.mark.parametrize("key", ["", "AGE-SECRET-KEY-1QQQ", RECIPIENT, "secret words"])
def test_a_key_that_is_none_is_refused_without_being_repeated(key):
    with pytest.raises(StepFailed) as failed, streams.decrypted(io.BytesIO(b""), key, name="x"):
        pass
    assert not key or key not in str(failed.value)


def test_a_recipient_that_is_none_is_refused():
    with pytest.raises(StepFailed, match="not an age public key"), streams.encrypted(io.BytesIO(b""), ["age1oops"]):
        pass


# --- threads and memory


def pumping() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "day2-stream"]


@pytest.mark.parametrize("stage", [through_encryption, through_decryption])
def test_the_thread_ends_when_the_reader_goes_away(stage):
    data = random.Random(1).randbytes(40_000_000)
    if stage is through_decryption:
        with through_encryption(io.BytesIO(data)) as stream:
            data = read_all(stream)
    source = Dripping(data)
    with stage(source) as stream:
        assert stream.read(10)
        assert pumping()
    assert not pumping()
    assert source.asked < 300, "it stopped reading too, with more than half of it left"


MEASURE = """
import os, sys
from contextlib import ExitStack
from day2.repository import streams
import pyrage, zstandard
block = os.urandom(1 << 20)
class Source:
    left = {megabytes}
    def read(self, size=-1):
        self.left -= 1
        return block if self.left >= 0 else b""
recipient = str(pyrage.x25519.Identity.generate().to_public())
def peak():  # not ru_maxrss: that one is inherited from the process that started us
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
before = peak()
with ExitStack() as stack:
    stream = stack.enter_context(streams.compressed(streams.Tally(Source()), level=3, threads=2))
    tally = streams.Tally(stack.enter_context(streams.encrypted(stream, [recipient])))
    while tally.read(1 << 20):
        pass
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_stream():
    """MB of peak memory that 200 MB cost, in a process of its own."""
    include = Path(streams.__file__).parents[2]
    command = [sys.executable, "-c", MEASURE.format(megabytes=200)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(include)})
    print(f"peak: {done.stdout.strip()} MB")
    assert int(done.stdout) < 60
