"""With nothing but the repository and the key: the database is back, equal by a dump nobody of ours made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from day2.postgres.server import Server
from tests.integration.conftest import PASSWORD
from tests.integration.restore.making import (
    DATABASE,
    NAME,
    OWNER,
    READER,
    READER_PASSWORD,
    dumped,
    maintenance,
)
from tests.integration.restore.shell import day2, succeeded


@pytest.fixture
def identity(kept, tmp_path: Path) -> Path:
    """As age-keygen writes it."""
    path = tmp_path / "identity.txt"
    path.write_text(f"# created: 2026-11-23T02:15:00Z\n# public key: age1…\n{kept.key}\n")
    return path


def test_a_logical_point_comes_back_in_an_empty_server(kept, source, empty, identity):
    conninfo = f"host=127.0.0.1 port={empty.port} user=postgres dbname=postgres"
    done = day2(
        "restore", kept.logical, "--database", DATABASE, "--repository", kept.store.url, "--identity", identity,
        "--to-server", conninfo, PGPASSWORD=PASSWORD,
    )  # fmt: skip
    assert "restored in" in succeeded(done)
    # --create compares the database's owner, settings, rights and comment as well.
    assert dumped(maintenance(empty), NAME, "--create") == dumped(maintenance(source), NAME, "--create")
    reader = Server("127.0.0.1", empty.port, READER, NAME, READER_PASSWORD)
    with reader.connect() as connection:
        assert connection.execute("select count(*) from public.everything").fetchone() == (401,)
        assert connection.execute("select pg_has_role(%s, 'MEMBER')", (OWNER,)).fetchone() == (True,)


def test_a_physical_point_comes_back_as_a_data_folder(kept, source, identity, servers_folder):
    folder = servers_folder / "restored =' ö;(id)"
    done = day2(
        "restore", kept.physical, "--database", DATABASE, "--repository", kept.store.url,
        "--data-directory", folder, DAY2_AGE_IDENTITY_FILE=str(identity),
    )  # fmt: skip
    said = succeeded(done)
    start, psql, stop = [line.strip() for line in said.splitlines() if "pg_ctl" in line or "psql" in line]
    run(start.replace("config_file", "listen_addresses='' -c config_file"))
    try:
        settled = run(
            f"{psql} --no-align --tuples-only --command 'show archive_mode' --command 'show listen_addresses'"
        )
        assert settled.split() == ["off"], "it neither archives over the source's WAL nor listens where it did"
        restored = Server(str(folder), 5432, "postgres", "postgres")
        unlogged = "--no-unlogged-table-data"
        assert dumped(restored, NAME, "--create", unlogged) == dumped(maintenance(source), NAME, "--create", unlogged)
    finally:
        run(stop)
    assert not (folder / "postmaster.pid").exists()


def run(line: str) -> str:
    """A line that `day2 restore` printed, as a person would paste it."""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_latest_is_proven_in_a_scratch_server(kept, identity, scratch):
    done = day2(
        "restore", "latest", "--scratch", "--database", DATABASE, "--repository", kept.store.url,
        "--identity", identity, DAY2_SCRATCH=str(scratch),
    )  # fmt: skip
    assert "and equal" in succeeded(done)
    assert kept.logical in done.stderr, "it says which point it took"


def test_the_point_can_go_under_another_name(kept, source, shared, target, identity, scratch):
    placed = target('anders "x"')
    conninfo = f"host=127.0.0.1 port={shared.port} user=postgres"
    done = day2(
        "restore", kept.physical, "--database", DATABASE, "--repository", kept.store.url, "--identity", identity,
        "--to-server", conninfo, "--as", placed.name, PGPASSWORD=PASSWORD, DAY2_SCRATCH=str(scratch),
    )  # fmt: skip
    succeeded(done)
    unlogged = "--no-unlogged-table-data"
    assert dumped(maintenance(shared), placed.name, unlogged) == dumped(maintenance(source), NAME, unlogged)
