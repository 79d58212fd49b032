"""Traps of the way back, each reproduced, and the guard that keeps us out of it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from day2.errors import StepFailed
from day2.hosts.shell import Local
from day2.operations.dr_drill import (
    aside,
    configured,
    control,
    controldata,
    evidence,
    observe,
    reclone,
    rejoin,
    rewind,
    settings_kept,
)
from day2.operations.dr_drill.pair import Pair
from day2.postgres import binaries
from tests.integration.drill import making
from tests.integration.drill.making import Living, frozen, living
from tests.integration.drill.test_clear_up import diverge
from tests.integration.drill.test_rejoin import SECONDS, crash, equal, notes, take_over, write

PACKAGE = Path(reclone.__file__).parent
# The modules that run scripts on a host, and the scripts.
SCRIPTS = {
    aside: (aside.MARK,),
    configured: (configured.EACH,),
    evidence: (evidence.LIST, evidence.COPY, evidence.WRITE),
    reclone: (reclone.SWAP,),
    settings_kept: (settings_kept.KEEP,),
}


@pytest.fixture
def old_pair(servers_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Living]:
    """A pair of the oldest PostgreSQL here: the first trap is one of 15 and before."""
    found = [each for each in binaries.installed() if each.has_server][-1]
    if found.major > 15:
        pytest.skip(f"PostgreSQL {found.major} looks at more than the last checkpoint")
    monkeypatch.setattr(making, "installation", lambda: found)
    with living(servers_folder, checkpoint_timeout="1d") as made:
        yield made


def by_hand(pair: Living, *options: str) -> str:
    """pg_rewind of the old primary as one would type it; its exit code first."""
    node = pair.pair.primary
    source = configured.value(node, "primary_conninfo")
    target = f"--target-pgdata={control.data(node)}"
    done = node.shell.run("pg_rewind", target, f"--source-server={source} dbname=postgres", *options)
    return f"{done.code} {done.stdout} {done.stderr}"


def faked(pair: Living, program: str, script: str) -> Pair:
    """The pair with one of the old primary's programs replaced."""
    folder = pair.home(pair.pair.primary) / "faked"
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / program).write_text(f"#!/bin/sh\n{script}\n")
    (folder / program).chmod(0o755)
    shell = pair.pair.primary.shell
    assert isinstance(shell, Local)
    env = {**shell.env, "PATH": f"{folder}:{shell.env['PATH']}"}
    return replace(pair.pair, primary=replace(pair.pair.primary, shell=replace(shell, env=env)))


def test_1_right_after_a_promotion_pg_rewind_does_nothing_and_answers_0(old_pair: Living) -> None:
    old_pair.ctl(old_pair.pair.standby, "stop", "--mode=fast")
    write(old_pair, old_pair.pair.primary, "lost", 3)
    old_pair.ctl(old_pair.pair.primary, "stop", "--mode=fast")
    old_pair.start(old_pair.pair.standby)
    # So that the checkpoint which follows a promotion comes late, as it does on a busy server.
    with frozen(old_pair, old_pair.pair.standby, "checkpointer"):
        take_over(old_pair)
        said = by_hand(old_pair)
    assert said.startswith("0 ")
    assert "no rewind required" in said
    measures = rejoin.rejoin(old_pair.pair, seconds=SECONDS)
    assert measures["means"] == "rewind"
    assert measures["tried"] == []
    assert equal(old_pair)


def test_1_a_source_whose_control_file_shows_the_old_timeline_is_refused(
    pair: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverge(pair)
    monkeypatch.setattr(rewind, "WRITTEN_TIMELINE", "select 1 as timeline_id")
    with pytest.raises(StepFailed, match="shows timeline 1 while it writes timeline 2"):
        rejoin.rejoin(pair.pair, seconds=SECONDS)


def test_1_a_pg_rewind_that_answers_0_and_did_nothing_is_not_believed(pair: Living) -> None:
    diverge(pair)
    measures = rejoin.rejoin(faked(pair, "pg_rewind", "exit 0"), seconds=SECONDS)
    assert measures["means"] == "reclone"
    assert "pg_rewind answered 0 and did nothing" in measures["tried"][0]
    assert equal(pair)


def test_2_a_standby_signal_does_not_break_the_rewind_of_a_crashed_primary(pair: Living) -> None:
    diverge(pair)
    pair.pair.primary.shell.run("touch", f"{control.data(pair.pair.primary)}/standby.signal")
    assert "standby mode is not supported by single-user servers" in by_hand(pair)
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert (measures["means"], measures["tried"]) == ("rewind", [])


def recycle(pair: Living) -> None:
    """Let the old primary remove the WAL that it had when both were equal."""
    pair.sql(pair.pair.primary, "select pg_drop_replication_slot('day2_peer')")
    pair.sql(pair.pair.primary, "alter system set wal_keep_size = 0")
    pair.sql(pair.pair.primary, "alter system set min_wal_size = '32MB'")
    pair.sql(pair.pair.primary, "select pg_reload_conf()")
    for number in range(4):
        write(pair, pair.pair.primary, f"lost {number}")
        pair.sql(pair.pair.primary, "select pg_switch_wal()")
    archived = "select last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 16777217) from pg_stat_archiver"
    assert observe.until(lambda: pair.sql(pair.pair.primary, archived), seconds=20)
    for _ in range(2):
        pair.sql(pair.pair.primary, "checkpoint")


@contextmanager
def out_of_reach(archive: Path) -> Iterator[None]:
    """Hide what is in the archive: the standby would catch up from it."""
    files = [each for each in archive.iterdir() if each.is_file()]
    hidden = archive / "hidden"
    hidden.mkdir()
    for each in files:
        each.rename(hidden / each.name)
    yield
    for each in files:
        (hidden / each.name).rename(each)


def test_5_wal_that_was_recycled_comes_from_the_archive(pair: Living) -> None:
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    recycle(pair)
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    with out_of_reach(pair.folder / "archive"):
        pair.start(pair.pair.standby)
        take_over(pair)
    rewind.settled(pair.pair.standby)
    assert "could not find previous WAL record" in by_hand(pair, "--dry-run")
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert (measures["means"], measures["tried"]) == ("rewind", [])
    assert equal(pair)


def test_5_without_an_archive_either_it_is_cloned_anew_and_the_old_data_is_kept(pair: Living) -> None:
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    recycle(pair)
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    for each in (pair.folder / "archive").iterdir():
        each.unlink()
    pair.start(pair.pair.standby)
    take_over(pair)
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert measures["means"] == "reclone"
    assert "could not find previous WAL record" in measures["tried"][0]
    assert not measures["evidence"]["complete"], "the first of it is gone"
    assert equal(pair)
    assert [each for each in aside.names(pair.pair.primary) if each.startswith("old-")]
    port = pair.pair.primary.server.port
    assert pair.sql(pair.pair.primary, "select current_setting('port')::int") == port, "its own settings are back"


def test_6_no_command_has_a_pipe() -> None:
    """`cmd | tail` answers with tail's exit code."""
    words = [
        (module.name, word.value)
        for module in PACKAGE.glob("*.py")
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in RUNS
        for argument in call.args
        for word in ast.walk(argument)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    ]
    assert len(words) > 40
    assert [each for each in words if "|" in each[1] or ";" in each[1]] == []
    assert {each[0] for each in words if each[1] == "-c"} == {
        f"{module.__name__.split('.')[-1]}.py" for module in SCRIPTS
    }
    for script in (each for named in SCRIPTS.values() for each in named):
        assert script.startswith("set -e\n")
        assert " | " not in script


RUNS = ("run", "require", "alone")


def test_7_a_dry_run_says_nothing_of_a_crashed_target_and_none_is_made(pair: Living) -> None:
    diverge(pair)
    assert "must be shut down cleanly" in by_hand(pair, "--dry-run")
    assert not [each.name for each in PACKAGE.glob("*.py") if "--dry-run" in each.read_text()]


def test_11_the_archive_takes_what_a_promotion_leaves_and_refuses_other_content(pair: Living) -> None:
    diverge(pair)
    rejoin.rejoin(pair.pair, seconds=SECONDS)
    pair.sql(pair.pair.standby, "select pg_switch_wal()")
    failed = "select archived_count > 0 and failed_count = 0 from pg_stat_archiver"
    assert observe.until(lambda: pair.sql(pair.pair.standby, failed), seconds=20)
    names = [each.name for each in (pair.folder / "archive").iterdir()]
    assert "00000002.history" in names
    command = configured.value(pair.pair.primary, "archive_command")
    history = pair.folder / "archive" / "00000002.history"
    other = pair.home(pair.pair.primary) / "other.history"
    other.write_text("another timeline")
    other.chmod(0o644)
    for path, answer in ((history, 0), (other, 1)):
        line = command.replace("%p", str(path)).replace("%f", history.name)
        assert pair.pair.primary.shell.run("sh", "-c", line).code == answer


def test_12_rows_that_only_the_old_primary_has_are_kept_before_the_rewind_discards_them(pair: Living) -> None:
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    for number in range(5):
        write(pair, pair.pair.primary, f"lost {number}")
    crash(pair, pair.pair.primary)
    pair.start(pair.pair.standby)
    take_over(pair)
    timeline = controldata.read(pair.pair.primary).timeline
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert notes(pair, pair.pair.primary, "lost 4") == 0
    assert measures["commits_only_there"] == 5
    assert measures["evidence"]["complete"]
    assert measures["evidence"]["timeline"] == timeline == 1
    for file in measures["evidence"]["files"]:
        kept = Path(measures["evidence"]["folder"]) / file["name"]
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == file["sha256"]
    assert measures["evidence"]["files"]
    assert b"lost 4" in kept.read_bytes()


def test_12_what_comes_after_a_damaged_record_is_kept_although_nobody_can_count_it(pair: Living) -> None:
    node = pair.pair.primary
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    write(pair, node, "damaged")
    name, offset = pair.sql(node, "select row_to_json(f) from pg_walfile_name_offset(pg_current_wal_lsn()) f").values()
    write(pair, node, "in the same file")
    pair.sql(node, "select pg_switch_wal()")
    write(pair, node, "in the next file")
    crash(pair, node)
    with out_of_reach(pair.folder / "archive"):
        pair.start(pair.pair.standby)
        take_over(pair)
    file = pair.home(node) / "data" / "pg_wal" / name
    with file.open("r+b") as wal:
        wal.seek(offset)
        wal.write(bytes(8))
    manifest = evidence.keep(node, controldata.read(node), rewind.settled(pair.pair.standby))
    assert not manifest["complete"]
    assert manifest["files"][0]["name"] == name
    assert len(manifest["files"]) == 2
    assert b"in the next file" in (Path(manifest["folder"]) / manifest["files"][1]["name"]).read_bytes()
