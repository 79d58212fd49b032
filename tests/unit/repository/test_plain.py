"""Reading an object back: damage is told apart from a wrong key, and both name the object."""

from __future__ import annotations

import io
import random
from contextlib import ExitStack

import pyrage
import pytest

from day2.errors import Corrupt, StepFailed
from day2.repository import points, streams
from day2.repository.manifest import sha256
from day2.repository.points import Point
from tests.unit.repository.builders import NOW, stored_object

KEY = pyrage.x25519.Identity.generate()
CONTENT = random.Random(3).randbytes(300_000)


def written(*, encrypted: bool) -> bytes:
    with ExitStack() as stack:
        stream = stack.enter_context(streams.compressed(io.BytesIO(CONTENT), level=3, threads=0))
        if encrypted:
            stream = stack.enter_context(streams.encrypted(stream, [str(KEY.to_public())]))
        return b"".join(iter(lambda: stream.read(1 << 16), b""))


CLEAR, SECRET = written(encrypted=False), written(encrypted=True)


@pytest.fixture(params=["none", "age"])
def stored(store, request):
    """An object in the store, and what its manifest says about it."""
    data = SECRET if request.param == "age" else CLEAR
    point = Point("orders", points.new_id(NOW), NOW, len(data), None, False)
    each = stored_object("dump.pgdump.zst", data, encryption=request.param, plain_bytes=len(CONTENT))
    store.put(point.key(each.name), data)
    return point, each, data


def read(store, point, each, key=None) -> bytes:
    with points.plain(store, point, each, identity=key or str(KEY)) as source:
        return b"".join(iter(lambda: source.read(1 << 16), b""))


def test_an_untouched_object_reads_back(store, stored):
    point, each, _ = stored
    assert sha256(read(store, point, each)) == sha256(CONTENT)


@pytest.mark.parametrize("position", [0, 20, 0.3, 0.99, -1])
def test_a_flipped_bit_is_corrupt_and_names_the_object(store, stored, position):
    point, each, data = stored
    index = int(len(data) * position) if isinstance(position, float) else position
    changed = bytearray(data)
    changed[index] ^= 4
    store.put(point.key(each.name), bytes(changed))
    with pytest.raises(Corrupt, match=f"{each.name}: stored bytes are not what was written"):
        read(store, point, each)


@pytest.mark.parametrize("cut", [0, 1, 3, 1000, -1, -4])
def test_a_truncated_object_is_corrupt_and_names_the_object(store, stored, cut):
    point, each, data = stored
    store.put(point.key(each.name), data[:cut])
    with pytest.raises(Corrupt, match=f"{each.name}: stored bytes are not what was written"):
        read(store, point, each)


@pytest.mark.parametrize("more", [b"\0", b"PK", CLEAR])
def test_appended_bytes_are_corrupt(store, stored, more):
    point, each, data = stored
    store.put(point.key(each.name), data + more)
    with pytest.raises(Corrupt, match=each.name):
        read(store, point, each)


def test_another_object_of_the_same_kind_is_corrupt(store, stored):
    point, each, _ = stored
    other = written(encrypted=each.encryption == "age")[:-8] + b"12345678"
    store.put(point.key(each.name), other)
    with pytest.raises(Corrupt, match=each.name):
        read(store, point, each)


def test_a_wrong_key_is_not_called_damage(store):
    point = Point("orders", points.new_id(NOW), NOW, 1, None, False)
    each = stored_object("dump.pgdump.zst.age", SECRET, encryption="age")
    store.put(point.key(each.name), SECRET)
    with pytest.raises(StepFailed, match="dump.pgdump.zst.age: cannot be decrypted with this identity") as failed:
        read(store, point, each, str(pyrage.x25519.Identity.generate()))
    assert not isinstance(failed.value, Corrupt)
    assert failed.value.runbook == "Wrong key or damaged object"


def test_damage_is_told_first_even_with_a_wrong_key(store):
    point = Point("orders", points.new_id(NOW), NOW, 1, None, False)
    each = stored_object("dump.pgdump.zst.age", SECRET, encryption="age")
    store.put(point.key(each.name), SECRET[:-1] + b"\0")
    with pytest.raises(Corrupt):
        read(store, point, each, str(pyrage.x25519.Identity.generate()))


def test_an_encrypted_object_without_a_key_says_how_to_give_one(store):
    point = Point("orders", points.new_id(NOW), NOW, 1, None, False)
    each = stored_object("dump.pgdump.zst.age", SECRET, encryption="age")
    store.put(point.key(each.name), SECRET)
    with (
        pytest.raises(StepFailed, match="no identity was given.*--identity"),
        points.plain(store, point, each, identity=None),
    ):
        pass
