"""The object store fails, stalls, refuses or is not there: nothing half is visible, and the error says what to do."""

from __future__ import annotations

import threading
import time
import uuid

import boto3
import pytest
from botocore.config import Config

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.operations.database_backup import preflight, prove, take
from day2.repository import points
from day2.repository.s3 import S3Store
from tests.integration.backup.conftest import leftovers
from tests.integration.backup.worker import wait_for

pytestmark = pytest.mark.integration


def client(s3, *, url: str | None = None, key: str | None = None, secret: str | None = None):
    """A client that gives up soon, so that a test need not wait."""
    quick = {"total_max_attempts": 2, "mode": "standard"}
    return boto3.client(
        "s3",
        endpoint_url=url or s3.endpoint_url,
        region_name=s3.region,
        aws_access_key_id=key or s3.credentials.access_key,
        aws_secret_access_key=secret or s3.credentials.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries=quick, connect_timeout=2, read_timeout=2),
    )


@pytest.fixture
def line(s3, broken_line):
    return broken_line(s3.port)


@pytest.fixture
def broken(s3, s3_store, line):
    """The store of `s3_store` seen through a line that breaks."""
    return S3Store(client(s3, url=line.url), s3.bucket, s3_store.url.removeprefix(f"s3://{s3.bucket}/"))


def nothing_visible(s3, s3_store) -> None:
    assert points.points(s3_store, "orders") == []
    points.sweep(s3_store, "orders")
    assert leftovers(s3, s3_store) == []


def test_a_single_error_is_tried_again(source, broken, line, job_for):
    line.faults.errors, line.faults.matching = 1, b"PUT"
    taken = take.back_up(job_for(source, broken, dbname="empty"))
    assert line.faults.errors_given == 1
    assert points.find(broken, "orders", "latest").id == taken["point"]


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Slow Down", "504 Gateway Timeout"])
def test_a_store_that_keeps_failing_is_unavailable(s3, s3_store, source, broken, line, job_for, status):
    line.faults.errors, line.faults.matching, line.faults.error_status = 99, b"PUT", status
    with pytest.raises(Unavailable, match=status[:3]) as failed:
        take.back_up(job_for(source, broken, dbname="empty"))
    assert failed.value.runbook == "Repository out of reach"
    assert "dump.pgdump" in str(failed.value)
    nothing_visible(s3, s3_store)


@pytest.mark.parametrize("what", [b"manifest.json", b"roles.sql"])
def test_a_store_that_fails_on_a_late_object_leaves_no_point(s3, s3_store, source, broken, line, job_for, what):
    line.faults.errors, line.faults.matching = 99, what
    with pytest.raises(Unavailable, match=what.decode()):
        take.back_up(job_for(source, broken, dbname="empty"))
    line.faults.heal()
    assert points.points(s3_store, "orders") == []
    assert leftovers(s3, s3_store) == [], "what it could still remove, it removed"


def test_a_store_that_never_answers_is_unavailable_in_time(s3, s3_store, source, broken, line, job_for):
    line.faults.black_hole = True
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="Timeout"):
        take.back_up(job_for(source, broken, dbname="empty"))
    assert time.monotonic() - begun < 30
    [problem] = preflight.inspect(job_for(source, broken, dbname="empty")).problems
    assert "Repository out of reach" in problem
    line.faults.heal()
    nothing_visible(s3, s3_store)


@pytest.mark.parametrize("engine", ["physical", "logical"])
def test_a_connection_cut_in_the_middle_of_an_upload(s3, s3_store, bulky, broken, line, job_for, engine):
    line.faults.cut_after = 9_000_000
    with pytest.raises(Unavailable):
        take.back_up(job_for(bulky, broken, engine=engine, dbname="bulk"))
    assert line.faults.cuts
    assert points.points(s3_store, "orders") == []
    taken = take.back_up(job_for(bulky, s3_store, engine=engine, dbname="bulk"))
    assert [each.id for each in points.points(s3_store, "orders")] == [taken["point"]]
    assert leftovers(s3, s3_store) == []


def test_a_slow_store_is_waited_for(source, broken, line, job_for):
    line.faults.bytes_per_second = 20_000
    taken = take.back_up(job_for(source, broken, dbname="empty"))
    assert points.find(broken, "orders", "latest").id == taken["point"]


def test_a_connection_cut_in_the_middle_of_a_restore_removes_the_scratch_server(
    s3, s3_store, bulky, broken, line, job_for, key, scratch
):
    point = take.back_up(job_for(bulky, s3_store, engine="physical", dbname="bulk"))["point"]
    line.faults.bytes_per_second = 6_000_000

    def cut() -> None:
        wait_for(lambda: any(scratch.glob("day2-scratch-*/data/base")), "the restore to be under way")
        line.faults.refuse = True
        line.reset()

    cutting = threading.Thread(target=cut)
    cutting.start()
    with pytest.raises(Unavailable, match="base.tar.zst.age"):
        prove.restore_test(job_for(bulky, broken, engine="physical", dbname="bulk"), point, identity=key, measures={})
    cutting.join()
    assert list(scratch.iterdir()) == []


def test_a_missing_bucket_is_found_in_plan_and_in_act(s3, source, job_for):
    store = S3Store(client(s3), "no-such-bucket", "x")
    job = job_for(source, store, dbname="empty")
    [problem] = preflight.inspect(job).problems
    assert "NoSuchBucket" in problem
    assert "create the bucket no-such-bucket" in problem
    with pytest.raises(StepFailed, match="NoSuchBucket") as failed:
        take.back_up(job)
    assert not failed.value.transient


@pytest.mark.parametrize(
    ("login", "secret", "code"),
    [("nobody", "whatever-secret", "InvalidAccessKeyId"), (None, "wrong-secret-value", "SignatureDoesNotMatch")],
)
def test_wrong_credentials_are_found_in_plan_and_in_act(s3, source, job_for, login, secret, code):
    store = S3Store(client(s3, key=login, secret=secret), s3.bucket, "x")
    job = job_for(source, store, dbname="empty")
    [problem] = preflight.inspect(job).problems
    assert code in problem
    assert secret not in problem
    with pytest.raises(StepFailed, match=code) as failed:
        take.back_up(job)
    assert not failed.value.transient
    assert secret not in str(failed.value)


def test_a_store_that_stops_answering_while_it_locks_leaves_a_clear_error(s3, source, line, job_for):
    store = S3Store(client(s3, url=line.url), s3.locked_bucket, uuid.uuid4().hex)
    line.faults.errors, line.faults.matching = 99, b"?retention"
    job = job_for(source, store, dbname="empty", repository={"object_lock": {"days": 1}})
    locked = take.back_up(job)["lock"]
    assert not locked["verified"]
    assert "500" in locked["problems"][0]


def test_a_line_that_goes_dead_while_it_locks_is_an_expected_failure(s3, source, line, job_for, monkeypatch):
    healthy = S3Store(client(s3), s3.locked_bucket, uuid.uuid4().hex)
    store = S3Store(client(s3, url=line.url), s3.locked_bucket, healthy.url.rsplit("/", 1)[1])
    put = store.put

    def then_dead(key, data):
        put(key, data)
        if key.endswith(points.LOCK_PROOF):
            line.faults.refuse = True
            line.reset()

    monkeypatch.setattr(store, "put", then_dead)
    with pytest.raises(Day2Error) as failed:
        take.back_up(job_for(source, store, dbname="empty", repository={"object_lock": {"days": 1}}))
    assert failed.value.transient
    for point in points.points(healthy, "orders"):
        assert points.verify_objects(healthy, point, points.manifest(healthy, point)) == []
