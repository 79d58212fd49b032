"""Which programs are used for which server, and as which user."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from day2.errors import PlanRefused
from day2.postgres import binaries
from day2.postgres.binaries import CLIENT, SERVER, Binaries


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with these installations and no other: `machine(("17.10", True), ("15.8", False))`."""

    def having(*versions: tuple[str, bool]) -> list[Path]:
        folders = []
        for number, (version, server) in enumerate(versions):
            folder = tmp_path / f"{number}-{version}"
            folder.mkdir()
            for program in (*CLIENT, *(SERVER if server else ())):
                (folder / program).write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version} (Debian x)'\n")
                (folder / program).chmod(0o755)
            folders.append(folder)
        monkeypatch.setenv("DAY2_PG_BIN", os.pathsep.join(map(str, folders)))
        binaries.installed.cache_clear()
        return folders

    yield having
    monkeypatch.undo()
    binaries.installed.cache_clear()


def test_the_newest_is_first_and_ten_is_more_than_nine(machine):
    machine(("15.9", True), ("17.2", True), ("15.10", True))
    assert [each.version for each in binaries.installed()] == [(17, 2), (15, 10), (15, 9)]


def test_a_folder_that_lacks_a_program_does_not_count(machine, tmp_path):
    [folder] = machine(("16.1", True))
    (folder / "pg_basebackup").unlink()
    assert binaries.installed() == ()


def test_the_same_major_version_wins_over_a_newer_one(machine):
    machine(("17.2", True), ("15.9", True))
    assert binaries.for_server(15).major == 15


def test_a_client_may_be_newer_but_never_older(machine):
    machine(("18.0", True), ("17.2", True), ("14.1", True))
    assert binaries.for_server(16).major == 17, "the nearest newer one"
    with pytest.raises(PlanRefused, match=r"no PostgreSQL client programs for version 19 \(installed: 18.0 in .*14.1"):
        binaries.for_server(19)


def test_a_physical_copy_starts_under_its_own_major_version_only(machine):
    machine(("17.2", True), ("16.1", False))
    assert binaries.for_server(16).major == 16
    with pytest.raises(PlanRefused, match="no PostgreSQL server programs for version 16"):
        binaries.for_server(16, need_server=True)


def test_a_machine_without_any_says_none(machine, tmp_path):
    machine()
    os.environ["DAY2_PG_BIN"] = str(tmp_path / "nowhere")
    binaries.installed.cache_clear()
    with pytest.raises(PlanRefused, match="installed: none") as failed:
        binaries.for_server(17)
    assert "DAY2_PG_BIN" in failed.value.next_step


def test_a_program_is_named_by_its_full_path():
    assert Binaries(Path("/opt/pg/bin"), (17, 1), True)["pg_dump"] == "/opt/pg/bin/pg_dump"


def test_an_ordinary_user_starts_servers_as_itself(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert binaries.unprivileged() == {}


def test_root_starts_servers_as_the_user_it_is_told(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("DAY2_OS_USER", "nobody")
    entry = pwd.getpwnam("nobody")
    assert binaries.unprivileged() == {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def test_root_without_such_a_user_is_refused(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setenv("DAY2_OS_USER", "day2-nobody-has-this-name")
    with pytest.raises(PlanRefused, match="may not run as root") as failed:
        binaries.unprivileged()
    assert "DAY2_OS_USER" in failed.value.next_step
