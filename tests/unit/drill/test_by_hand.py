"""The commands that finish a drill by hand."""

from __future__ import annotations

import re
import subprocess
from typing import get_args

import pytest

from day2.operations.dr_drill import by_hand
from day2.operations.dr_drill.pair import State
from tests.unit.drill.nodes import pair


@pytest.mark.parametrize("now", [each for each in get_args(State) if each != "normal"])
def test_every_state_has_a_way_on(now: State) -> None:
    assert by_hand.commands(pair(), now)


def test_there_is_nothing_to_do_in_normal_times() -> None:
    assert by_hand.commands(pair(), "normal") == []


@pytest.mark.parametrize("now", ["fenced", "failed_over"])
def test_where_there_are_two_ways_both_are_told_apart(now: State) -> None:
    lines = by_hand.commands(pair(), now)
    assert any(each.startswith("to go back: ") for each in lines)
    assert all(each.startswith(("to go back: ", "to go on: ", "to stay: ")) for each in lines)


def test_the_fence_comes_before_the_promotion_also_by_hand() -> None:
    lines = by_hand.commands(pair(), "fenced")
    proof = next(i for i, each in enumerate(lines) if "pg_ctl status" in each)
    promotion = next(i for i, each in enumerate(lines) if "pg_promote" in each)
    assert proof < promotion


def test_a_checkpoint_comes_before_pg_rewind_also_by_hand() -> None:
    """Without it pg_rewind finds nothing to do and answers 0."""
    lines = by_hand.commands(pair(), "promoted")
    assert next(i for i, each in enumerate(lines) if "checkpoint" in each) < next(
        i for i, each in enumerate(lines) if "pg_rewind" in each and "--source-server" in each
    )


def test_nothing_is_started_or_promoted_while_one_server_is_out_of_sight() -> None:
    text = " ".join(by_hand.commands(pair(), "unknown"))
    assert "pg_ctl start" not in text
    assert "pg_promote" not in text


def test_nothing_is_promoted_in_a_split_brain() -> None:
    text = " ".join(by_hand.commands(pair(), "split_brain"))
    assert "pg_promote" not in text
    assert "pg_ctl stop" in text


def test_the_data_directory_is_the_inventorys_or_the_logins() -> None:
    assert '"$PGDATA"' in " ".join(by_hand.commands(pair(), "promoted"))
    named = " ".join(by_hand.commands(pair(data="/srv/pg data"), "promoted"))
    assert "PGDATA" not in named
    assert "'/srv/pg data'/standby.signal" in named


def test_a_unit_is_started_by_systemd() -> None:
    (line,) = by_hand.commands(pair(unit="postgresql@17-main"), "alone")
    assert line == "on h-orders-standby: sudo -n systemctl start postgresql@17-main"


@pytest.mark.parametrize("data", [None, "/srv/pg", "/srv/it's"])
def test_every_command_on_a_host_can_be_pasted(data: str | None) -> None:
    lines = [each for now in get_args(State) for each in by_hand.commands(pair(data=data), now)]
    commands = [found[1] for each in lines if (found := re.search(r"on h-[a-z-]+: (.+)$", each))]
    assert len(commands) > 20
    for each in commands:
        assert subprocess.run(("sh", "-n", "-c", each), check=False).returncode == 0, each


def test_the_standby_is_stopped_and_looked_at_before_the_old_primary_starts_again() -> None:
    """A promotion that timed out may still be under way."""
    lines = [each for each in by_hand.commands(pair(), "fenced") if each.startswith("to go back: ")]
    assert ["pg_ctl stop" in lines[0], "standby.signal" in lines[1], "pg_ctl start" in lines[2]] == [True, True, True]
    assert "on h-orders:" in lines[2]
