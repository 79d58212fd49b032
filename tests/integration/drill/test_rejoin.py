"""The old primary comes back as a standby of the new one: by the least means, and proven."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from day2.errors import StepFailed
from day2.operations.dr_drill import aside, control, observe, reclone, rejoin, rewind
from day2.operations.dr_drill.pair import Node
from day2.postgres import binaries
from lab.files import give
from tests.integration.drill.making import PASSWORD, Living

SECONDS = 60.0


def take_over(pair: Living) -> None:
    """Promote the standby, as the drill does."""
    pair.sql(pair.pair.standby, "select pg_promote(true, 60)")
    pair.sql(pair.pair.standby, "select pg_create_physical_replication_slot('day2_peer', true)")


def crash(pair: Living, node: Node) -> None:
    """SIGKILL the postmaster: nothing is handed over, nothing is written down."""
    pid = int((pair.home(node) / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    observe.until(lambda: observe.observe(node, pair.pair.other(node)).role == "stopped", seconds=10)


def write(pair: Living, node: Node, note: str, rows: int = 1) -> None:
    """Committed rows of a kind."""
    pair.sql(node, f"insert into orders (note) select '{note}' from generate_series(1, {rows})")


def notes(pair: Living, node: Node, note: str) -> int:
    return int(pair.sql(node, f"select count(*) from orders where note = '{note}'"))


def equal(pair: Living) -> bool:
    """Whether both servers hold the same rows, once the standby has replayed them."""
    query = "select count(*) || ' ' || coalesce(sum(hashtext(o::text)), 0) from orders o"
    return observe.until(lambda: len({pair.sql(each, query) for each in pair.pair.nodes}) == 1, seconds=10)


def test_one_that_was_stopped_cleanly_just_starts_as_a_standby(pair: Living) -> None:
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    write(pair, pair.pair.standby, "after")
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert measures["means"] == "start", measures
    assert observe.now(pair.pair) == "failed_over"
    assert equal(pair)


def test_one_that_crashed_with_commits_of_its_own_is_rewound(pair: Living) -> None:
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    write(pair, pair.pair.primary, "lost", 7)
    crash(pair, pair.pair.primary)
    pair.start(pair.pair.standby)
    take_over(pair)
    write(pair, pair.pair.standby, "after")
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert measures["means"] == "rewind", measures
    assert notes(pair, pair.pair.primary, "lost") == 0
    assert equal(pair)


def test_it_keeps_its_own_settings_when_the_other_ones_files_are_copied_over_it(pair: Living) -> None:
    node = pair.pair.primary
    data = pair.home(node) / "data"
    pair.sql(node, "alter system set cluster_name = 'its own'")
    for name, text in (("server.key", "its own key"), ("conf.d/mine.conf", "work_mem = '7MB'\n")):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text(text)
    with (data / "postgresql.conf").open("a") as file:
        file.write("include_dir 'conf.d'\n")
    theirs = pair.home(pair.pair.standby) / "data"
    (theirs / "server.key").write_text("the other one's key")
    (theirs / "conf.d").mkdir()
    (theirs / "conf.d" / "theirs.conf").write_text("work_mem = '3MB'\n")
    for each in (data, theirs):
        for path in (each / "server.key", each / "conf.d", *(each / "conf.d").iterdir()):
            give(path, binaries.unprivileged())
    diverge_and_rejoin(pair)
    settings = "select current_setting('port') || ' ' || current_setting('work_mem')"
    assert pair.sql(node, settings) == f"{node.server.port} 7MB"
    assert (data / "server.key").read_text() == "its own key"
    assert "its own" in (data / "postgresql.auto.conf").read_text()
    assert not (data / "conf.d" / "theirs.conf").exists()


def diverge_and_rejoin(pair: Living) -> dict[str, Any]:
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    write(pair, pair.pair.primary, "lost")
    crash(pair, pair.pair.primary)
    pair.start(pair.pair.standby)
    take_over(pair)
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert measures["means"] == "rewind"
    return measures


def test_a_password_in_its_configuration_is_on_no_command_line(pair: Living, caplog: pytest.LogCaptureFixture) -> None:
    port = pair.pair.standby.server.port
    source = f"host=127.0.0.1 port={port} user=replicator password={PASSWORD}"
    pair.sql(pair.pair.primary, f"alter system set primary_conninfo = '{source}'")
    with caplog.at_level("INFO", logger="day2"):
        diverge_and_rejoin(pair)
    assert "pg_rewind" in caplog.text
    assert PASSWORD not in caplog.text
    assert "passfile" not in aside.names(pair.pair.primary)


def test_without_room_for_a_copy_nothing_is_touched(pair: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reclone, "ROOM", 1e9)
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    aside.mark(pair.pair.primary, "rewinding")
    with pytest.raises(StepFailed, match="a re-clone beside the old data needs") as error:
        rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert "state promoted" in error.value.left
    assert aside.names(pair.pair.primary) == ["rewinding"]


def test_a_copy_whose_worker_was_killed_before_it_started_is_started(
    pair: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    aside.mark(pair.pair.primary, rewind.MARK)
    with monkeypatch.context() as patched:
        patched.setattr(control, "start", _killed)
        with pytest.raises(StepFailed, match="killed"):
            rejoin.rejoin(pair.pair, seconds=SECONDS)
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert (measures["means"], measures["tried"], measures["evidence"]) == ("start", [], {})
    assert equal(pair)


def _killed(*_: object, **__: object) -> None:
    raise StepFailed("killed")


def test_a_server_that_does_not_stream_for_another_reason_is_not_rewound(
    pair: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoin, "STALL_SECONDS", 2.0)
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    pair.sql(pair.pair.standby, "alter role replicator nologin")
    with pytest.raises(StepFailed, match="tried start: ") as error:
        rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert "rewind:" not in error.value.happened
    pair.sql(pair.pair.standby, "alter role replicator login")
    rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert observe.now(pair.pair) == "failed_over"


def test_while_the_other_one_takes_no_writes_nothing_is_started(pair: Living) -> None:
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    with pytest.raises(StepFailed, match="cannot follow") as error:
        rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert "state fenced" in error.value.left
    assert observe.now(pair.pair) == "fenced"


def test_two_primaries_are_left_to_people(pair: Living) -> None:
    take_over(pair)
    with pytest.raises(StepFailed, match="cannot follow") as error:
        rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert "state split_brain" in error.value.left
    assert pair.sql(pair.pair.primary, "select 1") == pair.sql(pair.pair.standby, "select 1") == 1
