"""Stored bytes that changed: verify and the restore test both say which object, and prove nothing."""

from __future__ import annotations

import pyrage
import pytest

from day2.errors import Corrupt, StepFailed
from day2.operations.database_backup import expire, facts, prove, take
from day2.repository import points

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["physical", "logical"])
def proven(request, s3, source, key, tmp_path_factory):
    """A verified point with everything beside it, restored once, and its job."""
    import uuid

    from day2.repository.s3 import S3Store
    from tests.integration.backup.conftest import address, make_job, quick_folder

    scratch = quick_folder()
    store = S3Store(s3.client(), s3.bucket, uuid.uuid4().hex)
    job = make_job(address(source, "empty"), store, engine=request.param, key=key, scratch=scratch)
    measured: dict = {}
    point = take.back_up(job)["point"]
    prove.restore_test(job, point, identity=key, measures=measured)
    expire.attest(job, point, passed=True, summary={})
    yield job, points.find(store, "orders", point), measured
    with source.connect("empty") as connection:
        connection.execute("drop schema if exists day2 cascade")
    scratch.rmdir()


def objects(job, point) -> list[str]:
    return [item.key for item in job.primary.store.items(point.prefix)]


class Changed:
    """One object of a store with other content, put back at the end."""

    def __init__(self, store, key, how) -> None:
        self.store, self.key, self.how = store, key, how

    def __enter__(self) -> None:
        with self.store.open(self.key) as file:
            self.was = file.read()
        self.store.put(self.key, self.how(self.was))

    def __exit__(self, *_) -> None:
        self.store.put(self.key, self.was)


def flip(position: float):
    def how(data: bytes) -> bytes:
        index = min(int(len(data) * position), len(data) - 1)
        return data[:index] + bytes([data[index] ^ 0x10]) + data[index + 1 :]

    return how


HOW = {
    "first bit": flip(0),
    "middle bit": flip(0.5),
    "last bit": flip(1),
    "truncated": lambda data: data[:-7],
    "emptied": lambda _: b"",
}


@pytest.mark.parametrize("what", HOW)
def test_every_damaged_object_is_named_by_verify(proven, what):
    job, point, _ = proven
    store = job.primary.store
    assert len(objects(job, point)) == (4 if job.policy.engine == "physical" else 5)
    for key in objects(job, point):
        with Changed(store, key, HOW[what]):
            if key.endswith("manifest.json"):
                with pytest.raises(Corrupt, match="manifest.json: is not what was written"):
                    points.manifest(store, point)
                continue
            problems = points.verify_objects(store, point, points.manifest(store, point))
            assert [problem.startswith(f"{store.url}/{key}: ") for problem in problems] == [True], key


@pytest.mark.parametrize("what", ["middle bit", "truncated"])
def test_every_damaged_object_is_named_by_the_restore_test(proven, key, what):
    job, point, _ = proven
    for name in objects(job, point):
        if what == "truncated" and "roles" in name:
            continue  # the same code as for the dump, and a server's start saved
        measured: dict = {}
        with Changed(job.primary.store, name, HOW[what]), pytest.raises(Corrupt) as failed:
            prove.restore_test(job, point.id, identity=key, measures=measured)
        assert f"{job.primary.store.url}/{name}: " in failed.value.happened
        assert failed.value.runbook == "A stored object is damaged"
        assert not measured.get("restore_started")
        assert not measured.get("scratch_removed"), "what was not seen is not claimed"
        if name.endswith(".age"):
            assert measured["objects_verified"] == measured["objects_expected"] - 1


def test_damaged_evidence_is_not_judged(proven):
    import datetime

    job, point, measured = proven
    with (
        Changed(job.primary.store, measured["evidence"], HOW["middle bit"]),
        pytest.raises(Corrupt, match=measured["evidence"].rsplit("/", 1)[1]),
    ):
        facts.table_rows(job, {"restore_test": measured}, today=datetime.date(2026, 11, 23))


def test_a_missing_object_fails_the_restore_test_by_name(proven, key):
    job, point, _ = proven
    name = next(name for name in objects(job, point) if name.endswith(".age"))
    with job.primary.store.open(name) as file:
        was = file.read()
    job.primary.store.delete(name)
    try:
        with pytest.raises(StepFailed, match=name.rsplit("/", 1)[1]):
            prove.restore_test(job, point.id, identity=key, measures={})
    finally:
        job.primary.store.put(name, was)


def test_another_identity_is_refused_and_named_as_the_cause(proven):
    job, point, _ = proven
    other = str(pyrage.x25519.Identity.generate())
    with pytest.raises(StepFailed, match="cannot be decrypted with this identity") as failed:
        prove.restore_test(job, point.id, identity=other, measures={})
    assert not isinstance(failed.value, Corrupt)
    assert failed.value.runbook == "Wrong key or damaged object"
    assert other not in str(failed.value)
    assert list(job.scratch.iterdir()) == []
