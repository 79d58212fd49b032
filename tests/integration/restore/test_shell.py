"""What an operator sees of `day2 backup` and `day2 restore`: lists, damage by name, and one clear line a failure."""

from __future__ import annotations

import csv
import io
import json
import shutil
import uuid

import pyrage
import pytest

from day2.repository.folder import FolderStore
from day2.repository.s3 import S3Store
from tests.integration.restore.making import DATABASE, NAME
from tests.integration.restore.shell import day2, refusal, succeeded


@pytest.fixture
def store(kept, tmp_path) -> FolderStore:
    """The repository once more, to change."""
    copy = FolderStore(tmp_path / "repository with spaces")
    shutil.copytree(kept.store.root, copy.root)
    return copy


@pytest.fixture
def bucket(kept, s3):
    """The repository in a bucket: its url, and the standard variables that open it."""
    place = S3Store(s3.client(), s3.bucket, uuid.uuid4().hex)
    for item in kept.store.items(""):
        with kept.store.open(item.key) as file:
            place.write(item.key, file, expected_bytes=item.bytes)
    variables = {
        "AWS_ENDPOINT_URL_S3": s3.endpoint_url,
        "AWS_ACCESS_KEY_ID": s3.credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.credentials.secret_key,
        "AWS_DEFAULT_REGION": s3.region,
    }
    return place.url, variables


def test_points_are_listed_for_people_and_for_programs(kept, store):
    said = succeeded(day2("backup", "list", "--repository", store.url))
    assert kept.logical in said
    assert "not tested" in said
    found = json.loads(succeeded(day2("backup", "list", "--format", "json", DAY2_REPOSITORY=store.url)))
    assert [each["point"] for each in found] == [kept.physical, kept.logical]
    assert found[0]["bytes"] > 10_000
    rows = list(
        csv.DictReader(io.StringIO(succeeded(day2("backup", "list", "--format", "csv", DAY2_REPOSITORY=store.url))))
    )
    assert (rows[1]["point"], rows[1]["verified"], rows[1]["held"]) == (kept.logical, "", "no")


def test_a_point_says_what_it_is_and_holds(kept, store):
    said = succeeded(day2("backup", "show", kept.physical, "--repository", store.url))
    for expected in (
        NAME,
        "physical, pg_basebackup",
        "base.tar.zst.age",
        "age1",
        "public.everything",
        "401",
        "exactly",
    ):
        assert expected in said
    described = json.loads(succeeded(day2("backup", "show", "latest", "--format", "json", "--repository", store.url)))
    assert (described["point"], described["dbname"]) == (kept.logical, NAME)


def test_a_repository_in_a_bucket_needs_only_the_usual_variables(bucket, kept):
    url, variables = bucket
    assert kept.logical in succeeded(day2("backup", "list", "--repository", url, **variables))
    said = succeeded(day2("backup", "verify", "all", "--repository", url, **variables))
    assert said.count("ok ") == 2


def test_a_restore_straight_from_a_bucket_is_proven(bucket, kept, scratch, tmp_path):
    url, variables = bucket
    identity = tmp_path / "identity"
    identity.write_text(kept.key)
    done = day2(
        "restore", kept.physical, "--database", DATABASE, "--scratch", "--repository", url,
        "--identity", identity, DAY2_SCRATCH=str(scratch), **variables,
    )  # fmt: skip
    assert "and equal" in succeeded(done)


def test_every_damaged_object_is_named(kept, store):
    succeeded(day2("backup", "verify", "--repository", store.url))
    for item in list(store.items("")):
        path = store.root / item.key
        whole = path.read_bytes()
        path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        done = day2("backup", "verify", "--repository", store.url)
        assert "1 of 2 recovery points are damaged" in refusal(done)
        assert item.key in done.stderr
        assert done.stdout.count("DAMAGED") == 1
        path.write_bytes(whole)


def test_a_missing_object_is_named(kept, store):
    lost = next(item.key for item in store.items("") if item.key.endswith("roles.sql.zst.age"))
    (store.root / lost).unlink()
    done = day2("backup", "verify", kept.logical, "--repository", store.url)
    refusal(done)
    assert lost in done.stderr


def test_nothing_to_verify_is_no_success(tmp_path):
    assert "nothing was read" in refusal(day2("backup", "verify", "--repository", tmp_path.as_uri()))


def test_a_hold_is_set_shown_and_lifted(kept, store):
    at = ("--repository", store.url)
    assert "legal hold: case 4711" in succeeded(day2("backup", "hold", kept.logical, "--reason", "case 4711", *at))
    assert "legal hold" in succeeded(day2("backup", "list", *at))
    succeeded(day2("backup", "release", kept.logical, *at))
    assert "legal hold" not in succeeded(day2("backup", "list", *at))
    assert "is not under legal hold" in refusal(day2("backup", "release", kept.logical, *at))


def test_a_missing_bucket_and_wrong_credentials_are_one_line(bucket):
    _, variables = bucket
    assert "NoSuchBucket" in refusal(day2("backup", "list", "--repository", "s3://no-such-bucket-here", **variables))
    wrong = variables | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    assert "SignatureDoesNotMatch" in refusal(day2("backup", "list", "--repository", "s3://day2-test/x", **wrong))
    nobody = {"AWS_ENDPOINT_URL_S3": variables["AWS_ENDPOINT_URL_S3"], "AWS_EC2_METADATA_DISABLED": "true"}
    assert "no S3 credentials" in refusal(day2("backup", "list", "--repository", "s3://day2-test/x", **nobody))


def test_a_repository_that_is_none_is_one_line(tmp_path):
    assert "no repository is named" in refusal(day2("backup", "list"))
    assert "not a repository" in refusal(day2("backup", "list", "--repository", "/just/a/path"))
    missing = (tmp_path / "not mounted").as_uri()
    assert "is not a folder" in refusal(day2("backup", "list", "--repository", missing))


def restore(kept, *arguments: str, **variables: str) -> str:
    done = day2("restore", *arguments, "--database", DATABASE, "--repository", kept.store.url, **variables)
    return refusal(done)


def test_a_restore_that_cannot_be_meant_is_one_line(kept, tmp_path):
    identity = tmp_path / "identity"
    identity.write_text(kept.key)
    key = ("--identity", str(identity))
    assert "exactly one destination" in restore(kept, "latest", *key)
    assert "exactly one destination" in restore(kept, "latest", "--scratch", "--to-server", "host=x", *key)
    assert "neither `latest`" in restore(kept, "yesterday", "--scratch", *key)
    assert "does not say its time zone" in restore(kept, "2026-11-23T02:15:00", "--scratch", *key)
    assert "no recovery between points" in restore(kept, "2001-01-01T00:00:00Z", "--scratch", *key)
    assert "no recovery point '20010101" in restore(kept, "20010101T000000Z-00000000", "--scratch", *key)
    assert "not a copy of a server" in restore(kept, kept.logical, "--data-directory", str(tmp_path / "new"), *key)
    assert "is not an empty folder" in restore(kept, kept.physical, "--data-directory", str(tmp_path), *key)


def test_a_wrong_key_is_one_line_and_stays_secret(kept, tmp_path):
    other = str(pyrage.x25519.Identity.generate())
    (tmp_path / "other").write_text(other)
    said = restore(kept, "latest", "--scratch", "--identity", str(tmp_path / "other"))
    assert "the identity belongs to age1" in said
    assert other not in said
    assert "no identity was given" in restore(kept, "latest", "--scratch")
    (tmp_path / "empty").write_text("# nothing\n")
    assert "holds 0 age identities" in restore(kept, "latest", "--scratch", "--identity", str(tmp_path / "empty"))


def test_a_server_that_refuses_is_one_line_without_the_password(kept, shared, tmp_path):
    (tmp_path / "identity").write_text(kept.key)
    key = ("--identity", str(tmp_path / "identity"))
    conninfo = f"host=127.0.0.1 port={shared.port} user=postgres"
    said = restore(kept, "latest", "--to-server", f"{conninfo} password=geheim", *key)
    assert "process list" in said
    assert "geheim" not in said
    assert "authentication failed" in restore(kept, "latest", "--to-server", conninfo, *key, PGPASSWORD="wrong")
    assert "cannot connect" in restore(kept, "latest", "--to-server", "host=127.0.0.1 port=1", *key)
