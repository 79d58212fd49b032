"""A primary with a standby, as Day 2 reaches them, and a database with an awkward name."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from day2.postgres.binaries import Binaries
from day2.postgres.server import Server
from lab import postgres as lab_postgres
from lab.ports import LOOPBACK
from lab.processes import wait_until
from tests.integration.conftest import PASSWORD


def reached(server: lab_postgres.Server, dbname: str = "postgres", user: str = "postgres") -> Server:
    """A lab server as a target."""
    return Server(LOOPBACK, server.port, user, dbname, PASSWORD)


@dataclass
class Pair:
    """Both as they run in the lab, and as Day 2 reaches them."""

    primary: lab_postgres.Server
    standby: lab_postgres.Server

    @property
    def one(self) -> Server:
        return reached(self.primary)

    @property
    def two(self) -> Server:
        return reached(self.standby)

    @property
    def standby_files(self) -> Path:
        """The extension files on the standby's host."""
        [control] = self.standby.binaries.folder.parent.glob("share/**/extension/hstore.control")
        return control.parent

    def wait_for_streaming(self) -> None:
        """The standby follows."""

        def streams() -> bool:
            with self.primary.connect() as connection:
                found = connection.execute("select count(*) from pg_stat_replication where state = 'streaming'")
                return found.fetchone() == (1,)

        wait_until(streams, "the standby follows", seconds=30)


@pytest.fixture(scope="session")
def made_pair(make_postgres: Callable[..., lab_postgres.Server]) -> Iterator[Pair]:
    primary = make_postgres()
    upstream = primary.conninfo(application_name="it's two")
    standby = lab_postgres.free_standing(
        "patched-standby",
        primary.home.parent,
        password=PASSWORD,
        # Backslashes mean something in the configuration file too.
        settings={"primary_conninfo": upstream.replace("\\", "\\\\")},
    )
    standby.create_standby(upstream)
    standby.binaries = _copied(primary.binaries, primary.home.parent / "its-programs")
    try:
        standby.start()
        yield Pair(primary, standby)
    finally:
        standby.kill()


@pytest.fixture
def pair(made_pair: Pair) -> Pair:
    """Both run, and the standby follows."""
    made_pair.primary.start()
    made_pair.standby.start()
    made_pair.wait_for_streaming()
    return made_pair


def _copied(found: Binaries, there: Path) -> Binaries:
    """The same programs in another place, with extension files of their own: a host that is patched by itself."""
    shutil.copytree(found.folder.parent, there, symlinks=True)
    return replace(found, folder=there / found.folder.name)


@pytest.fixture
def alone(make_postgres: Callable[..., lab_postgres.Server]) -> Iterator[lab_postgres.Server]:
    """A server for one test, which may break it."""
    server = make_postgres()
    yield server
    server.kill()
