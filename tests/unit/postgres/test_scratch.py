"""Scratch folders of dead runs are swept; those of the living are not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess

import psutil
import pytest

from day2.postgres import scratch


@pytest.fixture
def left_by(tmp_path):
    """A scratch folder as a run of that owner leaves it."""

    def make(name: str, owner: dict | str) -> object:
        folder = tmp_path / f"{scratch.PREFIX}{name}"
        (folder / "data").mkdir(parents=True)
        (folder / scratch.OWNER).write_text(owner if isinstance(owner, str) else json.dumps(owner))
        return folder

    return make


def test_the_folder_of_a_dead_run_is_removed_and_said(tmp_path, left_by):
    ended = subprocess.Popen(("true",))
    ended.wait()
    folder = left_by("dead", {"pid": ended.pid, "born": 1.0, "run": "the run"})
    assert scratch.sweep(tmp_path) == [f"{folder} (of the run)"]
    assert not folder.exists()


def test_the_folder_of_a_living_run_stays(tmp_path, left_by):
    born = psutil.Process().create_time()
    folder = left_by("living", {"pid": os.getpid(), "born": born, "run": "r"})
    assert scratch.sweep(tmp_path) == []
    assert folder.exists()


def test_a_number_given_out_again_does_not_protect_a_dead_run(tmp_path, left_by):
    folder = left_by("reused", {"pid": os.getpid(), "born": 1.0, "run": "r"})
    assert len(scratch.sweep(tmp_path)) == 1
    assert not folder.exists()


@pytest.mark.parametrize("owner", ["", "{", "not json"])
def test_a_folder_that_names_no_owner_is_left_alone(tmp_path, left_by, owner):
    folder = left_by("half-made", owner)
    assert scratch.sweep(tmp_path) == []
    assert folder.exists()


@pytest.mark.parametrize("pid_file", ["{pid}\n", "", "\n", "12"])
def test_a_server_still_running_in_a_dead_runs_folder_is_stopped(tmp_path, left_by, pid_file):
    """Whatever its pid file says: a kill may have cut that short."""
    folder = left_by("running", {"pid": 2**22 - 3, "born": 1.0, "run": "r"})
    program = folder / "postgres"
    shutil.copy("/bin/sleep", program)
    # As a postmaster does: what runs in the background of a shell inherits an ignored SIGQUIT.
    server = subprocess.Popen((program, "60"), preexec_fn=lambda: signal.signal(signal.SIGQUIT, signal.SIG_DFL))
    (folder / "data" / "postmaster.pid").write_text(pid_file.format(pid=server.pid))
    try:
        assert len(scratch.sweep(tmp_path)) == 1
        assert server.poll() is not None
    finally:
        server.kill()
        server.wait()
    assert not folder.exists()


def test_another_program_that_got_the_servers_number_is_not_touched(tmp_path, left_by):
    folder = left_by("stale", {"pid": 2**22 - 3, "born": 1.0, "run": "r"})
    bystander = subprocess.Popen(("sleep", "60"))
    try:
        (folder / "data" / "postmaster.pid").write_text(f"{bystander.pid}\n")
        scratch.sweep(tmp_path)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert not folder.exists()


def test_other_folders_are_none_of_ours(tmp_path):
    (tmp_path / "somebody-elses").mkdir()
    assert scratch.sweep(tmp_path) == []
    assert scratch.sweep(tmp_path / "not-there") == []


def test_preload_libraries_this_machine_lacks_are_told_apart(tmp_path):
    from pathlib import Path

    from day2.postgres.binaries import Binaries

    (tmp_path / "pg_config").write_text(f"#!/bin/sh\necho {tmp_path}\n")
    (tmp_path / "pg_config").chmod(0o755)
    (tmp_path / "auto_explain.so").touch()
    made = Binaries(Path(tmp_path), (17, 1), True)
    assert scratch.libraries('auto_explain, "pg_stat_kcache"', made) == (["auto_explain"], ["pg_stat_kcache"])
    assert scratch.libraries("", made) == ([], [])
