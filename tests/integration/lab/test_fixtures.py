"""The servers tests run against are what they claim to be."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lab.faults import Proxy
from lab.postgres import Server


def test_a_server_has_checksums_and_lets_nobody_in_without_the_password(postgres: Server) -> None:
    with postgres.connect() as connection:
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.conninfo(password="wrong"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(postgres.conninfo(password=""))


def test_both_forms_of_address_carry_an_awkward_password(postgres: Server, database: str) -> None:
    for address in (postgres.conninfo(database), postgres.dsn(database)):
        with psycopg.connect(address) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == (database,)


def test_a_killed_server_starts_again_with_what_was_committed(make_postgres: Callable[..., Server]) -> None:
    server = make_postgres()
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    server.kill()
    assert not server.running
    server.start()
    with server.connect() as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_stop_does_not_wait_for_clients(make_postgres: Callable[..., Server], mode: str) -> None:
    server = make_postgres()
    with server.connect():
        assert server.stop(mode)
    assert not server.running
    assert not server.stop(mode)


def test_a_locked_version_cannot_be_deleted_by_anyone(s3) -> None:
    client = s3.client()
    until = datetime.now(UTC) + timedelta(days=1)
    put = client.put_object(
        Bucket=s3.locked_bucket, Key="k", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )
    for who in (client, s3.store.client(s3.store.admin)):
        with pytest.raises(ClientError, match="AccessDenied"):
            who.delete_object(Bucket=s3.locked_bucket, Key="k", VersionId=put["VersionId"])
    retention = client.get_object_retention(Bucket=s3.locked_bucket, Key="k")["Retention"]
    assert retention["Mode"] == "COMPLIANCE"
    assert abs(retention["RetainUntilDate"] - until) < timedelta(seconds=1)


def test_a_missing_bucket_is_an_error_and_is_not_made(s3) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.client().put_object(Bucket="no-such-bucket", Key="k", Body=b"x")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.client().create_bucket(Bucket="no-such-bucket")


def through(s3, line: Proxy, **config):
    """A client that reaches the store through a proxy."""
    import boto3
    from botocore.config import Config

    who = s3.credentials
    keys = {"aws_access_key_id": who.access_key, "aws_secret_access_key": who.secret_key}
    settings = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **config)
    return boto3.client("s3", endpoint_url=line.url, region_name=s3.region, config=settings, **keys)


def test_the_proxy_passes_signed_requests_unchanged(s3, broken_line) -> None:
    client = through(s3, broken_line(s3.port))
    client.put_object(Bucket=s3.bucket, Key="through", Body=b"x" * 200_000)
    assert client.get_object(Bucket=s3.bucket, Key="through")["Body"].read() == b"x" * 200_000


def test_the_proxy_answers_so_many_requests_with_an_error(s3, broken_line) -> None:
    line = broken_line(s3.port)
    client = through(s3, line)
    line.faults.errors = 2
    for _ in range(2):
        with pytest.raises(ClientError, match="500"):
            client.put_object(Bucket=s3.bucket, Key="e", Body=b"x" * 300_000)
    client.put_object(Bucket=s3.bucket, Key="e", Body=b"x" * 300_000)
    assert line.faults.errors_given == 2


def test_the_proxy_cuts_an_upload_after_so_many_bytes(s3, broken_line) -> None:
    line = broken_line(s3.port)
    line.faults.cut_after = 100_000
    with pytest.raises((BotoCoreError, ConnectionError)):
        through(s3, line).put_object(Bucket=s3.bucket, Key="cut", Body=b"x" * 5_000_000)
    assert line.faults.cuts >= 1
    with pytest.raises(ClientError, match="404"):
        s3.client().head_object(Bucket=s3.bucket, Key="cut")


def test_the_proxy_swallows_everything_until_it_heals(s3, broken_line) -> None:
    line = broken_line(s3.port)
    line.faults.black_hole = True
    client = through(s3, line, read_timeout=1, connect_timeout=1)
    with pytest.raises(BotoCoreError, match="[Tt]imeout"):
        client.list_objects_v2(Bucket=s3.bucket)
    line.faults.heal()
    client.list_objects_v2(Bucket=s3.bucket)


def test_the_proxy_slows_down(s3, broken_line) -> None:
    line = broken_line(s3.port)
    line.faults.bytes_per_second = 500_000
    started = time.monotonic()
    through(s3, line).put_object(Bucket=s3.bucket, Key="slow", Body=b"x" * 500_000)
    assert time.monotonic() - started > 0.8


def test_the_proxy_works_for_postgres_too(postgres: Server, broken_line) -> None:
    line = broken_line(postgres.port)
    with psycopg.connect(postgres.conninfo(port=line.port), autocommit=True) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        line.reset()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
