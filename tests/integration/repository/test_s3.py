"""The S3 store against a real server: whole objects or none, every version, bounded memory."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest

from day2.errors import StepFailed, Unavailable
from day2.repository import points, streams
from day2.repository.s3 import PART, S3Store
from tests.unit.repository.builders import NOW, commit, evidence

pytestmark = pytest.mark.integration
PEAK_MB = 200


@pytest.fixture
def store(s3):
    return S3Store(s3.client(), s3.bucket, uuid.uuid4().hex)


def versions(s3, store) -> list[str]:
    found = s3.client().list_object_versions(Bucket=s3.bucket, Prefix=store.url.removeprefix(f"s3://{s3.bucket}/"))
    return [each["Key"] for each in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]]


class Noise:
    """So many bytes that look like nothing, then the end or an error."""

    def __init__(self, size: int, error: Exception | None = None) -> None:
        self.left, self.error, self.random = size, error, random.Random(1)

    def read(self, size: int = -1) -> bytes:
        if not self.left and self.error:
            raise self.error
        data = self.random.randbytes(min(size if size >= 0 else 1 << 20, self.left, 1 << 20))
        self.left -= len(data)
        return data


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART + 12345])
def test_any_size_comes_back_as_it_went(store, size):
    sent = streams.Tally(Noise(size))
    while sent.read(1 << 20):
        continue
    store.write("orders/p/base", Noise(size), expected_bytes=10)
    with store.open("orders/p/base") as file:
        read = streams.Tally(file)
        while read.read(1 << 20):
            pass
    assert (read.bytes, read.sha256) == (size, sent.sha256)
    assert [(item.key, item.bytes) for item in store.items("orders/")] == [("orders/p/base", size)]


@pytest.mark.parametrize("already", [0, 100, PART + 100])
@pytest.mark.parametrize("error", [StepFailed("the source failed"), ValueError("the source failed")])
def test_a_source_that_fails_leaves_no_object_and_no_upload(s3, store, already, error):
    with pytest.raises(type(error), match="the source failed"):
        store.write("orders/p/base", Noise(already, error), expected_bytes=1)
    assert list(store.items("")) == []
    assert list(store.unfinished("")) == []
    assert versions(s3, store) == []


def test_a_delete_takes_every_version_and_no_neighbour(s3, store):
    for text in (b"1", b"2", b"3"):
        store.put("orders/p/a", text)
    store.put("orders/p/ab", b"x")
    s3.client().delete_object(Bucket=s3.bucket, Key=f"{store.url.removeprefix(f's3://{s3.bucket}/')}/orders/p/a")
    store.delete("orders/p/a")
    assert [key.rsplit("/", 1)[1] for key in versions(s3, store)] == ["ab"]
    store.delete("orders/p/a")


def test_unfinished_uploads_of_one_database_are_found_and_thrown_away(s3, store):
    prefix = store.url.removeprefix(f"s3://{s3.bucket}/")
    client = s3.client()
    for key in ("orders/p/base", "orders-eu/p/base"):
        upload = client.create_multipart_upload(Bucket=s3.bucket, Key=f"{prefix}/{key}")
        client.upload_part(
            Bucket=s3.bucket, Key=f"{prefix}/{key}", UploadId=upload["UploadId"], PartNumber=1, Body=b"x" * 100
        )
    assert [each.key for each in store.unfinished("orders/")] == ["orders/p/base"]
    assert [each.key for each in points.sweep(store, "orders")] == ["orders/p/base"]
    assert [each.key for each in store.unfinished("")] == ["orders-eu/p/base"]


def test_two_prefixes_of_one_bucket_do_not_see_each_other(s3):
    name = uuid.uuid4().hex
    one, other = S3Store(s3.client(), s3.bucket, f"/{name}/"), S3Store(s3.client(), s3.bucket, f"{name}-other")
    one.put("orders/p/a", b"")
    assert one.url == f"s3://{s3.bucket}/{name}"
    assert list(other.items("")) == []


@pytest.mark.parametrize("name", ["größe ü", "a b", "a+b", "a%20b", "a&b=c?d#e", "'\"`$(id)"])
def test_a_key_is_taken_literally(store, name):
    store.put(f"orders/p/{name}", b"x")
    assert [item.key for item in store.items("orders/p/")] == [f"orders/p/{name}"]
    with store.open(f"orders/p/{name}") as file:
        assert file.read() == b"x"
    store.delete(f"orders/p/{name}")
    assert list(store.items("")) == []


def test_more_objects_than_a_page_are_all_listed(store, s3):
    client = s3.client()
    prefix = store.url.removeprefix(f"s3://{s3.bucket}/")
    threads = [
        threading.Thread(
            target=lambda start=start: [
                client.put_object(Bucket=s3.bucket, Key=f"{prefix}/orders/{n:05}", Body=b"")
                for n in range(start, 1050, 8)
            ]
        )
        for start in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = [item.key for item in store.items("orders/")]
    assert len(found) == 1050
    assert found == sorted(found)


def test_a_missing_object_is_named_and_nothing_is_tried_again(store):
    with pytest.raises(StepFailed, match="NoSuchKey") as failed, store.open("orders/p/none"):
        pass
    assert "orders/p/none" in str(failed.value)
    assert not failed.value.transient


def test_a_download_cut_in_the_middle_is_an_error_and_not_an_end(s3, store, broken_line):
    import boto3
    from botocore.config import Config

    store.write("orders/p/base", Noise(8_000_000), expected_bytes=8_000_000)
    line = broken_line(s3.port)
    line.faults.bytes_per_second = 2_000_000
    client = boto3.client(
        "s3",
        endpoint_url=line.url,
        region_name=s3.region,
        aws_access_key_id=s3.credentials.access_key,
        aws_secret_access_key=s3.credentials.secret_key,
        config=Config(s3={"addressing_style": "path"}, read_timeout=3, retries={"total_max_attempts": 1}),
    )
    far = S3Store(client, s3.bucket, store.url.removeprefix(f"s3://{s3.bucket}/"))
    with far.open("orders/p/base") as file:
        assert file.read(1000)
        line.faults.refuse = True
        line.reset()
        with pytest.raises(Unavailable, match="orders/p/base"):
            b"".join(iter(lambda: file.read(1 << 20), b""))


def test_a_removed_point_leaves_no_version_of_anything(s3, store):
    point, other = commit(store), commit(store, "billing")
    evidence(store, point)
    points.attest(store, point, passed=True, at=NOW, content={})
    points.attest(store, point, passed=True, at=NOW, content={"again": 1})
    points.hold(store, point, reason="case", who="legal", at=NOW)
    points.release(store, point)
    points.remove(store, point)
    left = {key.split("/")[1] for key in versions(s3, store)}
    assert left == {"billing"}
    assert points.verify_objects(store, other, points.manifest(store, other)) == []


MEASURE = """
import json, os, sys
from contextlib import ExitStack
import boto3, pyrage, zstandard
from botocore.config import Config
from day2.repository import streams
from day2.repository.s3 import S3Store
import boto3.s3.transfer
asked = json.load(sys.stdin)
client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}), **asked["client"])
client.list_objects_v2(Bucket=asked["bucket"], MaxKeys=1)
block = os.urandom(1 << 20)
class Source:
    left = 320
    def read(self, size=-1):
        self.left -= 1
        return block if self.left >= 0 else b""
recipient = str(pyrage.x25519.Identity.generate().to_public())
def peak():  # not ru_maxrss: that one is inherited from the process that started us
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
before = peak()
with ExitStack() as stack:
    stream = stack.enter_context(streams.compressed(streams.Tally(Source()), level=1, threads=1))
    stream = stack.enter_context(streams.encrypted(streams.Tally(stream), [recipient]))
    S3Store(client, asked["bucket"], asked["prefix"]).write("orders/p/base", streams.Tally(stream), expected_bytes=1)
print(peak() - before)
"""


def test_an_upload_needs_memory_for_a_few_parts_whatever_its_size(s3, store):
    """MB of peak memory that 320 MB cost on their way, compressed and encrypted, in a process of its own."""
    import json

    asked = {
        "bucket": s3.bucket,
        "prefix": store.url.removeprefix(f"s3://{s3.bucket}/"),
        "client": {
            "endpoint_url": s3.endpoint_url,
            "region_name": s3.region,
            "aws_access_key_id": s3.credentials.access_key,
            "aws_secret_access_key": s3.credentials.secret_key,
        },
    }
    include = str(Path(streams.__file__).parents[2])
    done = subprocess.run(
        (sys.executable, "-c", MEASURE),
        input=json.dumps(asked), capture_output=True, text=True, check=True, env={"PYTHONPATH": include},
    )  # fmt: skip
    print(f"peak: {done.stdout.strip()} MB")
    assert int(done.stdout) < PEAK_MB
    store.delete("orders/p/base")
