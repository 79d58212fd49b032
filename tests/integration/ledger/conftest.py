"""A real PostgreSQL with a ledger in it, its owner and its application's role, both with nasty passwords."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from day2.ledger import Ledger, migrate
from day2.postgres import binaries

PASSWORD = 'p@ss w%rd\'s "q" \\ %20:/'


@dataclass(frozen=True)
class Server:
    """The server's address, and its superuser's connection string."""

    port: int
    folder: Path
    program: str

    def conninfo(self, *, dbname: str = "postgres", user: str = "postgres") -> str:
        return make_conninfo(host="127.0.0.1", port=self.port, dbname=dbname, user=user, password=PASSWORD)

    def start(self) -> None:
        settings = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self.pg_ctl("-o", settings, "-l", str(self.folder / "log"), "start")

    def pg_ctl(self, *arguments: str) -> None:
        command = (self.program, "-D", str(self.folder / "data"), "-w", *arguments)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **binaries.unprivileged())


@dataclass(frozen=True)
class Database:
    """A ledger of its own for one test: connection strings of the superuser, its owner and the application."""

    server: Server
    name: str

    @property
    def root(self) -> str:
        return self.server.conninfo(dbname=self.name)

    @property
    def owner(self) -> str:
        return self.server.conninfo(dbname=self.name, user="ledger owner")

    @property
    def app(self) -> str:
        return self.server.conninfo(dbname=self.name, user="day2-app")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    having = [each for each in binaries.installed() if each.has_server]
    if not having:
        pytest.skip("this machine has no PostgreSQL server programs")
    folder = Path(tempfile.mkdtemp(prefix="day2-ledger-", dir="/var/tmp"))
    as_user = binaries.unprivileged()
    if "user" in as_user:
        shutil.chown(folder, as_user["user"], as_user["group"])
    folder.chmod(0o755)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    initdb = (having[0]["initdb"], "-D", str(folder / "data"), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8")
    options = ("--locale=C.UTF-8", "--no-sync", f"--pwfile={folder / 'password'}")
    subprocess.run([*initdb, *options], check=True, stdout=subprocess.DEVNULL, **as_user)
    made = Server(_free_port(), folder, having[0]["pg_ctl"])
    made.start()
    try:
        _make_roles(made)
        yield made
    finally:
        made.pg_ctl("-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty, migrated ledger."""
    made = Database(server, f"ledger {abs(hash(request.node.nodeid)) % 10**8}")
    identifier = sql.Identifier(made.name)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL('create database {} owner "ledger owner"').format(identifier))
    migrate(made.owner, app_role="day2-app")
    yield made
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(identifier))


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    with Ledger.connect(database.app) as opened:
        yield opened


def _make_roles(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for role in ("ledger owner", "day2-app"):
            connection.execute(
                sql.SQL("create role {} login password {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
