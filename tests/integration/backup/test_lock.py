"""Object lock: set, read back and tried; a place that does not lock is a finding."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from day2.errors import StepFailed
from day2.inventory.model import Repository, Retention
from day2.operations.database_backup import copy, expire, facts, prove, take
from day2.operations.database_backup.job import Place
from day2.repository import points
from day2.repository.s3 import S3Store

pytestmark = pytest.mark.integration
LOCK = {"days": 1}
NOW = datetime.now(UTC)


@pytest.fixture
def vault(s3) -> Place:
    """A locked place in another region."""
    store = S3Store(s3.client(), s3.locked_bucket, uuid.uuid4().hex)
    place = Repository(name="vault", url="s3://test/vault", region="eu-other-1", object_lock=LOCK)
    return Place(place, store)


def test_a_locked_copy_elsewhere_scores_3_2_1_1_0(s3_store, source, job_for, key, vault):
    job = job_for(source, s3_store, dbname="empty", copies=(vault,), required_score="3-2-1-1-0")
    measured = {"back_up": take.back_up(job)}
    point = measured["back_up"]["point"]
    measured["copy"] = copy.copy(job, point)
    measured["restore_test"] = {}
    prove.restore_test(job, point, identity=key, measures=measured["restore_test"])
    [copied] = measured["copy"]["copies"]
    assert copied["verified"]
    assert copied["lock"] == {"expected": True, "verified": True, "until": copied["lock"]["until"], "problems": []}
    row = facts.database_row(job, measured, now=datetime.now(UTC))
    assert (row["score_3_2_1_1_0"], row["score_ok"], row["lock_verified"]) == ("3-2-1-1-0", True, True)

    there = points.find(vault.store, "orders", point)
    described = points.manifest(vault.store, there)
    assert points.verify_objects(vault.store, there, described) == []
    assert described == points.manifest(s3_store, points.find(s3_store, "orders", point))
    for item in vault.store.items(there.prefix):
        until = vault.store.locked_until(item.key)
        assert until, f"{item.key} is not locked"
        assert until >= NOW + timedelta(days=1) - timedelta(minutes=5)
    assert {each["uri"] for each in measured["copy"]["artefacts"]} == {
        f"{vault.store.url}/{there.key(name)}" for name in (*(each.name for each in described.objects), "manifest.json")
    }


def test_a_locked_point_cannot_be_removed_and_stays_whole(source, job_for, vault):
    job = job_for(source, vault.store, dbname="empty", repository={"object_lock": LOCK})
    taken = take.back_up(job)
    assert taken["lock"]["verified"]
    point = points.find(vault.store, "orders", taken["point"])
    assert vault.store.deletion_denied(point.key(points.MANIFEST))
    with pytest.raises(StepFailed, match="AccessDenied"):
        points.remove(vault.store, point)
    assert points.verify_objects(vault.store, point, points.manifest(vault.store, point)) == []


def test_retention_leaves_locked_points_alone(source, job_for, vault):
    keep_one = Retention(daily=0, weekly=0, monthly=0, yearly=0, minimum=1)
    job = job_for(source, vault.store, dbname="empty", repository={"object_lock": LOCK}, retention=keep_one)
    for _ in range(3):
        expire.attest(job, take.back_up(job)["point"], passed=True, summary={})
    done = expire.expire(job, timezone="Europe/Berlin", now=datetime.now(UTC))
    assert done == {"removed": [], "kept": 3}
    later = expire.candidate(job, job.primary, points.points(vault.store, "orders")[0], "UTC")
    assert later.locked_until > datetime.now(UTC)


def test_retention_removes_the_unlocked_points_it_names_and_no_others(source, s3, s3_store, job_for, caplog):
    from tests.integration.backup.conftest import leftovers

    keep_one = Retention(daily=0, weekly=0, monthly=0, yearly=0, minimum=1)
    job = job_for(source, s3_store, dbname="empty", retention=keep_one)
    made = []
    for _ in range(3):
        made.append(take.back_up(job)["point"])
        expire.attest(job, made[-1], passed=True, summary={})
    points.hold(s3_store, points.find(s3_store, "orders", made[0]), reason="case 7", who="legal", at=NOW)
    with caplog.at_level("INFO", logger="day2"):
        done = expire.expire(job, timezone="Europe/Berlin", now=datetime.now(UTC))
    assert [each.id for each in points.points(s3_store, "orders")] == [made[0], made[-1]], "held, and the newest"
    assert len(done["removed"]) == 1
    said = [record.getMessage() for record in caplog.records]
    first_removal = next(index for index, line in enumerate(said) if "removed" in line)
    assert sum("EXPIRE" in line or ": keep " in line for line in said[:first_removal]) == 3, "the dry list comes first"
    assert leftovers(s3, s3_store) == []


def test_a_bucket_that_does_not_lock_is_a_finding(source, s3_store, job_for):
    job = job_for(source, s3_store, dbname="empty", repository={"object_lock": LOCK})
    taken = take.back_up(job)
    assert taken["lock"]["expected"]
    assert not taken["lock"]["verified"]
    assert taken["lock"]["problems"]
    assert all(each["retain_until"] is None for each in taken["artefacts"])
    row = facts.database_row(job, {"back_up": taken}, now=datetime.now(UTC))
    assert (row["lock_expected"], row["lock_verified"]) == (True, False)


def test_a_store_that_claims_to_lock_but_lets_go_is_a_finding(s3, source, job_for, monkeypatch):
    """It answers with the retention that was asked for, and deletes all the same."""
    store = S3Store(s3.client(), s3.bucket, uuid.uuid4().hex)

    def claim(key, *, mode, until):
        from day2.repository.store import LockState

        return LockState(mode, until)

    monkeypatch.setattr(store, "lock", claim)
    job = job_for(source, store, dbname="empty", repository={"object_lock": LOCK})
    locked = take.back_up(job)["lock"]
    assert not locked["verified"]
    assert "deleting a locked version was not refused" in locked["problems"][0]


def test_leftovers_that_are_locked_are_reported_and_stay(source, job_for, vault, caplog):
    half = f"orders/{points.new_id(NOW)}/base.tar.zst"
    vault.store.put(half, b"half")
    assert vault.store.lock(half, mode="COMPLIANCE", until=NOW + timedelta(days=1)).problem is None
    with caplog.at_level("WARNING", logger="day2"):
        take.sweep(job_for(source, vault.store, dbname="empty"))
    assert f"leftover {vault.store.url}/{half} stays" in caplog.text
    assert points.points(vault.store, "orders") == []


def test_a_governance_lock_is_read_back_as_such(vault):
    vault.store.put("k", b"x")
    until = datetime.now(UTC) + timedelta(days=1)
    state = vault.store.lock("k", mode="GOVERNANCE", until=until)
    assert (state.mode, state.problem) == ("GOVERNANCE", None)
    assert state.retain_until >= until


def test_a_lock_that_a_bucket_refuses_is_a_problem_by_itself(s3_store, monkeypatch):
    """Also where a deletion would be denied for another reason, such as a right the key lacks.

    The answer is AWS's; the server here takes the retention, gives it back and lets go all the same.
    """
    said = {"Code": "InvalidRequest", "Message": "Bucket is missing Object Lock Configuration"}

    def refuse(**_):
        raise ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": 400}}, "PutObjectRetention")

    monkeypatch.setattr(s3_store._client, "put_object_retention", refuse)
    s3_store.put("k", b"x")
    state = s3_store.lock("k", mode="COMPLIANCE", until=datetime.now(UTC) + timedelta(days=1))
    assert state.problem == f"{s3_store.url}/k: InvalidRequest: {said['Message']}"
    assert state.retain_until is None


def test_a_lock_that_reads_back_shorter_than_asked_is_a_problem(vault, monkeypatch):
    vault.store.put("k", b"x")
    asked = datetime.now(UTC) + timedelta(days=1)
    sooner = {"Retention": {"Mode": "COMPLIANCE", "RetainUntilDate": asked - timedelta(hours=1)}}
    monkeypatch.setattr(vault.store._client, "get_object_retention", lambda **_: sooner)
    assert "asked COMPLIANCE until" in vault.store.lock("k", mode="COMPLIANCE", until=asked).problem
