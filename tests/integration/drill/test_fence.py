"""The primary is stopped, and that is proven; where it cannot be proven nothing goes on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from day2.errors import StepFailed, Unavailable
from day2.hosts.shell import Done, Shell
from day2.operations.dr_drill import control, fence, observe
from day2.operations.dr_drill.pair import Node, Pair
from lab.ports import LOOPBACK
from tests.integration.drill.making import Living


@dataclass(frozen=True)
class Gone:
    """A host that does not answer."""

    label: str = "host of nobody"

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 0) -> Done:
        raise Unavailable("SSH failed: no route to host", target=self.label)


@dataclass
class AfterStop:
    """A host on which somebody does something right after a stop."""

    inner: Shell
    do: threading.Event

    @property
    def label(self) -> str:
        return self.inner.label

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 60) -> Done:
        done = self.inner.run(*command, stdin=stdin, seconds=seconds)
        if command[:2] == ("pg_ctl", "stop"):
            self.do.set()
        return done


def with_shell(pair: Pair, shell: Shell) -> Pair:
    return replace(pair, primary=replace(pair.primary, shell=shell))


def postmaster(living: Living, node: Node) -> int:
    return int((living.home(node) / "data" / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_fence_hands_everything_over_and_proves_it(pair: Living) -> None:
    pair.sql(pair.pair.primary, "insert into orders (note) values ('last')")
    measures = fence.fence(pair.pair, mode="fast", crashed_ok=False)
    assert (measures["already"], measures["clean"], measures["received_all"]) == (False, True, True)
    assert "are refused" in measures["proof"]
    assert observe.now(pair.pair) == "fenced"
    assert pair.sql(pair.pair.standby, "select count(*) from orders where note = 'last'") == 1


def test_a_second_fence_only_proves(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    again = fence.fence(pair.pair, mode="fast", crashed_ok=False)
    assert (again["already"], again["received_all"]) == (True, True)


def test_a_primary_is_not_stopped_when_nobody_could_take_over(pair: Living) -> None:
    control.stop(pair.pair.standby)
    with pytest.raises(StepFailed, match="nobody to take over") as failed:
        fence.fence(pair.pair, mode="fast", crashed_ok=True)
    assert observe.now(pair.pair) == "alone"
    assert "pg_ctl start" in failed.value.next_step


def test_a_crash_is_a_fence_only_where_a_loss_is_accepted(pair: Living) -> None:
    os.kill(postmaster(pair, pair.pair.primary), signal.SIGKILL)
    observe.until(lambda: observe.now(pair.pair) == "fenced", seconds=10)
    with pytest.raises(StepFailed, match="it crashed"):
        fence.fence(pair.pair, mode="fast", crashed_ok=False)
    measures = fence.fence(pair.pair, mode="fast", crashed_ok=True)
    assert (measures["already"], measures["clean"], measures["received_all"]) == (True, False, None)


def test_an_immediate_fence_is_a_crash(pair: Living) -> None:
    measures = fence.fence(pair.pair, mode="immediate", crashed_ok=False)
    assert (measures["clean"], measures["mode"]) == (False, "immediate")


def test_a_host_that_does_not_answer_cannot_be_fenced(pair: Living) -> None:
    with pytest.raises(StepFailed, match="cannot be fenced") as failed:
        fence.fence(with_shell(pair.pair, Gone()), mode="fast", crashed_ok=True)
    assert "nothing was promoted" in failed.value.left
    assert "power it off" in failed.value.next_step
    assert observe.now(pair.pair) == "normal"


def test_a_persons_word_does_not_count_while_the_server_answers(pair: Living) -> None:
    with pytest.raises(StepFailed, match="accepts connections although it was attested"):
        fence.fence(with_shell(pair.pair, Gone()), mode="fast", crashed_ok=True, attested="mia powered it off")


def test_a_persons_word_counts_for_a_host_that_is_gone(pair: Living) -> None:
    control.stop(pair.pair.primary)
    cut = with_shell(pair.pair, Gone())
    with pytest.raises(StepFailed, match="cannot be fenced: SSH failed"):
        fence.fence(cut, mode="fast", crashed_ok=True)
    measures = fence.fence(cut, mode="fast", crashed_ok=True, attested="mia powered it off")
    assert "mia powered it off" in measures["proof"]


def test_a_server_that_hangs_cannot_be_fenced(pair: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "SECONDS", 1.0)
    monkeypatch.setattr(control.stop, "__kwdefaults__", {"seconds": 1.0})
    with frozen(postmaster(pair, pair.pair.primary)), pytest.raises(StepFailed, match="still runs 1 s after") as failed:
        fence.fence(pair.pair, mode="fast", crashed_ok=True)
    assert "orders does not answer" in failed.value.left
    assert pair.sql(pair.pair.standby, "select pg_is_in_recovery()") is True


def test_a_server_that_somebody_restarts_cannot_be_fenced(pair: Living) -> None:
    """As a process manager does that nobody told."""
    stopped = threading.Event()
    node = pair.pair.primary

    def restart() -> None:
        stopped.wait(30)
        pair.start(node)

    manager = threading.Thread(target=restart)
    manager.start()
    try:
        with pytest.raises(StepFailed, match="cannot be fenced") as failed:
            fence.fence(with_shell(pair.pair, AfterStop(node.shell, stopped)), mode="fast", crashed_ok=True)
    finally:
        manager.join()
    assert "nothing was promoted" in failed.value.left
    assert observe.now(pair.pair) == "normal"


def test_somebody_else_on_the_address_is_no_proof(pair: Living) -> None:
    control.stop(pair.pair.primary)
    with (
        socket.create_server((LOOPBACK, pair.pair.primary.server.port)),
        pytest.raises(StepFailed, match="answers a connection with: accepted"),
    ):
        fence.prove(pair.pair)


def test_a_silent_address_is_no_proof() -> None:
    """A timeout may be a cut network behind which clients still write."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        full = [socket.socket() for _ in range(4)]
        for each in full:
            each.setblocking(False)
            each.connect_ex((LOOPBACK, port))
        answer = fence._knock(socket.AF_INET, (LOOPBACK, port))
        for each in full:
            each.close()
    assert answer == "nothing"


def test_the_old_primary_comes_back_while_nothing_was_promoted(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    measures = fence.unfence(pair.pair)
    assert (measures["already"], measures["streams"]) == (False, True)
    pair.sql(pair.pair.primary, "insert into orders (note) values ('after')")
    assert observe.now(pair.pair) == "normal"
    assert fence.unfence(pair.pair)["already"] is True


def test_the_old_primary_stays_down_after_a_promotion(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    pair.sql(pair.pair.standby, "select pg_promote(true, 30)")
    with pytest.raises(StepFailed, match="never promoted"):
        fence.unfence(pair.pair)
    assert observe.now(pair.pair) == "promoted"


def test_the_old_primary_stays_down_when_a_promoted_standby_is_stopped(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    pair.sql(pair.pair.standby, "select pg_promote(true, 30)")
    control.stop(pair.pair.standby)
    with pytest.raises(StepFailed, match="says `shut down`"):
        fence.unfence(pair.pair)
    assert observe.now(pair.pair) == "down"


def test_the_old_primary_stays_down_when_a_promotion_was_interrupted(pair: Living) -> None:
    """The control file still says that it is a standby; its next start would be that of a primary."""
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    control.stop(pair.pair.standby)
    (pair.home(pair.pair.standby) / "data" / "standby.signal").unlink()
    assert control.control_file(pair.pair.standby).state == "shut down in recovery"
    with pytest.raises(StepFailed, match="standby.signal is gone"):
        fence.unfence(pair.pair)
    assert observe.now(pair.pair) == "down"


def test_the_old_primary_stays_down_while_nobody_can_ask_the_standby(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    cut = replace(pair.pair, standby=replace(pair.pair.standby, shell=Gone()))
    with pytest.raises(StepFailed, match="not proven"):
        fence.unfence(cut)
    assert observe.now(pair.pair) == "fenced"


def test_a_slot_made_for_the_rejoin_does_not_outlive_the_way_back(pair: Living) -> None:
    fence.fence(pair.pair, mode="fast", crashed_ok=False)
    pair.sql(pair.pair.standby, "select pg_create_physical_replication_slot('day2_peer', true)")
    fence.unfence(pair.pair)
    assert pair.sql(pair.pair.standby, "select count(*) from pg_replication_slots") == 0


def test_the_host_tools_of_this_machine_are_what_the_fence_reads(pair: Living) -> None:
    """A control file of a real server, read through the parser."""
    folder = pair.home(pair.pair.standby) / "data"
    text = subprocess.run([pair.binaries["pg_controldata"], folder], capture_output=True, text=True, check=True).stdout
    file = control.parsed(text)
    assert (file.state, file.timeline) == ("in archive recovery", 1)
    assert isinstance(folder, Path)
