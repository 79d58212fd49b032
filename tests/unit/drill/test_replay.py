"""When a standby has replayed all there is."""

from __future__ import annotations

from typing import Any

from day2.operations.dr_drill.promote import FEW, STILL_SECONDS, all_replayed

RETRY = 5.0


def progress(*, received: int | None = 200, replayed: int = 200, **more: bool) -> dict[str, Any]:
    known = {"idle": True, "receives": True} | more
    return {"received": received, "replayed": replayed, "retry_seconds": RETRY} | known


def test_all_received_is_replayed_once_it_stands_still() -> None:
    assert all_replayed(progress(idle=False), still=STILL_SECONDS)
    assert not all_replayed(progress(), still=STILL_SECONDS / 2)


def test_without_a_receiver_nothing_can_come_once_the_replay_has_looked_everywhere() -> None:
    assert all_replayed(progress(receives=False), still=0)
    assert all_replayed(progress(replayed=150, receives=False), still=0)


def test_a_standby_that_replays_from_the_archive_is_not_done_between_two_files() -> None:
    assert not all_replayed(progress(idle=False, receives=False), still=STILL_SECONDS / 2)


def test_much_is_waited_for_also_without_a_receiver() -> None:
    assert not all_replayed(progress(received=200 + 2 * FEW, receives=False), still=RETRY)


def test_a_standby_that_never_streamed_has_received_nothing() -> None:
    assert all_replayed(progress(received=None), still=1)


def test_half_a_record_is_not_waited_for() -> None:
    assert all_replayed(progress(replayed=150), still=STILL_SECONDS)


def test_much_that_is_not_replayed_is_waited_for_until_the_replay_looked_everywhere_once_more() -> None:
    much = progress(received=200 + 2 * FEW)
    assert not all_replayed(much, still=RETRY)
    assert all_replayed(much, still=RETRY + 1.5)


def test_a_replay_that_is_stuck_is_never_done() -> None:
    """It stands still as one does that has nothing to do, but it does not wait for WAL."""
    assert not all_replayed(progress(replayed=150, idle=False), still=3600)
