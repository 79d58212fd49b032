"""A source with one of everything, a repository with a point of each engine, and servers to restore to."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest
from psycopg import sql

from day2.operations.database_restore import order
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.staged import Target
from day2.postgres import binaries
from day2.repository import points
from day2.repository.folder import FolderStore
from lab.postgres import Server as Running
from lab.postgres import reachable_temporary_folder
from tests.integration.restore.making import DATABASE, back_up, databases, maintenance, new_server, seed

OTHERS = {"postgres", "bystander"}
numbers = itertools.count()


@dataclass(frozen=True)
class Kept:
    """A repository with a logical and a physical point of the source, and the key that opens them."""

    store: FolderStore
    key: str
    logical: str
    physical: str

    def order(self, engine: str, scratch: Path, **more: Any) -> Order:
        found = points.find(self.store, DATABASE, getattr(self, engine))
        opened = order.origin(self.store, found, identity=self.key)
        return Order(opened, run="database_restore.test/1", scratch=scratch, **more)


@pytest.fixture(scope="session")
def source(servers_folder: Path) -> Iterator[Running]:
    """Tests leave it as they found it: it stands still, so that copies can be compared byte by byte."""
    server = new_server(servers_folder, "restore-source")
    seed(server)
    yield server
    server.kill()


@pytest.fixture(scope="session")
def kept(source: Running, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    key = str(pyrage.x25519.Identity.generate())
    store = FolderStore(tmp_path_factory.mktemp("repository"))
    # The physical one first: it writes its watermark into the database, and the dump must hold that too.
    physical = back_up(source, store, key=key, engine="physical")
    return Kept(store, key, back_up(source, store, key=key, engine="logical"), physical)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for scratch servers that must be empty again at the end of the test."""
    folder = reachable_temporary_folder(binaries.unprivileged())
    yield folder
    left = [each.name for each in folder.iterdir()]
    shutil.rmtree(folder)
    assert left == [], "a scratch server was left behind"


@pytest.fixture(scope="session")
def shared(servers_folder: Path) -> Iterator[Running]:
    """A server with a database of somebody else on it."""
    server = new_server(servers_folder, "restore-target")
    with server.connect() as connection:
        connection.execute("create database bystander")
    yield server
    server.kill()


@pytest.fixture
def empty(servers_folder: Path) -> Iterator[Running]:
    """A server with nothing on it."""
    server = new_server(servers_folder, f"restore-empty-{next(numbers)}")
    yield server
    server.kill()


@pytest.fixture
def target(shared: Running) -> Iterator[Callable[[str], Target]]:
    """`target(name)` on the shared server, which has only the bystander and its superuser again after the test."""
    yield lambda name: Target(maintenance(shared), name)
    for each in databases(shared) - OTHERS:
        with shared.connect() as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(each)))
    with shared.connect() as connection:
        for (role,) in connection.execute("select rolname from pg_roles where oid > 16383").fetchall():
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))
