"""An S3 bucket, or anything that speaks its protocol, as a store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, cast

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.readable import Readable
from day2.repository.store import Item, LockState, Unfinished
from day2.repository.streams import Tally

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PART = 16 << 20
PARTS_IN_MEMORY = 4
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: at most 10,000 parts an upload.
MOST_PARTS = 9_000
DENIED = {"AccessDenied", "403", "Forbidden"}
CREDENTIALS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
MISSING = {"NoSuchKey", "404", "NotFound"}


class S3Store:
    """Objects are keys below `prefix` in a bucket. Memory: 4 parts of 16 MiB, more above 144 GB."""

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.url = f"s3://{bucket}/{self._prefix}".rstrip("/")

    def check(self) -> None:
        with self._explained(""):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def write(self, key: str, source: Readable, *, expected_bytes: int) -> None:
        from boto3.s3.transfer import TransferConfig

        part = max(PART, -(-expected_bytes // MOST_PARTS))
        config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=PARTS_IN_MEMORY)
        config.max_in_memory_upload_chunks = PARTS_IN_MEMORY
        # boto takes a short read for the end of the stream; a tally fills each read.
        whole = source if isinstance(source, Tally) else Tally(source)
        with self._explained(key):
            self._client.upload_fileobj(cast(IO[bytes], whole), self._bucket, self._prefix + key, Config=config)

    def put(self, key: str, data: bytes) -> None:
        with self._explained(key):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data)

    @contextmanager
    def open(self, key: str) -> Iterator[Readable]:
        with self._explained(key):
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"]
        try:
            yield _Body(body, self, key)
        finally:
            body.close()

    def items(self, prefix: str) -> Iterator[Item]:
        with self._explained(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for each in page.get("Contents", []):
                    yield Item(each["Key"].removeprefix(self._prefix), each["Size"], each["LastModified"])

    def delete(self, key: str) -> None:
        with self._explained(key):
            for version in self._versions(key):
                self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key, VersionId=version)

    def unfinished(self, prefix: str) -> Iterator[Unfinished]:
        with self._explained(prefix):
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for each in page.get("Uploads", []):
                    key = each["Key"].removeprefix(self._prefix)
                    yield Unfinished(key, each["UploadId"], each["Initiated"])

    def abort(self, upload: Unfinished) -> None:
        with self._explained(upload.key):
            self._client.abort_multipart_upload(
                Bucket=self._bucket, Key=self._prefix + upload.key, UploadId=upload.token
            )

    def lock(self, key: str, *, mode: str, until: datetime) -> LockState:
        from botocore.exceptions import BotoCoreError, ClientError

        target: Any = {"Bucket": self._bucket, "Key": self._prefix + key}
        # S3 keeps whole seconds; a rounded-down time would read back as shorter than asked.
        until = (until + timedelta(seconds=1)).replace(microsecond=0)
        try:
            self._client.put_object_retention(**target, Retention=cast(Any, {"Mode": mode, "RetainUntilDate": until}))
            found = self._client.get_object_retention(**target)["Retention"]
        except ClientError as error:
            return LockState(None, None, f"{self.url}/{key}: {_code(error)}: {_message(error)}")
        except BotoCoreError as error:
            raise self.explain(key, error) from error
        kept = found.get("RetainUntilDate")
        state = LockState(found.get("Mode"), kept.astimezone(UTC) if kept else None)
        if state.mode != mode or state.retain_until is None or state.retain_until < until:
            return LockState(state.mode, state.retain_until, f"{self.url}/{key}: asked {mode} until {until}")
        return state

    def locked_until(self, key: str) -> datetime | None:
        with self._explained(key):
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        until = head.get("ObjectLockRetainUntilDate")
        return until.astimezone(UTC) if until else None

    def deletion_denied(self, key: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        with self._explained(key):
            versions = list(self._versions(key))
        if not versions:
            return False
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key, VersionId=versions[0])
        except ClientError as error:
            return _code(error) in DENIED
        except BotoCoreError as error:
            raise self.explain(key, error) from error
        return False

    def _versions(self, key: str) -> Iterator[str]:
        """Every version and delete marker of one key, newest first; `null` where there is no versioning."""
        full = self._prefix + key
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=full)
        for page in pages:
            for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                if each["Key"] == full:
                    yield each["VersionId"]

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn what boto raises into one clear error that names the object."""
        import boto3.exceptions
        from botocore import exceptions

        try:
            yield
        except boto3.exceptions.S3UploadFailedError as error:
            raise self.explain(key, error.__context__ or error) from error
        except (exceptions.BotoCoreError, exceptions.ClientError) as error:
            raise self.explain(key, error) from error

    def explain(self, key: str, error: BaseException) -> Day2Error:
        """The error a person should read, for what boto raised about an object."""
        from botocore.exceptions import ClientError

        where = f"{self.url}/{key}".rstrip("/")
        left = "no recovery point was committed by this attempt"
        runbook = "Repository out of reach"
        if not isinstance(error, ClientError):
            return Unavailable(
                f"{where}: {type(error).__name__}: {error}",
                left=left,
                next_step="check that the endpoint answers from the worker",
                runbook=runbook,
            )
        code, status = _code(error), error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        said = f"{where}: {code}: {_message(error)}"
        if code == "NoSuchBucket":
            step = f"create the bucket {self._bucket}, or correct the repository's url in the inventory"
            return StepFailed(said, left=left, next_step=step, runbook=runbook)
        if code in CREDENTIALS or code in DENIED:
            step = "check the key and the rights behind the repository's connection; a locked object cannot go early"
            return StepFailed(said, left=left, next_step=step, runbook=runbook)
        if code in MISSING:
            return StepFailed(said, left="nothing was changed", next_step="list what there is: day2 backup list")
        if status >= 500 or code in {"SlowDown", "RequestTimeout", "Throttling"}:
            step = "wait for the object store to recover; the task retries by itself"
            return Unavailable(said, left=left, next_step=step, runbook=runbook)
        return StepFailed(said, left=left, next_step="see the code's meaning in the S3 reference", runbook=runbook)


class _Body:
    """A response body whose read errors are explained like every other call."""

    def __init__(self, body: Any, store: S3Store, key: str) -> None:
        self._body, self._store, self._key = body, store, key

    def read(self, size: int = -1) -> bytes:
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from urllib3.exceptions import HTTPError

        try:
            data: bytes = self._body.read(None if size < 0 else size)
        except (BotoCoreError, HTTPClientError, HTTPError, OSError) as error:
            raise self._store.explain(self._key, error) from error
        return data


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))
