"""Where a run stands is read from what its steps wrote, whoever died on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from day2.control.window import Deadline
from day2.operations.security_patching import progress, waves
from day2.operations.security_patching.progress import Host
from tests.unit.patching.making import NOW, SET, installed, scan
from tests.unit.patching.running import planned, tried

LATER = Deadline(NOW + timedelta(minutes=10), "the freeze 'summer sale'")


def host(*tries: dict[str, Any], name: str = "web-01") -> Host:
    return progress.hosts(planned(), tries)[name]


def test_a_host_that_nobody_tried_waits_and_one_that_was_not_fit_is_blocked():
    known = progress.hosts(planned(blocked={"web-07": "no answer"}), [])
    assert known["web-01"] == Host("waiting")
    assert known["web-07"] == Host("blocked", "no answer")
    assert len(known) == 10


@pytest.mark.parametrize(
    ("tries", "state", "rolled_back"),
    [
        ([tried("web-01")], "succeeded", None),
        ([tried("web-01", outcome="failed")], "failed", None),
        ([tried("web-01", outcome="interrupted")], "busy", None),
        ([tried("web-01", outcome="failed", measures={progress.AGAIN: True})], "busy", None),
        ([tried("web-01", outcome="failed", measures={progress.AGAIN: False})], "failed", None),
        ([tried("web-01", outcome="interrupted"), tried("web-01")], "succeeded", None),
        ([tried("web-01", outcome="failed"), tried("web-01", "roll_back", back=True)], "failed", True),
        ([tried("web-01", outcome="failed"), tried("web-01", "roll_back", back=False)], "failed", False),
        ([tried("web-01"), tried("web-01", "roll_back", back=True)], "failed", True),
        ([tried("web-01", outcome="interrupted"), tried("web-01", "undo", back=True)], "failed", True),
        ([tried("web-01", outcome="failed"), tried("web-01", "roll_back", outcome="failed")], "failed", False),
        ([tried("web-01", outcome="failed"), tried("web-01", "roll_back", outcome="interrupted")], "busy", None),
        ([tried("web-01", outcome="failed"), tried("web-01", attempt=2)], "succeeded", None),
        ([tried("web-01", "another_step", outcome="failed")], "waiting", None),
    ],
)
def test_what_the_tries_of_a_host_make_of_it(tries, state, rolled_back):
    known = host(*tries)
    assert (known.state, known.rolled_back) == (state, rolled_back)


def test_a_failed_host_says_why_and_what_its_rollback_added():
    failed = tried("web-01", outcome="failed", why="answered 500")
    assert host(failed).why == "answered 500"
    assert host(failed, tried("web-01", "roll_back", back=True)).why == "answered 500"
    broken = tried("web-01", "roll_back", outcome="failed", why="no space")
    assert host(failed, broken).why == "answered 500; the rollback failed: no space"
    assert host(tried("web-01"), tried("web-01", "roll_back", back=True)).why == "rolled back with its wave"
    assert host(tried("web-01", outcome="interrupted")).why == "unknown: the worker ended before it could tell"


def test_the_waves_see_each_host_and_the_plans_own_deadline():
    made = progress.rollout(planned(), [tried("web-01")])
    assert [each.name for each in made.waves] == ["canary", "early", "broad"]
    assert made.states["web-01"] == "succeeded"
    assert made.deadline == Deadline(NOW.replace(hour=4, minute=0), "the cut-off of window 'sunday'")


def test_a_freeze_that_came_meanwhile_shortens_the_deadline_and_a_later_one_does_not():
    assert progress.rollout(planned(), [], freeze=LATER).deadline == LATER
    late = replace(LATER, at=NOW + timedelta(days=1))
    assert progress.rollout(planned(), [], freeze=late).deadline == progress.rollout(planned(), []).deadline
    endless = planned() | {"deadline": None}
    assert progress.rollout(endless, [], freeze=LATER).deadline == LATER


def test_an_emergency_goes_on_through_a_freeze():
    urgent = planned() | {"emergency": True, "deadline": None}
    assert progress.rollout(urgent, [], freeze=LATER).deadline is None


def test_a_host_that_failed_may_begin_again_only_when_it_was_cleared():
    failed = tried("web-01", outcome="failed")
    standing, known = progress.rollout(planned(), [failed]), host(failed)
    assert progress.reopened(standing, "web-01", known, attempt=1).state("web-01") == "failed"
    again = progress.reopened(standing, "web-01", known, attempt=2)
    assert waves.may_start(again, "web-01", NOW).word == "go"
    done = progress.rollout(planned(), [tried("web-01")])
    assert progress.reopened(done, "web-01", host(tried("web-01")), attempt=2).state("web-01") == "succeeded"


def test_the_first_wave_has_none_before_it():
    standing = progress.rollout(planned(), [])
    assert progress.previous(standing, "canary") is None
    before = progress.previous(standing, "early")
    assert before is not None
    assert before.hosts == ("web-01", "web-02")


def test_once_a_wave_is_over_who_never_began_was_not_attempted_and_who_never_ended_failed():
    standing = progress.rollout(planned(), [tried("web-01", outcome="interrupted")])
    over = progress.over(standing, standing.waves[0])
    assert (over.state("web-01"), over.state("web-02")) == ("failed", "not_attempted")
    assert over.state("web-03") == "waiting"


def test_a_wave_is_finished_when_its_last_host_is_done_with_its_rollback_too():
    canary = progress.rollout(planned(), []).waves[0]
    assert progress.finished(planned(), [], canary) is None
    tries = [tried("web-01", minute=5), tried("web-02", minute=3), tried("web-03", minute=59)]
    assert progress.finished(planned(), tries, canary) == NOW + timedelta(minutes=5)
    tries.append(tried("web-02", "roll_back", minute=9, back=True))
    assert progress.finished(planned(), tries, canary) == NOW + timedelta(minutes=9)


def test_each_host_has_its_part_in_the_run_and_what_was_touched_is_told_as_it_is_now():
    before = {f"web-{n:02}": scan(f"web-{n:02}") for n in range(1, 9)}
    after = {name: installed("openssl", "zlib1g", host=name) for name in before}
    plan = planned(blocked={"web-08": "no answer"})
    tries = [
        tried("web-01"),
        tried("web-02", outcome="failed", why="answered 500"),
        tried("web-02", "roll_back", back=True),
        tried("web-03", outcome="failed", why="no space"),
        tried("web-03", "roll_back", back=False),
        tried("web-04", outcome="interrupted"),
    ]
    made = {each.host: each for each in progress.courses(plan, tries, before, after)}
    assert {name: each.outcome for name, each in made.items()} == {
        "web-01": "succeeded", "web-02": "rolled_back", "web-03": "failed", "web-04": "failed",
        "web-05": "not_attempted", "web-06": "not_attempted", "web-07": "not_attempted", "web-08": "not_attempted",
    }  # fmt: skip
    assert {name for name, each in made.items() if each.after} == {"web-01", "web-02", "web-03", "web-04"}
    assert made["web-02"].why == "answered 500"
    assert made["web-08"].why == "no answer"


def test_the_newest_try_of_some_steps_is_the_one_that_counts():
    tries = [
        tried("web-01", outcome="failed", measures={"healthy": False}),
        tried("web-01", "roll_back", back=True),
        tried("web-01", measures={"healthy": True}, attempt=2),
        tried("web-02", measures={"healthy": False}),
    ]
    assert progress.last_tried(tries, "web-01", "patch", "roll_back") == {"healthy": True}
    assert progress.last_tried(tries, "web-01", "roll_back") == {"rolled_back": True}
    assert progress.last_tried(tries, "web-03", "patch") == {}


def test_a_rerun_takes_all_that_did_not_succeed_in_the_plans_order():
    tries = [tried("web-01"), tried("web-02", outcome="failed"), tried("web-03", outcome="interrupted")]
    left = progress.left_to_do(planned(blocked={"web-10": "no answer"}), tries)
    assert left == tuple(f"web-{n:02}" for n in range(2, 11))
    everyone = [tried(each["name"]) for each in planned()["targets"]]
    assert progress.left_to_do(planned(), everyone) == ()


def test_a_set_is_proven_once_a_canary_kept_it():
    kept, back = tried("web-01"), tried("web-01", "roll_back", back=True)
    assert progress.proven(planned(), [kept])
    assert not progress.proven(planned(), [kept, back])
    assert not progress.proven(planned(), [tried("web-05")])
    assert progress.proven(planned() | {"proven": True}, [])


def test_a_plan_whose_set_was_changed_is_not_read():
    plan = planned()
    assert progress.patch_set(plan) == SET
    plan["patch_set"]["changes"][0]["after"] = "3.0.9"
    with pytest.raises(ValueError, match="the patch set's digest is"):
        progress.patch_set(plan)
