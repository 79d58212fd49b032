"""Sealed documents: any change of any bit is noticed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.errors import Corrupt
from day2.repository.manifest import pack, seal, unpack, unseal
from tests.unit.repository.builders import manifest, stored_object

ID = "20261123T021500Z-0123abcd"
DESCRIBED = manifest(ID, objects=(stored_object("dump.pgdump.zst", b"dump"),))
PACKED = pack(DESCRIBED)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.text(), values, max_size=5)


@given(documents)
def test_what_is_sealed_comes_back_equal(content):
    assert unseal(seal(content), name="x") == content


@given(documents, st.data())
@settings(max_examples=300)
def test_any_flipped_bit_of_a_sealed_document_is_found(content, data):
    sealed = bytearray(seal(content))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt, match=r"^backups/manifest\.json: is not what was written"):
        unseal(bytes(sealed), name="backups/manifest.json")


def test_every_flipped_bit_of_a_manifest_is_found():
    for bit in range(len(PACKED) * 8):
        damaged = bytearray(PACKED)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            unpack(bytes(damaged), name="m")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PACKED[:-1],
        PACKED[:100],
        PACKED + b" ",
        b"\n" + PACKED,
        PACKED + PACKED,
        b"[]",
        b"null",
        b'"x"',
        b"7",
        b"\xff",
    ],
)
def test_cut_padded_or_foreign_bytes_are_not_a_manifest(data):
    with pytest.raises(Corrupt, match="s3://b/orders/manifest.json"):
        unpack(data, name="s3://b/orders/manifest.json")


def test_the_same_content_in_another_layout_is_not_what_was_written():
    rewritten = json.dumps(json.loads(PACKED), indent=2).encode()
    with pytest.raises(Corrupt):
        unpack(rewritten, name="m")


def test_a_manifest_comes_back_equal_and_adds_up_its_objects():
    found = unpack(PACKED, name="m")
    assert found == DESCRIBED
    assert found.stored_bytes == 4
    assert "größe".encode() in PACKED, "names are readable without us"


def test_a_manifest_of_another_version_is_refused_by_name():
    content = DESCRIBED.model_dump(mode="json") | {"invented_later": 1}
    with pytest.raises(Corrupt, match="^m: not a manifest this version reads: 1 fields differ"):
        unpack(seal(content), name="m")


def test_not_a_number_cannot_be_sealed():
    with pytest.raises(ValueError, match="Out of range"):
        seal({"ratio": float("nan")})
