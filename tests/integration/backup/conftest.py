"""Databases with one of everything in them, on each PostgreSQL installed, and jobs that back them up."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyrage
import pytest
from psycopg import sql

from day2.inventory.model import BackupPolicy, Database, Encryption, Repository
from day2.operations.database_backup.job import Job, Place
from day2.postgres import binaries
from day2.postgres.binaries import Binaries, RunAs
from day2.postgres.server import Server
from day2.repository.s3 import S3Store
from day2.repository.store import Store
from lab.files import own_folder
from lab.ports import LOOPBACK, free_port
from lab.postgres import SUPERUSER, reachable_temporary_folder
from lab.postgres import Server as Running
from lab.processes import Processes
from tests.integration.conftest import PASSWORD, S3

SEED = Path(__file__).with_name("seed.sql")
AWKWARD = "prüf \"db\" =1.'x'; $(id) %s\\"
AWKWARD_ROLE = 'besitzer "o\'r" =$(id)'
BULK_BYTES = 18 << 20  # more than one part (16 MiB)
INSTALLED = [each for each in binaries.installed() if each.has_server]
VERSIONS = [pytest.param(each, id=f"postgresql-{each.major}") for each in INSTALLED]
ENGINES = ["physical", "logical"]


@pytest.fixture(scope="session")
def key() -> str:
    """An age identity."""
    return str(pyrage.x25519.Identity.generate())


MEMORY = Path("/dev/shm")
ENOUGH = 2 << 30


def quick_folder() -> Path:
    """A new folder that servers can reach, in memory where there is room for it."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH:
        return reachable_temporary_folder(binaries.unprivileged())
    folder = Path(tempfile.mkdtemp(prefix="day2-", dir=MEMORY))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def servers() -> Iterator[Path]:
    """A folder for this package's own servers."""
    folder = quick_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for scratch servers that must be empty again at the end of the test."""
    folder = quick_folder()
    yield folder
    left = [each.name for each in folder.iterdir()]
    shutil.rmtree(folder)
    assert left == [], "a scratch server was left behind"


@pytest.fixture(scope="session")
def server_of(servers: Path) -> Iterator[Callable[[Binaries], Running]]:
    """The session's server of an installation, with a database of everything and an empty one."""
    made: dict[Path, Running] = {}

    def get(installation: Binaries) -> Running:
        if installation.folder not in made:
            made[installation.folder] = new_server(servers, installation)
            seed(made[installation.folder])
        return made[installation.folder]

    yield get
    for each in made.values():
        each.stop("immediate")  # a SIGKILL would leave its shared memory behind


@pytest.fixture(scope="session")
def bulky(servers: Path) -> Iterator[Running]:
    """A server with more than one part of an upload in it, which tests may stop and start again."""
    server = new_server(servers, INSTALLED[0], name="bulky")
    fill(server)
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def source(server_of) -> Running:
    """The same, of the newest installation. Tests leave it as they found it."""
    return server_of(INSTALLED[0])


def new_server(folder: Path, installation: Binaries, *, name: str | None = None, **settings: str) -> Running:
    """A server of that installation, started; the caller ends it."""
    run_as: RunAs = binaries.unprivileged()
    name = name or f"source-{installation.major}"
    home = own_folder(folder / name, run_as)
    processes = Processes(folder / "run", folder / "logs")
    server = Running(
        name, home, free_port(), PASSWORD, processes, installation, run_as,
        {"fsync": "off", "shared_buffers": "32MB", "max_wal_senders": "4", **settings},
    )  # fmt: skip
    server.create()
    server.start()
    return server


def seed(server: Running) -> None:
    """`AWKWARD` holds everything, `empty` nothing."""
    with server.connect() as connection:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(AWKWARD_ROLE)))
        for name in (AWKWARD, "empty"):
            connection.execute(
                sql.SQL("create database {} owner {}").format(*map(sql.Identifier, (name, AWKWARD_ROLE)))
            )
    with server.connect(AWKWARD) as connection:
        connection.execute(SEED.read_text())


def fill(server: Running) -> None:
    """Data that does not compress, in the database `bulk`."""
    with server.connect() as connection:
        connection.execute("create database bulk")
    with server.connect("bulk") as connection:
        connection.execute("create table noise (n int primary key, data bytea not null)")
        connection.execute("alter table noise alter data set storage external")
        connection.execute(
            "insert into noise select n, (select string_agg(decode(md5(random()::text || m || n), 'hex'), '')"
            f" from generate_series(1, 4096) m) from generate_series(1, {BULK_BYTES >> 16}) n"
        )


@pytest.fixture
def s3_store(s3: S3) -> S3Store:
    """A place of its own in the plain bucket."""
    return S3Store(s3.client(), s3.bucket, uuid.uuid4().hex)


JobMaker = Callable[..., Job]


@pytest.fixture
def job_for(key: str, scratch: Path) -> JobMaker:
    """`job_for(server, store, dbname=…, engine=…)`; login and policy fields as keywords."""

    def make(server: Running, store: Store, *, dbname: str = AWKWARD, engine: str = "logical", **more: Any) -> Job:
        login = {name: more.pop(name) for name in ("user", "password", "port") if name in more}
        return make_job(
            address(server, dbname, **login), store, **{"engine": engine, "key": key, "scratch": scratch, **more}
        )

    return make


def address(server: Running, dbname: str, **more: Any) -> Server:
    fields = {"host": LOOPBACK, "port": server.port, "user": SUPERUSER, "password": PASSWORD}
    return Server(**fields | {"dbname": dbname} | more)


def make_job(
    server: Server,
    store: Store,
    *,
    engine: str,
    key: str | None,
    scratch: Path,
    copies: tuple[Place, ...] = (),
    repository: dict[str, Any] | None = None,
    **policy: Any,
) -> Job:
    """A job on a real source and a real store; without a key it is not encrypted."""
    recipients = (str(pyrage.x25519.Identity.from_str(key).to_public()),) if key else ()
    encryption = Encryption(recipients=recipients, identity="day2_age") if key else "none"
    place = Repository(name="primary", url="s3://test/primary", region="eu-test-1", **repository or {})
    return Job(
        environment="test",
        database=Database(name="orders", connection="pg_orders", region="eu-test-1"),
        policy=BackupPolicy(
            **{"engine": engine, "encryption": encryption, "scratch": scratch, "required_score": "2-2-0-0-0", **policy}
        ),
        server=server,
        primary=Place(place, store),
        copies=copies,
        recipients=recipients,
        run=f"database_backup.test/{uuid.uuid4()}",
        plan_digest="d" * 64,
        policy_hash="p" * 64,
    )


def leftovers(s3: S3, store: S3Store) -> list[str]:
    """Everything in a place of the bucket that belongs to no committed point, unfinished uploads included."""
    prefix = store.url.removeprefix(f"s3://{s3.bucket}/")
    client = s3.client()
    listed = client.list_object_versions(Bucket=s3.bucket, Prefix=prefix)
    keys = [each["Key"].removeprefix(prefix + "/") for each in listed.get("Versions", [])]
    committed = {key.rsplit("/", 1)[0] for key in keys if key.endswith("/manifest.json")}
    uploads = client.list_multipart_uploads(Bucket=s3.bucket, Prefix=prefix).get("Uploads", [])
    return [key for key in keys if key.rsplit("/", 1)[0] not in committed] + [each["Key"] for each in uploads]


def slots(server: Running) -> list[str]:
    """Replication slots on a source: one that stays would fill its disk with WAL."""
    with server.connect() as connection:
        return [name for (name,) in connection.execute("select slot_name from pg_replication_slots")]
