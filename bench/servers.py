"""The servers that are measured against: a source with data in it, a target for dumps, an object store.

Their data folder is kept between runs, so only the first run pays for generating it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import sql

from day2.postgres import scratch
from day2.postgres.binaries import Binaries, for_server
from day2.postgres.server import Server
from day2.repository.folder import FolderStore
from day2.repository.s3 import S3Store
from day2.repository.store import Store
from lab import places, postgres
from lab.files import own_folder
from lab.places import Places
from lab.ports import LOOPBACK, Ports
from lab.processes import Processes
from lab.s3 import PORTS, Credentials, ObjectStore
from lab.say import say, timed
from lab.secrets import Secrets

DATABASE, TARGET, BUCKET = "bench", "bench_restored", "day2-bench"
PGBENCH_SCALE = 150
WIDE_ROWS = 1_500_000
SOURCE = {
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "maintenance_work_mem": "256MB",
    "checkpoint_timeout": "30min",
    "autovacuum": "off",  # nothing but the measured work may cost the server CPU
}


@dataclass(frozen=True)
class S3:
    """How to reach the object store."""

    endpoint_url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    def client(self) -> S3Store:
        """A store of our own kind on it."""
        import boto3
        from botocore.config import Config

        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 2})
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=config,
        )
        return S3Store(client, BUCKET)


@dataclass(frozen=True)
class Bench:
    """Everything a measured process needs to know; it is pickled to get there."""

    folder: Path
    source: Server
    target: Server
    s3: S3
    recipient: str
    identity: str = field(repr=False)
    pids: dict[str, int]
    major: int

    @property
    def binaries(self) -> Binaries:
        """The programs that belong to the servers."""
        return for_server(self.major)

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    def store(self, kind: str) -> Store:
        """The store called `folder` or `s3`."""
        return FolderStore(self.repository) if kind == "folder" else self.s3.client()

    @property
    def everything(self) -> tuple[int, ...]:
        """The pids of all servers, whose CPU counts with the work."""
        return tuple(self.pids.values())


def state_folder() -> Path:
    """`DAY2_BENCH`, or `.day2/bench` in the checkout."""
    return Path(os.environ.get("DAY2_BENCH") or places.CHECKOUT / ".day2" / "bench").resolve()


@contextmanager
def running(scale: float) -> Iterator[Bench]:
    """Start the servers, generating the data if it is not there in this scale; stop them at the end."""
    os.environ["DAY2_STATE"] = str(state_folder())
    where = places.prepare()
    (where.state / "repository").mkdir(exist_ok=True)
    secrets, ports = Secrets(where.state / "secrets.json"), Ports(where.state / "ports.json")
    source = _server("bench-source", where, ports, secrets=secrets, settings=SOURCE)
    target = _server("bench-target", where, ports, secrets=secrets, settings={**scratch.FAST, "max_wal_size": "4GB"})
    store = _object_store(where, ports, secrets=secrets)
    try:
        for each in (source, target):
            each.create()
            each.start()
        _fill(source, scale)
        store.start()
        store.ensure_bucket(BUCKET)
        recipient, identity = secrets.age()
        yield Bench(
            folder=where.state,
            source=_ours(source, DATABASE),
            target=_ours(target, TARGET),
            s3=S3(store.endpoint_url, store.region, store.user.access_key, store.user.secret_key),
            recipient=recipient,
            identity=identity,
            major=source.binaries.major,
            pids={name: pid for name in (source.name, target.name, store.name) if (pid := _processes(where).pid(name))},
        )
    finally:
        store.kill()
        target.stop()
        source.stop()


def _processes(where: Places) -> Processes:
    return Processes(where.run, where.logs)


def _server(name: str, where: Places, ports: Ports, *, secrets: Secrets, settings: dict[str, str]) -> postgres.Server:
    processes = _processes(where)
    return postgres.Server(
        name=name,
        home=own_folder(where.servers / name, where.run_as),
        port=ports[name] if processes.pid(name) else ports.claim(name),
        password=secrets.password(f"{name}/postgres"),
        processes=processes,
        binaries=places.server_binaries(where),
        run_as=where.run_as,
        settings=settings,
    )


def _object_store(where: Places, ports: Ports, *, secrets: Secrets) -> ObjectStore:
    region, processes = "bench", _processes(where)
    home = where.state / "s3" / region
    home.mkdir(mode=0o700, exist_ok=True)
    known = processes.pid(f"s3-{region}")
    chosen = {each: ports[f"s3-{region}-{each}"] if known else ports.claim(f"s3-{region}-{each}") for each in PORTS}
    admin, user = (Credentials(who, secrets.password(f"s3-{region}/{who}")) for who in ("bench-admin", "bench"))
    return ObjectStore(region, home, chosen, admin, user, processes)


def _ours(server: postgres.Server, dbname: str) -> Server:
    return Server(LOOPBACK, server.port, postgres.SUPERUSER, dbname, server.password)


def _fill(server: postgres.Server, scale: float) -> None:
    """Generate the database unless it is there whole, in this scale."""
    label = f"scale {scale:g}, {PGBENCH_SCALE} × pgbench, {WIDE_ROWS} rows"
    with server.connect() as connection:
        query = "SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
        if connection.execute(query, (DATABASE,)).fetchone() == (label,):
            return
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    with timed(f"Data, scale {scale:g}"):
        _pgbench(server, max(1, round(PGBENCH_SCALE * scale)))
        with server.connect(DATABASE) as connection:
            connection.execute("SELECT set_config('bench.rows', %s, false)", (str(round(WIDE_ROWS * scale)),))
            connection.execute((Path(__file__).parent / "wide.sql").read_bytes())
            connection.execute("VACUUM (FREEZE, ANALYZE)")
            connection.execute("CHECKPOINT")
            name = sql.Identifier(DATABASE)
            connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(label)))
    say(f"  {DATABASE} is there")


def _pgbench(server: postgres.Server, scale: int) -> None:
    command = (server.binaries["pgbench"], "--initialize", "--init-steps=dtgp", f"--scale={scale}", "--quiet", DATABASE)
    env = {
        "PATH": os.defpath,
        "PGHOST": LOOPBACK,
        "PGPORT": str(server.port),
        "PGUSER": postgres.SUPERUSER,
        "PGPASSWORD": server.password,
    }
    subprocess.run(command, check=True, env=env, capture_output=True)
