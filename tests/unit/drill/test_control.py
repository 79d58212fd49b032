"""A server under systemd, and what a control file says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from day2.errors import StepFailed
from day2.hosts.shell import Done
from day2.operations.dr_drill import control
from tests.unit.drill.nodes import node

UNIT = "postgresql@17-main"


@dataclass
class Host:
    """A host that remembers what it was told; its server runs until its unit is stopped."""

    label: str = "h"
    runs: bool = True
    obeys: bool = True
    told: list[str] = field(default_factory=list)

    def run(self, *command: str, stdin: bytes = b"", seconds: float = 0) -> Done:
        if command[:2] == ("pg_ctl", "status"):
            return Done(control.RUNS if self.runs else control.STOPPED, "", "")
        self.told.append(" ".join(command))
        if self.obeys and "systemctl" in command:
            self.runs = "start" in command or ("stop" not in command and self.runs)
        return Done(0 if self.obeys else 1, "", "" if self.obeys else "a password is required")


def test_systemd_is_told_also_after_a_kill_or_it_would_start_the_server_again() -> None:
    host = Host()
    control.stop(replace(node("orders", 1, unit=UNIT), shell=host), "immediate")
    assert host.told == [
        f"sudo -n systemctl kill --signal=SIGQUIT --kill-who=main {UNIT}",
        f"sudo -n systemctl stop {UNIT}",
    ]


def test_a_unit_that_may_not_be_stopped_is_not_taken_for_stopped() -> None:
    host = Host(obeys=False)
    with pytest.raises(StepFailed, match="a password is required"):
        control.stop(replace(node("orders", 1, unit=UNIT), shell=host), seconds=0.1)


def test_a_server_that_does_not_run_is_not_stopped_and_one_that_runs_is_not_started() -> None:
    for runs, act in ((False, control.stop), (True, control.start)):
        host = Host(runs=runs)
        act(replace(node("orders", 1, unit=UNIT), shell=host))
        assert host.told == []


def test_a_start_that_leaves_nothing_running_has_failed() -> None:
    host = Host(runs=False, obeys=False)
    with pytest.raises(StepFailed, match="it did not start"):
        control.start(replace(node("orders", 1, unit=UNIT), shell=host))


def test_an_answer_that_is_neither_running_nor_stopped_is_no_answer() -> None:
    class Lost(Host):
        def run(self, *command: str, stdin: bytes = b"", seconds: float = 0) -> Done:
            return Done(4, "", "pg_ctl: directory is not a database cluster directory")

    with pytest.raises(StepFailed, match="nobody knows"):
        control.running(replace(node("orders", 1), shell=Lost()))


@pytest.mark.parametrize("lsn", ["0/0", "0/3000060", "1A/FFFFFFFF", "FFFFFFFF/FFFFFFFF"])
def test_a_position_reads_as_it_is_written(lsn: str) -> None:
    assert control.written(control.position(lsn)) == lsn


def test_positions_are_compared_as_numbers() -> None:
    assert control.position("1/0") > control.position("0/FFFFFFFF")
    assert control.position("0/A0") > control.position("0/9F")
