"""Real servers for tests: PostgreSQL, S3, and a proxy that breaks connections to either.

They run in temporary folders that the unprivileged server user can reach, and are ended by pid.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from day2.postgres import binaries
from lab.faults import Proxy, proxy
from lab.ports import free_port
from lab.postgres import Server, free_standing, reachable_temporary_folder
from lab.processes import Processes
from lab.s3 import PORTS, Credentials, ObjectStore

PASSWORD = """pa ss'w"o%r:d\\@/$(id)"""


@dataclass
class S3:
    """An endpoint with a plain bucket and one that locks, both versioned."""

    store: ObjectStore
    bucket: str = "day2-test"
    locked_bucket: str = "day2-test-locked"

    @property
    def endpoint_url(self) -> str:
        return self.store.endpoint_url

    @property
    def port(self) -> int:
        return self.store.ports["s3"]

    @property
    def region(self) -> str:
        return self.store.region

    @property
    def credentials(self) -> Credentials:
        return self.store.user

    def client(self, **config: Any) -> Any:
        """A boto3 client of the user Day 2 would be."""
        return self.store.client(**config)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    folder = reachable_temporary_folder(binaries.unprivileged())
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def make_postgres(servers_folder: Path) -> Iterator[Callable[..., Server]]:
    """Start one more server: `make_postgres(settings={"archive_mode": "on"})`. It ends with the session."""
    numbers = itertools.count()
    started: list[Server] = []

    def make(**more: Any) -> Server:
        server = free_standing(f"server-{next(numbers)}", servers_folder, password=PASSWORD, **more)
        started.append(server)
        server.create()
        server.start()
        return server

    yield make
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def postgres(make_postgres: Callable[..., Server]) -> Server:
    """A server shared by the session: leave its settings and roles as they are."""
    return make_postgres()


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """An empty database on the shared server, for one test."""
    name = "prüf \"db\" 1.'x'; $(id)"
    with postgres.connect() as connection:
        connection.execute(_quoted("CREATE DATABASE {}", name))
        yield name
        connection.execute(_quoted("DROP DATABASE {} WITH (FORCE)", name))


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    folder = tmp_path_factory.mktemp("s3")
    home = folder / "store"
    home.mkdir()
    ports = {each: free_port() for each in PORTS}
    admin, user = Credentials("test-admin", "admin-secret"), Credentials("day2", "day2-secret")
    store = ObjectStore("eu-test-1", home, ports, admin, user, Processes(folder / "run", folder / "logs"))
    store.start()
    made = S3(store)
    store.ensure_bucket(made.bucket)
    store.ensure_bucket(made.locked_bucket, lock=True)
    yield made
    store.kill()


@pytest.fixture
def broken_line() -> Iterator[Callable[[int], Proxy]]:
    """A proxy in front of a port: `line = broken_line(s3.port)`, then `line.faults.errors = 2`."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(proxy(port))


def _quoted(statement: str, name: str) -> Any:
    from psycopg import sql

    return sql.SQL(statement).format(sql.Identifier(name))  # type: ignore[arg-type]
