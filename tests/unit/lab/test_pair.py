"""Whatever state a drill left the pair in, `up` never makes a second primary of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lab.pair import ORDERS, STANDBY, Found, described, is_normal, may_write, startable, timeline

KINDS = some.builds(
    Found,
    files=some.sampled_from(["none", "primary", "standby"]),
    running=some.booleans(),
    stopped_by_hand=some.booleans(),
    timeline=some.integers(1, 3),
)


def possible(found: Found) -> bool:
    """Nothing runs without data, and what runs was not stopped."""
    return not (found.running and (found.stopped_by_hand or found.files == "none"))


SERVERS = KINDS.filter(possible)


def primary(timeline: int = 1, **more: bool) -> Found:
    return Found("primary", timeline=timeline, **more)


def standby(timeline: int = 1, **more: bool) -> Found:
    return Found("standby", timeline=timeline, **more)


@given(SERVERS, SERVERS)
def test_starting_what_may_start_never_makes_two_primaries(one: Found, two: Found) -> None:
    found = {ORDERS: one, STANDBY: two}
    after = {name for name, each in found.items() if each.running} | set(startable(one, two))
    before = [name for name, each in found.items() if each.running and each.files == "primary"]
    writers = [name for name in after if found[name].files == "primary"]
    assert len(writers) <= max(1, len(before))


@given(SERVERS, SERVERS)
def test_a_server_with_newer_history_is_never_written_past(one: Found, two: Found) -> None:
    if may_write(one, two) and not one.running:
        assert one.timeline >= two.timeline


@given(SERVERS, SERVERS)
def test_every_server_with_data_is_started_or_has_a_reason_not_to(one: Found, two: Found) -> None:
    kept = {name for name, each in ((ORDERS, one), (STANDBY, two)) if each.files != "none"} - set(startable(one, two))
    for name in kept:
        said = described(one, two)
        assert f"{name} is a primary that must stay stopped" in said or f"{name} was stopped while" in said


@pytest.mark.parametrize(
    ("orders", "other", "normal", "started"),
    [
        pytest.param(Found(), Found(), True, [], id="nothing was ever made"),
        pytest.param(primary(), standby(), True, [ORDERS, STANDBY], id="as `down` leaves them"),
        pytest.param(primary(), Found(), True, [ORDERS], id="the standby is still to be made"),
        pytest.param(primary(), standby(running=True), True, [ORDERS, STANDBY], id="the primary crashed"),
        pytest.param(primary(stopped_by_hand=True), standby(running=True), False, [STANDBY], id="fenced"),
        pytest.param(primary(stopped_by_hand=True), primary(2, running=True), False, [STANDBY], id="promoted"),
        pytest.param(primary(), primary(2), False, [STANDBY], id="promoted, then stopped"),
        pytest.param(standby(2), primary(2), False, [STANDBY, ORDERS], id="failed over"),
        pytest.param(primary(3), primary(2), False, [ORDERS], id="switched back, the old one not yet a standby"),
        pytest.param(primary(3), standby(2), True, [ORDERS, STANDBY], id="switched back"),
        pytest.param(primary(1), standby(2), False, [STANDBY], id="the standby has newer history"),
        pytest.param(primary(2), primary(2), False, [], id="nobody can tell which is the newer"),
        pytest.param(standby(), standby(), False, [ORDERS, STANDBY], id="no primary"),
        pytest.param(Found(), primary(2, running=True), False, [STANDBY], id="the old primary is being copied anew"),
    ],
)
def test_each_state_a_drill_can_leave(orders: Found, other: Found, normal: bool, started: list[str]) -> None:
    assert (is_normal(orders, other), startable(orders, other)) == (normal, started)


def test_two_that_both_run_as_primaries_are_said_loudly() -> None:
    assert "BOTH take writes" in described(primary(running=True), primary(2, running=True))


@pytest.fixture
def wal(tmp_path: Path) -> Callable[..., Path]:
    def make(*names: str) -> Path:
        (tmp_path / "pg_wal").mkdir()
        for name in names:
            (tmp_path / "pg_wal" / name).touch()
        return tmp_path

    return make


def test_the_timeline_is_the_newest_of_segments_and_history_files(wal: Callable[..., Path]) -> None:
    assert timeline(wal("000000010000000000000009", "00000002.history", "archive_status")) == 2


def test_the_last_partial_segment_of_the_old_timeline_does_not_count(wal: Callable[..., Path]) -> None:
    assert timeline(wal("000000010000000000000009", "000000030000000000000009.partial")) == 1
