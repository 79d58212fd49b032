"""Servers of every installed major version, with pg_stat_statements and an autovacuum that does not come in between."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg import sql

from day2.postgres import binaries
from day2.postgres.server import Server
from lab import postgres as lab_postgres
from lab.ports import LOOPBACK
from tests.integration.conftest import PASSWORD

MAJORS = sorted({each.major for each in binaries.installed() if each.has_server})
SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": "10000",
    "autovacuum_naptime": "1h",
}


def reached(server: lab_postgres.Server, dbname: str = "postgres", user: str = "postgres") -> Server:
    """A lab server as a target."""
    return Server(LOOPBACK, server.port, user, dbname, PASSWORD)


def pgbench(server: lab_postgres.Server, dbname: str, *arguments: str) -> None:
    """Run the server's own pgbench."""
    command = [server.binaries["pgbench"], *arguments, server.conninfo(dbname)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"postgresql-{major}")
def tuned(request: pytest.FixtureRequest, servers_folder: Path) -> Iterator[lab_postgres.Server]:
    """One server of this major version; each test has a database of its own there."""
    major = request.param
    server = lab_postgres.free_standing(f"tuned-{major}", servers_folder, password=PASSWORD, settings=SETTINGS)
    server.binaries = next(each for each in binaries.installed() if each.major == major and each.has_server)
    server.create()
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def database(server: lab_postgres.Server, name: str) -> Iterator[str]:
    """An empty database with pg_stat_statements, for as long as the block lasts."""
    quoted = sql.Identifier(name)
    with server.connect() as connection:
        connection.execute(sql.SQL("create database {}").format(quoted))
    with server.connect(name) as connection:
        connection.execute("create extension pg_stat_statements")
    yield name
    with server.connect() as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(quoted))


@pytest.fixture
def dbname(tuned: lab_postgres.Server) -> Iterator[str]:
    """A database under a name that needs quoting, for one test."""
    with database(tuned, "tüned \"db\" 1.'x'; $(id)") as name:
        yield name
