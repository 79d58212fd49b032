"""A worker that is killed in the middle: nothing half is visible, and the next run leaves nothing of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from day2.operations.database_backup import prove, take
from day2.repository import points
from day2.repository.s3 import S3Store
from tests.integration.backup.conftest import ENGINES, address, leftovers, slots
from tests.integration.backup.worker import Order, wait_for, working

pytestmark = pytest.mark.integration
SLOW = 3_000_000
PROGRAMS = {"logical": "pg_dump", "physical": "pg_basebackup"}


@pytest.fixture
def order_for(s3, s3_store, bulky, key, scratch):
    """An order for a worker, through the line at `port`."""

    def make(engine: str, *, port: int, point: str | None = None) -> Order:
        client = {
            "endpoint_url": f"http://127.0.0.1:{port}",
            "region_name": s3.region,
            "aws_access_key_id": s3.credentials.access_key,
            "aws_secret_access_key": s3.credentials.secret_key,
        }
        prefix = s3_store.url.removeprefix(f"s3://{s3.bucket}/")
        return Order(address(bulky, "bulk"), client, s3.bucket, prefix, engine, key, scratch, point)

    return make


def copying(bulky, engine: str) -> bool:
    """Whether the server is sending data right now."""
    query = {
        "logical": "select count(*) from pg_stat_activity where query like 'COPY %' and state = 'active'",
        "physical": "select count(*) from pg_stat_progress_basebackup where backup_streamed > 0",
    }
    with bulky.connect() as connection:
        [(found,)] = connection.execute(query[engine]).fetchall()
    return bool(found)


def sees_only(s3, store: S3Store, point_ids: list[str]) -> None:
    assert [each.id for each in points.points(store, "orders")] == point_ids
    assert leftovers(s3, store) == []


def password_files() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("day2-pgpass-*"))


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_mid_dump(s3, s3_store, bulky, order_for, job_for, key, engine, tmp_path):
    before = password_files()
    with working(order_for(engine, port=s3.port), tmp_path / "log") as worker:
        wait_for(lambda: copying(bulky, engine), "the copy to be under way", worker=worker)
        [program] = [each for each in worker.children(recursive=True) if each.name() == PROGRAMS[engine]]
        program.suspend()  # so that it is in the middle, however fast the machine
        worker.kill()
        worker.wait(10)
        assert points.points(s3_store, "orders") == []
        program.resume()
    wait_for(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, "its program to end, too")
    assert password_files() == before, "no password stays on disk"
    wait_for(lambda: slots(bulky) == [], "the temporary slot to disappear")

    job = job_for(bulky, s3_store, engine=engine, dbname="bulk")
    taken = take.back_up(job)
    sees_only(s3, s3_store, [taken["point"]])


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_mid_upload(s3, s3_store, bulky, order_for, job_for, broken_line, engine, tmp_path):
    line = broken_line(s3.port)
    line.faults.bytes_per_second = SLOW
    with working(order_for(engine, port=line.port), tmp_path / "log") as worker:
        wait_for(lambda: leftovers(s3, s3_store), "an upload to be begun", worker=worker)
        worker.kill()
        worker.wait(10)
    assert leftovers(s3, s3_store), "the kill left an unfinished upload, or this test shows nothing"
    assert points.points(s3_store, "orders") == []

    taken = take.back_up(job_for(bulky, s3_store, engine=engine, dbname="bulk"))
    sees_only(s3, s3_store, [taken["point"]])


def test_killed_between_two_objects(s3, s3_store, bulky, order_for, job_for, tmp_path):
    """The dump is stored; the worker dies before the roles and the manifest are."""
    with bulky.connect() as blocker, working(order_for("logical", port=s3.port), tmp_path / "log") as worker:
        wait_for(lambda: copying(bulky, "logical"), "the dump to be under way", worker=worker)
        blocker.execute("begin")
        blocker.execute("lock table pg_authid in access exclusive mode")  # nobody can log in from now on
        wait_for(lambda: list(s3_store.items("orders/")), "the dump to be stored", worker=worker)
        worker.kill()
        worker.wait(10)
    assert leftovers(s3, s3_store)
    assert points.points(s3_store, "orders") == []
    with pytest.raises(Exception, match="no recovery point 'latest'"):
        points.find(s3_store, "orders", "latest")

    taken = take.back_up(job_for(bulky, s3_store, dbname="bulk"))
    sees_only(s3, s3_store, [taken["point"]])


def unpacking(scratch: Path) -> bool:
    return any(scratch.glob("day2-scratch-*/data/base")) and not any(scratch.glob("day2-scratch-*/data/postmaster.pid"))


def loading(scratch: Path) -> bool:
    return any(scratch.glob("day2-scratch-*/data/postmaster.pid")) and any(
        each.name() == "pg_restore" for each in psutil.process_iter(["name"]) if str(scratch) in _environment(each)
    )


def _environment(process: psutil.Process) -> str:
    try:
        return process.environ().get("PGHOST", "")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return ""


@pytest.mark.parametrize("engine", ENGINES)
def test_killed_mid_restore(s3, s3_store, bulky, order_for, job_for, key, broken_line, scratch, engine, tmp_path):
    job = job_for(bulky, s3_store, engine=engine, dbname="bulk")
    point = take.back_up(job)["point"]
    line = broken_line(s3.port)
    line.faults.bytes_per_second = SLOW
    middle = {"logical": loading, "physical": unpacking}[engine]
    with working(order_for(engine, port=line.port, point=point), tmp_path / "log") as worker:
        wait_for(lambda: middle(scratch), "the restore to be under way", worker=worker)
        worker.kill()
        worker.wait(10)
    [left] = scratch.iterdir()
    assert [each.verified for each in points.points(s3_store, "orders")] == [None], "a half restore proves nothing"

    measured: dict = {}
    prove.restore_test(job, point, identity=key, measures=measured)
    assert measured["differences"] == []
    assert not left.exists()
    assert [
        each for each in psutil.process_iter(["cmdline"]) if str(scratch) in " ".join(each.info["cmdline"] or ())
    ] == []


def test_the_bucket_is_not_empty_of_versions_by_accident(s3, s3_store):
    """`leftovers` sees what it must: an object, and an upload that was begun."""
    assert leftovers(s3, s3_store) == []
    s3_store.put("orders/20261123T021500Z-0123abcd/dump", b"x")
    client = s3.client()
    prefix = s3_store.url.removeprefix(f"s3://{s3.bucket}/")
    try:
        client.create_multipart_upload(Bucket=s3.bucket, Key=f"{prefix}/orders/20261123T021500Z-0123abcd/base")
    except ClientError as error:
        raise AssertionError("the store cannot do multipart uploads") from error
    assert len(leftovers(s3, s3_store)) == 2
    points.sweep(s3_store, "orders")
    assert leftovers(s3, s3_store) == []
