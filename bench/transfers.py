"""The act step's transfer, ours and the bare tool's: the same server, options, destination and key."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

from bench.servers import BUCKET, Bench
from day2.inventory.model import BackupPolicy, Database, Repository
from day2.operations.database_backup.job import Job, Place, Upload, store
from day2.postgres.programs import inherited
from day2.repository.manifest import StoredObject

Engine = Literal["physical", "logical"]
Where = Literal["folder", "s3"]
LEVEL, WORKERS = 3, 2
OBJECT = {"physical": "base.tar", "logical": "dump.pgdump"}


def job(bench: Bench, engine: Engine, *, where: Where, encrypt: bool) -> Job:
    """The job an Airflow task would make from the inventory."""
    url = f"s3://{BUCKET}" if where == "s3" else bench.repository.as_uri()
    policy = BackupPolicy(
        engine=engine, encryption="none", compression_level=LEVEL, compression_workers=WORKERS, scratch=bench.folder
    )
    return Job(
        environment="bench",
        database=Database(name="bench", connection="bench", region="bench"),
        policy=policy,
        server=bench.source,
        primary=Place(Repository(name="primary", url=url, region="bench"), bench.store(where)),
        copies=(),
        recipients=(bench.recipient,) if encrypt else (),
        run="bench/bench",
        plan_digest="0" * 64,
        policy_hash="0" * 64,
    )


@dataclass
class Ours:
    """`job.store` fed by the engine's program: what the act step does, less the fingerprints."""

    bench: Bench
    engine: Engine
    where: Where
    encrypt: bool
    prefix: str = "ours/"
    bare = False

    def prepare(self) -> None:
        import psycopg
        import pyrage
        import zstandard

        self._imported = (psycopg, pyrage, zstandard)
        self._job = job(self.bench, self.engine, where=self.where, encrypt=self.encrypt)

    def run(self) -> int:
        return self.take().bytes

    def take(self) -> StoredObject:
        """The object as a manifest would name it."""
        from day2.postgres import basebackup, dump, fingerprint

        binaries = self.bench.binaries
        if self.engine == "physical":
            upload = Upload(self.prefix, OBJECT["physical"], "base", compress=False, expected_bytes=4 << 30)
            with basebackup.copying(binaries, self.bench.source, label="bench", level=LEVEL, workers=WORKERS) as (
                program,
                _,
            ):
                return store(self._job, upload, program)
        upload = Upload(self.prefix, OBJECT["logical"], "dump", compress=True, expected_bytes=4 << 30)
        with (
            fingerprint.snapshot(self.bench.source) as (_, snapshot),
            dump.dumping(binaries, self.bench.source, snapshot) as program,
        ):
            return store(self._job, upload, program)

    def clean(self) -> None:
        remove(self.bench, self.where, self.prefix)


@dataclass
class WholeAct(Ours):
    """All of `back_up`: sweep, transfer, fingerprints, manifest."""

    prefix: str = "bench/"

    def run(self) -> int:
        from day2.operations.database_backup import take

        return int(take.back_up(self._job)["stored_bytes"])


@dataclass
class Bare:
    """The tool itself, in a shell pipeline, with nothing of ours in between."""

    bench: Bench
    engine: Engine
    where: Where
    encrypt: bool
    prefix: str = "bare/"
    bare = True

    @property
    def command(self) -> str:
        """As a person would type it; the file is on disk at its end, as ours is."""
        return " | ".join(self._stages())

    def prepare(self) -> None:
        (self.bench.repository / self.prefix).mkdir(exist_ok=True)

    def run(self) -> int:
        with self.bench.source.environment() as env:
            env |= credentials(self.bench) | {"BIN": str(self.bench.binaries.folder), "R": self.bench.recipient}
            env |= {"OUT": self._out(), "ENDPOINT": self.bench.s3.endpoint_url, "PYTHON": sys.executable}
            shell(self.command, env)
        return stored_bytes(self.bench, self.where, self.prefix)

    def clean(self) -> None:
        remove(self.bench, self.where, self.prefix)

    def _out(self) -> str:
        key = self.prefix + OBJECT[self.engine]
        return f"s3://{BUCKET}/{key}" if self.where == "s3" else str(self.bench.repository / key)

    def _stages(self) -> list[str]:
        stages = ["$BIN/pg_dump -Fc -Z0 -d bench", f"zstd -q -{LEVEL} -T{WORKERS}"]
        if self.engine == "physical":
            zstd = f"server-zstd:level={LEVEL},workers={WORKERS}"
            stages = [f"$BIN/pg_basebackup -D - -Ft -Z {zstd} -X fetch -c fast --no-manifest"]
        if self.encrypt:
            stages.append("age -r $R")
        if self.where == "folder":
            stages[-1] += " > $OUT && sync $OUT"
            return stages
        return [*stages, uploader()]


def uploader() -> str:
    """AWS's own program if it is here, else its library's upload of stdin with default settings."""
    if shutil.which("aws"):
        return "aws s3 cp --only-show-errors --endpoint-url $ENDPOINT - $OUT"
    return "$PYTHON -m bench.upload $ENDPOINT $OUT"


def credentials(bench: Bench) -> dict[str, str]:
    """For AWS's own program and library."""
    return {
        "AWS_ACCESS_KEY_ID": bench.s3.access_key,
        "AWS_SECRET_ACCESS_KEY": bench.s3.secret_key,
        "AWS_DEFAULT_REGION": bench.s3.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }


def shell(command: str, env: dict[str, str]) -> None:
    """Run a pipeline; any part that fails fails it. Raises CalledProcessError."""
    whole = f"set -euo pipefail; {command}"
    subprocess.run(["bash", "-c", whole], env=env, check=True, stdin=subprocess.DEVNULL, pass_fds=inherited(env))


def stored_bytes(bench: Bench, where: Where, prefix: str) -> int:
    """How much is stored under a prefix."""
    return sum(each.bytes for each in bench.store(where).items(prefix))


def remove(bench: Bench, where: Where, prefix: str) -> None:
    """Delete everything stored under a prefix."""
    held = bench.store(where)
    for each in list(held.items(prefix)):
        held.delete(each.key)
