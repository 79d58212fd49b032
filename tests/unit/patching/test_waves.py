"""Whichever way a run goes: the budget holds, nothing starts late, and a bad wave is the last one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.control.window import Deadline
from day2.operations.security_patching import budget, waves
from day2.operations.security_patching.waves import Rollout, Wave
from tests.unit.patching.making import NOW, environment

CUTOFF = Deadline(NOW + timedelta(hours=1), "the cut-off")


@st.composite
def rollouts(draw) -> Rollout:
    made, count = [], 0
    for name in ("canary", "early", "broad"):
        size = draw(st.integers(1, 6))
        hosts = tuple(f"h{count + n:02}" for n in range(size))
        count += size
        made.append(Wave(name, hosts, draw(st.integers(1, size)), draw(st.integers(0, 2)), 0))
    blocked = draw(st.sets(st.integers(0, count - 1), max_size=count // 3))
    states = {f"h{number:02}": "blocked" for number in blocked}
    return Rollout(tuple(made), len(blocked) + draw(st.integers(1, count)), states, CUTOFF)


def play(rollout: Rollout, data) -> tuple[Rollout, list[Rollout]]:
    """Let hosts start and end in any order until nothing more can happen; every state on the way."""
    history = [rollout]
    while True:
        start = waves.startable(rollout, NOW)
        busy = [each for each in rollout.hosts if rollout.state(each) == "busy"]
        if not start and not busy:
            return rollout, history
        chosen = data.draw(st.sampled_from([*start, *busy]))
        after = "busy" if chosen in start else data.draw(st.sampled_from(["succeeded", "succeeded", "failed"]))
        rollout = replace(rollout, states={**rollout.states, chosen: after})
        history.append(rollout)


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_never_more_hosts_are_out_of_service_than_the_budgets_allow(rollout, data):
    _, history = play(rollout, data)
    for each in history:
        assert len(budget.out(each.states, each.hosts)) <= each.fleet_budget
        for wave in each.waves:
            assert len(each.those(wave, "busy", "failed")) <= wave.budget


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_all_that_may_start_may_start_together(rollout, data):
    """Tasks ask at the same time: whoever is told to go may, whatever the others do."""
    _, history = play(rollout, data)
    for each in history:
        everyone = {**each.states, **dict.fromkeys(waves.startable(each, NOW), "busy")}
        assert len(budget.out(everyone, each.hosts)) <= each.fleet_budget


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_a_stale_look_never_overbooks(rollout, data):
    """A task may act on states it read some time ago, while others went on and took their places."""
    _, history = play(rollout, data)
    old = data.draw(st.integers(0, len(history) - 1))
    now = history[data.draw(st.integers(old, len(history) - 1))]
    late = [each for each in waves.startable(history[old], NOW) if now.state(each) == "waiting"]
    everyone = {**now.states, **dict.fromkeys(late, "busy"), **dict.fromkeys(waves.startable(now, NOW), "busy")}
    assert len(budget.out(everyone, now.hosts)) <= now.fleet_budget


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_no_wave_begins_before_the_one_before_it_is_through(rollout, data):
    _, history = play(rollout, data)
    for each in history:
        for earlier, later in zip(each.waves, each.waves[1:], strict=False):
            if each.those(later, "busy", "succeeded", "failed"):
                assert each.those(earlier, "waiting", "busy") == []
                assert len(each.those(earlier, "failed")) <= earlier.max_failures


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_a_run_never_hangs_and_never_forgets_a_host(rollout, data):
    """When nothing runs and nothing may start, every host that waits is told to stop, not to wait for ever."""
    last, _ = play(rollout, data)
    unfinished = next((waiting for wave in last.waves if (waiting := last.those(wave, "waiting"))), [])
    assert {waves.may_start(last, each, NOW).word for each in unfinished} <= {"stop"}
    assert set(waves.ended(last).values()) <= {"succeeded", "failed", "blocked", "not_attempted"}
    assert set(waves.ended(last)) == set(last.hosts)


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_after_the_cut_off_nothing_starts(rollout, data):
    _, history = play(rollout, data)
    assert all(waves.startable(each, CUTOFF.at) == () for each in history)


@settings(max_examples=50, deadline=None)
@given(rollouts(), st.data())
def test_a_rerun_takes_what_is_left_and_nothing_that_succeeded(rollout, data):
    last, _ = play(rollout, data)
    final = waves.ended(last)
    left = waves.left_to_do(last.hosts, final)
    assert {each for each in last.hosts if final[each] == "succeeded"}.isdisjoint(left)
    assert set(left) | {each for each in last.hosts if final[each] == "succeeded"} == set(last.hosts)


def rollout(**states) -> Rollout:
    made, fleet = waves.arrange(environment().hosts, environment().policies.security_patching, fleet=10)
    return Rollout(made, fleet, {f"web-{name[1:]}": state for name, state in states.items()}, CUTOFF)


def test_hosts_are_arranged_as_the_inventory_says():
    made = rollout()
    assert [(each.name, len(each.hosts), each.budget) for each in made.waves] == [
        ("canary", 2, 1), ("early", 2, 1), ("broad", 6, 1),
    ]  # fmt: skip
    assert made.fleet_budget == 3
    assert waves.startable(made, NOW) == ("web-01",)


def test_a_failed_host_uses_up_the_budget_and_says_so():
    made = replace(rollout(w01="failed"), waves=tuple(replace(each, max_failures=5) for each in rollout().waves))
    answer = waves.may_start(made, "web-02", NOW)
    assert (answer.word, answer.why) == ("stop", "the disruption budget of canary (1) is used up by web-01")


def test_a_host_that_was_down_before_leaves_its_wave_its_own_budget():
    made = rollout(w01="blocked")
    assert waves.startable(made, NOW) == ("web-02",)
    assert waves.startable(replace(made, fleet_budget=1), NOW) == ()


def test_a_host_whose_worker_died_is_brought_to_its_end_even_after_the_cut_off():
    made = rollout(w01="busy")
    assert waves.may_start(made, "web-01", CUTOFF.at + timedelta(hours=1)).word == "go"
    assert waves.may_start(made, "web-02", NOW).word == "wait"


@pytest.mark.parametrize(
    ("states", "word", "says"),
    [
        ({"w01": "succeeded", "w02": "succeeded"}, "wait", "bakes until 2027-03-14T02:00:00Z"),
        ({"w01": "succeeded", "w02": "failed"}, "stop", "canary: 1 failed (web-02), more than 0"),
        ({"w01": "succeeded"}, "stop", "not finished: web-02"),
        ({"w01": "succeeded", "w02": "busy"}, "stop", "not finished: web-02"),
        ({"w01": "succeeded", "w02": "not_attempted"}, "stop", "not attempted: web-02"),
        ({"w01": "blocked", "w02": "blocked"}, "stop", "no host succeeded"),
        ({"w01": "succeeded", "w02": "blocked"}, "wait", "bakes"),
    ],
)
def test_the_next_wave_waits_for_a_good_one_that_has_baked(states, word, says):
    made = rollout(**states)
    answer = waves.gate(made, made.waves[0], finished=NOW - timedelta(minutes=30), now=NOW)
    assert answer.word == word
    assert says in answer.why


def test_a_baked_wave_opens_the_gate():
    made = rollout(w01="succeeded", w02="succeeded")
    answer = waves.gate(made, made.waves[0], finished=NOW - timedelta(hours=1), now=NOW)
    assert answer == waves.Answer("go", "canary: 2 of 2 hosts succeeded")


def test_no_wave_opens_when_its_bake_time_ends_after_the_cut_off():
    made = rollout(w01="succeeded", w02="succeeded")
    answer = waves.gate(made, made.waves[0], finished=NOW + timedelta(minutes=1), now=NOW + timedelta(minutes=1))
    assert answer.word == "stop"
    assert "the cut-off comes before" in answer.why


@pytest.mark.parametrize(
    ("scope", "states", "hosts"),
    [
        ("host", {"w01": "succeeded", "w02": "failed"}, ("web-02",)),
        ("wave", {"w01": "succeeded", "w02": "failed"}, ("web-02", "web-01")),
        ("wave", {"w01": "succeeded", "w02": "blocked"}, ()),
        ("wave", {"w01": "succeeded", "w02": "succeeded"}, ()),
    ],
)
def test_what_is_rolled_back_is_what_the_policy_says(scope, states, hosts):
    made = rollout(**states)
    assert waves.to_roll_back(made, made.waves[0], scope) == hosts


def test_a_failure_that_the_wave_allows_does_not_take_the_others_with_it():
    made = rollout(w03="succeeded", w04="failed")
    allowing = replace(made.waves[1], max_failures=1)
    assert waves.to_roll_back(made, allowing, "wave") == ("web-04",)


@given(st.integers(1, 100), st.integers(1, 1000))
def test_a_share_is_rounded_down_and_always_lets_one_go(percent, hosts):
    share = budget.allowed(f"{percent}%", hosts)
    assert 1 <= share <= hosts
    assert share == 1 or share <= hosts * percent / 100


def test_waves_survive_json():
    assert [waves.Wave.from_dict(each.as_dict()) for each in rollout().waves] == list(rollout().waves)
