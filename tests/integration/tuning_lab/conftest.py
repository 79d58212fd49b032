"""One planted database on a server of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab import roles
from lab.postgres import Server
from lab.preload import preload
from lab.roles import ensure_role
from lab.secrets import Secrets
from lab.tunable import DATABASE, Bazaar

PASSWORD = "secret-of-a-test"


@pytest.fixture(scope="module")
def bazaar(make_postgres: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bazaar]:
    """The planted database, without its load."""
    server = make_postgres()
    if not preload(server.binaries):
        pytest.skip("this PostgreSQL has no pg_stat_statements")
    secrets = Secrets(tmp_path_factory.mktemp("secrets") / "secrets.json")
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}".encode())
        connection.execute("CREATE ROLE billing_owner NOLOGIN")
        ensure_role(connection, roles.tuning_role(PASSWORD))
    made = Bazaar(server, secrets)
    server.settings = {**server.settings, **preload(server.binaries)}
    made.plant()
    yield made
    made.stop()
