"""Back to the primary of normal times, without losing a commit."""

from __future__ import annotations

from typing import Any

import pytest

from day2.errors import StepFailed
from day2.operations.dr_drill import control, observe, rejoin, switch_back
from day2.operations.dr_drill.pair import Node
from tests.integration.drill.making import Living
from tests.integration.drill.test_rejoin import SECONDS, crash, equal, notes, take_over, write


@pytest.fixture
def failed_over(pair: Living) -> Living:
    """A pair whose standby took over, with the old primary following it."""
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    rejoin.rejoin(pair.pair, seconds=SECONDS)
    return pair


class Routed:
    """Where clients were sent."""

    def __init__(self) -> None:
        self.to: list[str] = []

    def __call__(self, node: Node) -> dict[str, Any]:
        self.to.append(node.name)
        return {"to": node.name}


def back(pair: Living) -> tuple[dict[str, Any], Routed]:
    routed = Routed()
    return switch_back.switch_back(pair.pair, seconds=SECONDS, route=routed), routed


def test_it_ends_in_normal_with_every_row_and_the_slots_of_normal_times(failed_over: Living) -> None:
    write(failed_over, failed_over.pair.standby, "while away", 100)
    measures, routed = back(failed_over)
    assert observe.now(failed_over.pair) == "normal"
    assert notes(failed_over, failed_over.pair.primary, "while away") == 100
    assert equal(failed_over)
    assert routed.to == ["orders"]
    assert measures["means"] == "start"
    assert measures["streams"]
    assert measures["slot_active"]
    assert 0 < measures["outage_seconds"] < 30
    slots = "select count(*) from pg_replication_slots"
    assert [failed_over.sql(each, slots) for each in failed_over.pair.nodes] == [1, 0]


def test_a_standby_that_has_not_replayed_all_is_not_promoted_and_clients_write_on(
    failed_over: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch_back, "REPLAY_SECONDS", 0.5)
    monkeypatch.setattr(switch_back, "NEARLY", 1 << 40)
    failed_over.sql(failed_over.pair.primary, "select pg_wal_replay_pause()")
    write(failed_over, failed_over.pair.standby, "not replayed")
    with pytest.raises(StepFailed, match="has it only up to") as error:
        back(failed_over)
    assert "state failed_over" in error.value.left
    assert "to go back" in error.value.next_step
    write(failed_over, failed_over.pair.standby, "they write on")
    failed_over.sql(failed_over.pair.primary, "select pg_wal_replay_resume()")
    back(failed_over)
    assert notes(failed_over, failed_over.pair.primary, "not replayed") == 1
    assert notes(failed_over, failed_over.pair.primary, "they write on") == 1


def test_a_standby_that_does_not_catch_up_stops_nothing(failed_over: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch_back, "CATCH_UP_SECONDS", 0.5)
    monkeypatch.setattr(switch_back, "NEARLY", 0)
    failed_over.sql(failed_over.pair.primary, "select pg_wal_replay_pause()")
    began = failed_over.sql(failed_over.pair.standby, "select pg_postmaster_start_time()")
    write(failed_over, failed_over.pair.standby, "not replayed")
    with pytest.raises(StepFailed, match="does not catch up"):
        back(failed_over)
    assert failed_over.sql(failed_over.pair.standby, "select pg_postmaster_start_time()") == began


def test_an_acting_primary_that_comes_back_by_itself_is_not_joined_by_a_second(
    failed_over: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when systemd restarts it between the stop and the promotion."""
    compare = switch_back._nothing_is_missing

    def restarted(way: switch_back.Way) -> int:
        last = compare(way)
        failed_over.start(failed_over.pair.standby)
        return last

    monkeypatch.setattr(switch_back, "_nothing_is_missing", restarted)
    with pytest.raises(StepFailed, match="was stopped and runs again"):
        back(failed_over)
    assert failed_over.sql(failed_over.pair.primary, "select pg_is_in_recovery()")
    assert not control.starts_as_standby(failed_over.pair.standby), "its next start is that of a primary, too"


def test_one_that_began_to_take_over_is_not_joined_by_the_acting_primary(
    failed_over: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier attempt was told that the promotion did not end; it goes on all the same."""
    signal = failed_over.home(failed_over.pair.primary) / "data" / "standby.signal"

    def began(way: switch_back.Way) -> int:
        signal.unlink()
        raise StepFailed("something else fails")

    monkeypatch.setattr(switch_back, "_nothing_is_missing", began)
    with pytest.raises(StepFailed, match="something else fails"):
        back(failed_over)
    assert observe.now(failed_over.pair) == "alone"
    assert failed_over.sql(failed_over.pair.primary, "select pg_is_in_recovery()") is False


def test_an_acting_primary_that_crashed_writes_again_and_is_switched_then(failed_over: Living) -> None:
    write(failed_over, failed_over.pair.standby, "before the crash")
    crash(failed_over, failed_over.pair.standby)
    with pytest.raises(StepFailed, match="did not end in good order"):
        back(failed_over)
    assert observe.observe(failed_over.pair.standby, failed_over.pair.primary).takes_writes
    back(failed_over)
    assert notes(failed_over, failed_over.pair.primary, "before the crash") == 1


def test_a_state_from_which_it_cannot_go_back_is_refused_with_what_to_do(pair: Living) -> None:
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    with pytest.raises(StepFailed, match="cannot switch back from promoted") as error:
        back(pair)
    assert "pg_rewind" in error.value.next_step


def test_a_second_run_does_nothing_but_route_again(failed_over: Living) -> None:
    back(failed_over)
    measures, routed = back(failed_over)
    assert measures["already"]
    assert routed.to == ["orders"]
