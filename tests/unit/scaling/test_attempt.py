"""One step: decided again, asked for once, verified; a killed worker, a refusal, another hand; and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from day2.errors import StepFailed, Unavailable
from day2.operations.scale_resource import attempt, facts
from day2.operations.scale_resource.choose import Choice
from day2.validation import run
from tests.unit.scaling.making import AT, AT_ONCE, Held, resource, seen

TARGET: dict[str, Any] = {
    "name": "workers", "before": "3", "size": "4", "direction": "more", "why": "80 % used", "ask": False,
    "blocked": "", "lowest": "2", "highest": "8", "used": 80.0,
}  # fmt: skip
STAYS = TARGET | {"size": "3", "direction": "stay", "why": "62 % used"}
MORE = Choice(before="3", size="4", direction="more", why="81 % used")
STAY = Choice(before="3", size="3", direction="stay", why="41 % used")


def scaled(
    driver: Held, again: Choice = MORE, target: dict[str, Any] = TARGET, *, asked_before: bool = False
) -> dict[str, Any]:
    measures: dict[str, Any] = {}
    attempt.scale(driver, target, AT_ONCE, asked_before=asked_before, decide_again=lambda _: again, measures=measures)
    return measures


def failed(driver: Held, again: Choice = MORE, target: dict[str, Any] = TARGET) -> tuple[StepFailed, dict[str, Any]]:
    measures: dict[str, Any] = {}
    with pytest.raises(StepFailed) as caught:
        attempt.scale(driver, target, AT_ONCE, asked_before=False, decide_again=lambda _: again, measures=measures)
    return caught.value, measures


def checks(measures: dict[str, Any], driver: Held, target: dict[str, Any] = TARGET) -> set[str]:
    """The checks that the facts of this try fail."""
    row = facts.row(resource(), target, measures, seen=driver.read(), before_that=None, by_hand=False)
    return {each.id for each in run([row], facts.SUITE).failures()}


def test_it_takes_the_step_and_says_what_is_there():
    driver = Held("3")
    measures = scaled(driver)
    assert driver.asked == ["4"]
    assert (measures["before"], measures["decided"], measures["present"]) == ("3", "4", "4")
    assert (measures["changed"], measures["why"], measures["simulated"]) == ("changed", "81 % used", True)
    assert checks(measures, driver) == set()


def test_what_stays_is_verified_and_nothing_is_asked():
    driver = Held("3")
    measures = scaled(driver, target=STAYS)
    assert (driver.asked, measures["changed"], measures["why"]) == ([], "unchanged", "62 % used")
    assert checks(measures, driver, STAYS) == set()
    sick = Held("3", settled=False)
    error, _ = failed(sick, target=STAYS)
    assert "3 is not there after" in error.happened


def test_a_worker_that_was_killed_after_its_write_takes_no_second_step():
    driver = Held("4")
    measures = scaled(driver, again=Choice(before="4", size="5", direction="more"), asked_before=True)
    assert driver.asked == []
    assert (measures["decided"], measures["present"], measures["changed"]) == ("4", "4", "changed")


def test_what_somebody_else_asked_for_meanwhile_is_verified_and_not_ours_to_take_back():
    driver = Held("4")
    measures = scaled(driver)
    assert (driver.asked, measures["decided"], measures["changed"]) == ([], "4", "unchanged")
    assert "changed_at" not in measures
    assert checks(measures, driver) == set()


def test_what_is_no_longer_needed_is_not_done():
    driver = Held("3")
    measures = scaled(driver, again=STAY)
    assert driver.asked == []
    assert (measures["decided"], measures["why"]) == ("3", "no longer needed: 41 % used")
    assert "changed_at" not in measures, "nothing cools down that was not changed"
    assert checks(measures, driver) == set()


def test_what_somebody_else_changed_is_left_alone():
    error, measures = failed(Held("6"))
    assert "when it was 3, and it is 6 now" in error.happened
    assert (error.left, measures["decided"]) == ("nothing was changed by this step", None)


@pytest.mark.parametrize(
    ("again", "says"),
    [
        (Choice(before="3", size="2", direction="less"), "4 was planned; by now 2 would be right"),
        (Choice(before="3", size="4", direction="more", ask=True), "and a person has to approve it"),
        (Choice(before="3", blocked="no longer on its ladder"), "cannot be judged: no longer on its ladder"),
    ],
)
def test_another_step_than_the_one_that_was_approved_is_not_taken(again: Choice, says: str):
    driver = Held("3")
    error, _ = failed(driver, again)
    assert says in error.happened
    assert driver.asked == []


def test_what_is_blocked_fails_and_is_not_touched():
    error, measures = failed(
        Held("12"), target=TARGET | {"blocked": "its size 12 is not on its ladder", "before": "12"}
    )
    assert "not on its ladder" in error.happened
    assert {"size", "measured.size_decided"} <= checks(measures, Held("12"))


def test_a_refusal_says_what_was_asked_what_is_there_and_what_next():
    refused = StepFailed(
        "AWS refused: quota", target="group workers", next_step="ask for more", runbook="The API refuses"
    )
    error, measures = failed(Held("3", fails=refused))
    assert error.happened == "it was asked to become 4, and that failed: AWS refused: quota"
    assert (error.left, error.next_step) == ("it is now: 3 desired, 3 in service", "ask for more")
    assert "changed_at" in measures, "nobody knows whether it arrived"
    assert "size" in checks(measures, Held("3")), "nothing passes that was not done"


def test_an_api_that_is_not_well_is_asked_again_by_a_retry():
    with pytest.raises(Unavailable, match="it was asked to become 4"):
        scaled(Held("3", fails=Unavailable("AWS does not answer")))


def test_a_size_that_does_not_come_fails_with_what_was_seen_last():
    error, measures = failed(Held("3", ignores=True))
    assert "4 is not there after" in error.happened
    assert error.left == "last seen: 4 desired, fewer in service"
    assert {"in_service"} <= checks(measures, Held("4", settled=False))


def test_what_cannot_be_read_afterwards_fails():
    row = facts.row(resource(), TARGET, scaled(Held("3")), seen=None, before_that=None, by_hand=False)
    told = {each.id for each in run([row], facts.SUITE).failures()}
    assert {"measured.size_present", "measured.in_service", "measured.cost_an_hour"} <= told


def test_the_way_back_is_taken_and_verified():
    driver = Held("4")
    measures: dict[str, Any] = {}
    left = attempt.undo(driver, TARGET, AT_ONCE, can_shrink=True, measures=measures)
    assert (driver.asked, left) == (["3"], "the size before, 3: 3 desired, 3 in service")
    assert "changed_at" in measures, "what was taken back cools down too"


def test_what_was_never_asked_is_not_taken_back():
    driver = Held("3")
    assert attempt.undo(driver, TARGET, AT_ONCE, can_shrink=True, measures={}).startswith("as before: 3")
    assert driver.asked == []


def test_storage_cannot_be_taken_back_and_that_is_said():
    with pytest.raises(StepFailed, match="it can only grow: 4 cannot be taken back to 3.*Left behind: it is now: 4"):
        attempt.undo(Held("4"), TARGET, AT_ONCE, can_shrink=False, measures={})


def test_what_another_hand_changed_is_not_taken_back():
    with pytest.raises(StepFailed, match="it is 6 now, and this run asked for 4"):
        attempt.undo(Held("6"), TARGET, AT_ONCE, can_shrink=True, measures={})


def judged(
    one, target: dict[str, Any], measures: dict[str, Any], size: str, *, before_that=None, by_hand=False
) -> set[str]:
    row = facts.row(one, target, measures, seen=seen(size), before_that=before_that, by_hand=by_hand)
    return {each.id for each in run([row], facts.SUITE).failures()}


def test_each_bound_that_is_broken_is_told():
    measures = {"before": "3", "decided": "5", "changed_at": AT.isoformat()}
    assert judged(resource(), TARGET, measures, "5") == {"step"}
    assert judged(resource(step=2), TARGET, measures, "5") == set()
    assert judged(resource(step=2, budget=2.0), TARGET, measures, "5") == {"budget"}
    assert judged(resource(step=2), TARGET | {"highest": "4"}, measures, "5") == {"bounds"}
    assert judged(resource(step=2), TARGET, measures, "5", before_that=AT) == {"cooldown"}
    assert judged(resource(step=2), TARGET, measures, "5", before_that=AT, by_hand=True) == set()
    assert judged(resource(step=2), TARGET | {"used": None}, measures, "5") == {"use"}


def test_what_comes_back_into_its_bounds_a_step_at_a_time_is_well():
    measures = {"before": "6", "decided": "5", "changed_at": AT.isoformat()}
    above = TARGET | {"before": "6", "size": "5", "highest": "4"}
    assert judged(resource(budget=2.0), above, measures, "5", before_that=AT) == set()
    assert judged(resource(budget=2.0), above, measures | {"decided": "6"}, "6") == {"bounds"}
