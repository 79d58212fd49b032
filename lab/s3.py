"""An S3 endpoint on loopback: SeaweedFS, a real and persistent object store. Nothing here is simulated.

It checks signatures and digests, keeps versions, and enforces object locks. One server stands for one
region. Its telemetry is off.
"""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from lab.files import write_json, write_private
from lab.ports import LOOPBACK
from lab.processes import Processes, wait_until

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A bucket's owner makes it; Day 2 may read, write, list and lock, but a missing bucket is an error for it.
ACTIONS = (
    "Read",
    "Write",
    "List",
    "Tagging",
    "GetObjectRetention",
    "PutObjectRetention",
    "GetObjectLegalHold",
    "PutObjectLegalHold",
    "GetBucketObjectLockConfiguration",
)
PARTS = ("master", "volume", "filer", "s3")
PORTS = tuple(f"{part}{kind}" for part in PARTS for kind in ("", ".grpc"))


@dataclass
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)


@dataclass
class ObjectStore:
    """One region's object store. `ports` has a port for each of PORTS."""

    region: str
    home: Path
    ports: Mapping[str, int]
    admin: Credentials
    user: Credentials
    processes: Processes

    @property
    def name(self) -> str:
        return f"s3-{self.region}"

    @property
    def endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.ports['s3']}"

    def start(self, *, seconds: float = 90) -> None:
        """Start and wait until it stores objects. Nothing happens if it runs."""
        if not self.processes.pid(self.name):
            (self.home / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
            write_json(self.home / "identities.json", {"identities": self._identities()})
            # Options in a file: a process list shows less, and no length limit applies.
            options = "".join(f"{key}={value}\n" for key, value in self._options().items())
            write_private(self.home / "options", options)
            command = (weed(), "-logtostderr", "server", f"-options={self.home / 'options'}")
            self.processes.start(self.name, command)
        wait_until(self._ready, self.name, seconds=seconds)

    def stop(self) -> bool:
        """Stop; it takes about 15 s to close its own connections."""
        stopped = self.processes.stop(self.name, grace=30)
        sweep_sockets(self.ports.values())
        return stopped

    def kill(self) -> None:
        """End it at once. What it has acknowledged is in the kernel's hands, so nothing is lost."""
        self.processes.stop(self.name, grace=0)
        sweep_sockets(self.ports.values())

    def client(self, credentials: Credentials | None = None, **config: Any) -> S3Client:
        """A boto3 client, as Day 2's own user unless said otherwise."""
        import boto3
        from botocore.config import Config

        who = credentials or self.user
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=who.access_key,
            aws_secret_access_key=who.secret_key,
            config=Config(**{"s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 2}, **config}),
        )

    def ensure_bucket(self, bucket: str, *, lock: bool = False) -> None:
        """Make a versioned bucket, with object lock if asked, unless there is one."""
        client = self.client(self.admin)
        if bucket in {each["Name"] for each in client.list_buckets()["Buckets"]}:
            return
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=lock)
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def _identities(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "credentials": [{"accessKey": who.access_key, "secretKey": who.secret_key}],
                "actions": list(actions),
            }
            for name, who, actions in (("admin", self.admin, ("Admin",)), ("day2", self.user, ACTIONS))
        ]

    def _options(self) -> dict[str, object]:
        ports = {f"{part}.port{kind}": self.ports[f"{part}{kind}"] for part in PARTS for kind in ("", ".grpc")}
        return {
            **ports,
            "dir": self.home / "data",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.telemetry": "false",
            "master.electionTimeout": "1s",  # one master: nobody to wait 10 s for
            "master.volumeSizeLimitMB": 1024,
            "volume.max": 0,
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.localSocket": self.home / "filer.sock",
            "s3": "true",
            "s3.config": self.home / "identities.json",
            "s3.autoCreateBucket": "false",
            "s3.localSocket": self.home / "s3.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }

    def _ready(self) -> bool:
        self.processes.require(self.name)
        try:
            # The volume server must have reported to the master before an object can be stored.
            assign = f"http://{LOOPBACK}:{self.ports['master']}/dir/assign?collection=ready"
            urllib.request.urlopen(assign, timeout=5).close()
            self.client(self.admin).list_buckets()
        except (urllib.error.URLError, ConnectionError, _boto_errors()):
            return False
        return True


def sweep_sockets(grpc_ports: Iterable[int]) -> None:
    """Remove the Unix sockets it leaves in /tmp, under names made of its gRPC ports."""
    for port in grpc_ports:
        for part in PARTS:
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108


def weed() -> str:
    """The program, from the environment this Python runs in. Raises StepFailed if it is not installed."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if found is None:
        raise StepFailed("no `weed` program (SeaweedFS)", next_step="install lab/requirements.txt")
    return found


def _boto_errors() -> type[Exception]:
    from botocore.exceptions import BotoCoreError

    return BotoCoreError
