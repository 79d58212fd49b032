"""A drill that breaks anywhere: a stated, safe state; never two primaries; and a rerun finishes the job."""

from __future__ import annotations

import pytest

from day2.errors import Day2Error
from day2.operations.dr_drill import observe
from day2.operations.dr_drill.pair import State
from tests.integration.drill.making import SLOT, Living
from tests.integration.drill.outside import lost, watching
from tests.integration.drill.stepping import STEPS, before, breaking, drill, in_a_process, steps
from tests.integration.drill.test_rejoin import crash, equal, take_over

# The state that each step leaves.
LEAVES: dict[str, State] = {
    "fence": "fenced",
    "replay": "fenced",
    "promote": "promoted",
    "rejoin": "failed_over",
    "switch_back": "normal",
    "clear_up": "normal",
}
# The steps that run commands on a host which change something.
CHANGE = ("fence", "rejoin", "switch_back")
SAFE = ("normal", "alone", "fenced", "promoted", "failed_over", "no_primary", "down")


def _promote_without_a_fence(pair: Living) -> None:
    with watching(pair) as seen:
        take_over(pair)
        began = seen.beats
        assert observe.until(lambda: seen.beats > began + 4, seconds=20)


def is_as_before(pair: Living) -> None:
    """One primary, one standby, equal, the slot of normal times, and nothing left."""
    assert observe.now(pair.pair) == "normal"
    assert equal(pair)
    slots = "select coalesce(string_agg(slot_name, ' '), '') from pg_replication_slots"
    assert [pair.sql(each, slots) for each in pair.pair.nodes] == [SLOT, ""]
    assert drill(pair.pair, since="clear_up")["clear_up"]["leftovers"] == []


def test_the_eyes_outside_do_see_a_split_brain(pair: Living) -> None:
    with pytest.raises(AssertionError, match="split brain"):
        _promote_without_a_fence(pair)


@pytest.mark.parametrize("step", STEPS)
def test_a_drill_that_ends_after_any_step_is_in_the_state_it_says_and_goes_on_later(pair: Living, step: str) -> None:
    with watching(pair) as seen:
        drill(pair.pair, until=step)
        assert observe.now(pair.pair) == LEAVES[step]
        drill(pair.pair, since=step)
        is_as_before(pair)
    assert lost(pair, seen, pair.pair.primary) == set()
    assert len(seen.acknowledged) > 10


@pytest.mark.parametrize("step", CHANGE)
def test_a_host_that_stops_answering_at_any_command_of_a_step(pair: Living, step: str) -> None:
    with watching(pair) as seen:
        reach(pair, step)
        for nth in range(1, 99):
            broken, shells = breaking(pair.pair, nth)
            try:
                steps()[step](broken)
            except Day2Error as error:
                assert observe.now(pair.pair) in SAFE
                says_what_to_do(error)
            if all(len(each.commands) < nth for each in shells):
                break
        drill(pair.pair, since=step)
        is_as_before(pair)
    assert lost(pair, seen, pair.pair.primary) == set()


@pytest.mark.parametrize("step", CHANGE)
def test_a_worker_that_is_killed_during_any_command_of_a_step(pair: Living, step: str) -> None:
    with watching(pair) as seen:
        reach(pair, step)
        for nth in range(1, 99):
            broken, _shells = breaking(pair.pair, nth, kill=True)
            code = in_a_process(step, broken)
            assert observe.now(pair.pair) in (*SAFE, "unknown")
            if code == 0:
                break
        assert nth > 1
        drill(pair.pair, since=step)
        is_as_before(pair)
    assert lost(pair, seen, pair.pair.primary) == set()


@pytest.mark.parametrize("kill", [False, True], ids=["host cut off", "worker killed"])
def test_a_rewind_that_is_interrupted_at_any_command_ends_in_a_rejoined_server(pair: Living, kill: bool) -> None:
    with watching(pair) as seen:
        drill(pair.pair, until="promote", mode="immediate")
        for nth in range(1, 99):
            broken, _shells = breaking(pair.pair, nth, kill=kill)
            code = in_a_process("rejoin", broken)
            assert observe.now(pair.pair) in (*SAFE, "unknown")
            if code == 0:
                break
        assert nth > 8
        kept = drill(pair.pair, since="rejoin", until="rejoin")["rejoin"]["evidence"]
        drill(pair.pair, since="switch_back")
        missing = lost(pair, seen, pair.pair.primary)
        is_as_before(pair)
    assert len(missing) <= kept.get("commits", 0), (
        "the immediate stop may have cost the newest commits, and says how many"
    )


@pytest.mark.parametrize(
    ("step", "dies"),
    [
        ("fence", "standby"),
        ("replay", "standby"),
        ("promote", "standby"),
        ("rejoin", "primary"),
        ("rejoin", "standby"),
        ("switch_back", "primary"),
        ("switch_back", "standby"),
    ],
)
def test_a_server_that_is_killed_after_a_step_is_started_and_the_drill_goes_on(
    pair: Living, step: str, dies: str
) -> None:
    node = pair.pair.standby if dies == "standby" else pair.pair.primary
    with watching(pair) as seen:
        drill(pair.pair, until=step)
        crash(pair, node)
        assert observe.now(pair.pair) in SAFE
        for _attempt in range(3):
            try:
                drill(pair.pair, since=step)
                break
            except Day2Error as error:
                says_what_to_do(error)
                if observe.observe(node, pair.pair.other(node)).role == "stopped":
                    pair.start(node)  # what the message says
        is_as_before(pair)
    assert lost(pair, seen, pair.pair.primary) == set()


def test_an_immediate_fence_of_a_lagging_pair_loses_exactly_what_the_client_missed(pair: Living) -> None:
    with watching(pair) as seen:
        assert observe.until(lambda: len(seen.acknowledged) > 20, seconds=20)
        pair.sql(pair.pair.standby, "alter system set primary_conninfo = 'host=127.0.0.1 port=1'", "postgres")
        pair.sql(pair.pair.standby, "select pg_reload_conf()")
        assert observe.until(lambda: not observe.look(pair.pair)[1].follows, seconds=20)
        far = len(seen.acknowledged) + 100
        assert observe.until(lambda: len(seen.acknowledged) > far, seconds=30)
        measures = drill(pair.pair, until="promote", mode="immediate")
        pair.sql(pair.pair.standby, "alter system reset primary_conninfo", "postgres")
        pair.sql(pair.pair.standby, "select pg_reload_conf()")
        measures |= drill(pair.pair, since="rejoin", until="switch_back")
        missing = lost(pair, seen, pair.pair.primary)
        is_as_before(pair)
    assert len(missing) >= 100
    # One more may have been committed there whose acknowledgement never came.
    assert 0 <= measures["rejoin"]["commits_only_there"] - len(missing) <= 1
    assert measures["rejoin"]["means"] == "rewind"


def test_with_a_synchronous_standby_even_an_immediate_fence_loses_nothing(pair: Living) -> None:
    with watching(pair) as seen:
        pair.sql(pair.pair.primary, "alter system set synchronous_standby_names = '*'")
        pair.sql(pair.pair.primary, "select pg_reload_conf()")
        assert observe.until(lambda: len(seen.acknowledged) > 50, seconds=30)
        pair.sql(pair.pair.primary, "select pg_sleep(0.2)")
        seen.acknowledged.clear()
        assert observe.until(lambda: len(seen.acknowledged) > 50, seconds=30)
        drill(pair.pair, mode="immediate")
        before = len(seen.acknowledged)
        assert observe.until(lambda: len(seen.acknowledged) > before, seconds=20), "commits do not hang"
        is_as_before(pair)
    assert lost(pair, seen, pair.pair.primary) == set()


def test_both_servers_killed_in_the_middle_of_a_rejoin(pair: Living) -> None:
    with watching(pair) as seen:
        drill(pair.pair, until="promote")
        crash(pair, pair.pair.standby)
        with pytest.raises(Day2Error) as error:
            drill(pair.pair, since="rejoin")
        says_what_to_do(error.value)
        pair.start(pair.pair.standby)
        drill(pair.pair, since="rejoin")
        is_as_before(pair)
    assert lost(pair, seen, pair.pair.primary) == set()


def reach(pair: Living, step: str) -> None:
    """Do everything that comes before a step."""
    if earlier := before(step):
        drill(pair.pair, until=earlier)


def says_what_to_do(error: Day2Error) -> None:
    assert "orders-standby" in error.left, error
    assert "state " in error.left, error
    assert error.next_step, error
