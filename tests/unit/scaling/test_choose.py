"""What becomes of a resource as it was found: by its use, at its hours, by hand, and when it cannot be judged."""

from __future__ import annotations

from datetime import timedelta

import pytest

from day2.errors import PlanRefused
from day2.inventory.scaling import Resource
from day2.operations.scale_resource.choose import Choice, Looked, choose, hours
from tests.unit.scaling.making import AT, STORAGE, resource, seen


def of(one: Resource, size: int | str, used: float | None, *, by_hand: str = "", **more) -> Choice:
    settled = more.pop("settled", True)
    looked = Looked(seen(size, settled=settled), used=used, **more)
    return choose(one, looked, timezone="Europe/Berlin", at=AT, by_hand=by_hand)


def test_it_is_named_what_becomes_of_what_and_within_which_bounds():
    found = of(resource(), 3, 80)
    assert (found.before, found.size, found.direction) == ("3", "4", "more")
    assert (found.lowest, found.highest, found.ask, found.blocked) == ("2", "8", False, "")


def test_what_cannot_be_read_is_blocked():
    assert (
        choose(resource(), Looked(None, "AWS does not answer"), timezone="UTC", at=AT).blocked == "AWS does not answer"
    )


def test_a_size_that_is_not_on_the_ladder_is_blocked():
    found = of(resource(), 12, 99)
    assert found.blocked == "its size 12 is not on its ladder, 2 to 8"
    assert (found.size, found.direction) == ("", "stay")


def test_nothing_is_decided_while_a_change_is_under_way():
    found = of(resource(), 3, 99, settled=False)
    assert found.direction == "stay"
    assert found.why == "a change is under way: 3 desired, fewer in service"


def test_storage_only_grows():
    store = resource(driver=STORAGE, count={"min": 100, "max": 200, "by": 20, "cost": 0.01}, less_at=None, budget=1.5)
    assert of(store, 120, 90).size == "140"
    assert of(store, 120, 1).direction == "stay"
    above = of(store, 160, 90)
    assert (above.size, above.direction) == ("160", "stay")
    assert above.why.endswith("and it can only grow")


def test_what_follows_no_use_changes_at_its_hours_only():
    busy = {"start": "0 13 * * *", "duration": "PT2H", "at_least": "4"}
    one = resource(follows=None, schedules=[busy])
    assert of(one, 3, None).size == "4"
    later = choose(one, Looked(seen(3)), timezone="Europe/Berlin", at=AT + timedelta(hours=2))
    assert (later.direction, later.why) == ("stay", "it follows no measured use, and no hours ask for another size")


def test_hours_are_in_the_environments_time_zone_and_the_strictest_counts():
    one = resource(schedules=[
        {"start": "0 13 * * *", "duration": "PT1H", "at_least": "4", "at_most": "8"},
        {"start": "30 12 * * *", "duration": "PT31M", "at_least": "5", "at_most": "6"},
    ])  # fmt: skip
    assert hours(one, "Europe/Berlin", AT) == ("5", "6"), "12:00 UTC is 13:00 in Berlin"
    assert hours(one, "Europe/Berlin", AT + timedelta(minutes=1)) == ("4", "8")
    assert hours(one, "Europe/Berlin", AT + timedelta(minutes=60)) == (None, None), "an end does not belong to it"


@pytest.mark.parametrize(
    ("size", "used", "wish", "ask"),
    [(3, 80, "4", False), (3, 50, "4", True), (3, 50, "2", True), (3, 10, "2", False), (3, None, "4", True)],
)
def test_by_hand_a_person_is_asked_unless_its_use_says_the_same(size: int, used: float, wish: str, ask: bool):
    found = of(resource(), size, used, by_hand=wish)
    assert (found.size, found.ask) == (wish, ask)


def test_by_hand_the_limit_of_an_approval_holds_too():
    assert of(resource(approve_above=1.5), 3, 80, by_hand="4").ask


def test_by_hand_no_cooldown_is_waited_for():
    assert of(resource(), 3, 50, by_hand="4", changed=AT).size == "4"


@pytest.mark.parametrize(
    ("more", "wish", "says"),
    [
        ({}, "9", "'9' is not one of its sizes.*choose from: 2, 3, 4"),
        ({}, "5", "5 is more than one step from 3.*choose 4 first"),
        ({"budget": 1.5}, "4", "4 is outside of its bounds, 2 to 3 at this hour"),
        ({"driver": STORAGE, "less_at": None}, "2", "2 is less than 3, and it can only grow"),
    ],
)
def test_by_hand_every_bound_is_kept(more: dict, wish: str, says: str):
    with pytest.raises(PlanRefused, match=says):
        of(resource(**more), 3, 50, by_hand=wish)


def test_by_hand_nothing_is_begun_while_a_change_is_under_way():
    with pytest.raises(PlanRefused, match="a change is under way"):
        of(resource(), 3, 50, by_hand="4", settled=False)


def test_by_hand_what_it_is_already_is_no_change():
    found = of(resource(), 3, 50, by_hand="3")
    assert (found.direction, found.why, found.ask) == ("stay", "it is 3 already", False)


def test_what_is_out_of_bounds_may_come_nearer_by_hand_though_it_stays_outside():
    found = of(resource(budget=1.0), 5, 50, by_hand="4")
    assert (found.size, found.highest) == ("4", "2")
