"""A storm is one message, an end never closes what began again, and nothing is told twice or lost."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from day2.inventory.health import Route
from day2.operations.health_check.messages import MOST, SHOWN, STORM, messages
from day2.operations.health_check.notify import route
from tests.unit.health.making import alert, end


def test_a_storm_over_many_targets_is_one_message_that_names_the_worst_first():
    many = [alert(f"host/web-{n:02}", after="critical" if n == 30 else "warning") for n in range(60)]
    [storm] = messages(many)
    assert storm.title == "[CRITICAL] production: 60 changes on 60 targets at once"
    first, second, third, *_ = storm.body.splitlines()
    assert first == storm.title
    assert "in common" in second
    assert third.startswith("- [CRITICAL] production: host/web-30:")
    assert (storm.body.count("\n- ["), len(storm.keys)) == (SHOWN, 60)
    assert storm.body.endswith(f"and {60 - SHOWN} more: day2 ledger, kind alert")


def test_up_to_a_storm_each_target_is_told_by_itself():
    assert len(messages(alert(f"host/{n}") for n in range(STORM))) == STORM
    assert len(messages(alert(f"host/{n}") for n in range(STORM + 1))) == 1


def test_much_of_one_target_is_one_message_and_a_few_are_not():
    few = [alert(part=f"/{n}") for n in range(MOST)]
    assert len(messages(few)) == MOST
    [many] = messages([*few, alert(part="/more")])
    assert many.title == f"[CRITICAL] production: host/db-01: {MOST + 1} changes at once"


def test_the_end_of_a_storm_is_one_message_of_its_own():
    begun = [alert(f"host/a-{n}") for n in range(20)]
    over = [end(f"host/b-{n}") for n in range(20)]
    first, last = messages([*over, *begun])
    assert (first.resolved, last.resolved) == (False, True)
    assert last.title == "[RESOLVED] production: 20 changes on 20 targets at once"


def test_what_was_well_for_a_moment_is_still_bad_when_all_is_told():
    """An incident is opened and closed by its key: the last word counts."""
    told = messages([alert(minutes=0), end(minutes=5), alert(minutes=9)])
    assert [each.resolved for each in told] == [True, False, False]
    told = messages([alert(minutes=0), end(minutes=5), alert(minutes=9), end(minutes=12)])
    assert [each.resolved for each in told] == [True, False, False, True]


LEVELS = ("ok", "warning", "critical", "absent")


@given(st.lists(st.tuples(st.integers(0, 13), st.sampled_from(LEVELS)), max_size=40), st.integers(1, 6))
def test_the_last_word_of_every_key_is_where_it_stands(changes: list[tuple[int, Any]], most: int):
    alerts = [
        alert(f"host/{host % 5}", part=f"/{host}", after=after, minutes=n) for n, (host, after) in enumerate(changes)
    ]
    told = messages(alerts, most=most)
    last = {key: message.resolved for message in told for key in message.keys}
    assert last == {each.key: each.resolved for each in alerts}
    assert sorted(each.change.at for message in told for each in message.alerts) == [each.change.at for each in alerts]
    assert all(len({each.resolved for each in message.alerts}) == 1 for message in told)


@given(st.lists(st.booleans(), max_size=40))
def test_what_is_silenced_is_in_no_message(silenced: list[bool]):
    alerts = [alert(f"host/{n}", silenced="a move" * quiet) for n, quiet in enumerate(silenced)]
    told = [each for message in messages(alerts) for each in message.alerts]
    assert not [each for each in told if each.silenced]
    assert len(told) == silenced.count(False)


ROUTES = (
    Route(severities=("critical",), notifiers=("pager",)),
    Route(severities=("warning",), notifiers=("chat",)),
    Route(severities=("info",), notifiers=("log",)),
)


def test_an_end_goes_where_its_beginning_went():
    [over] = messages([end()])
    assert route(over, ROUTES, {over.keys[0]: {"critical"}}) == [("pager",), ("log",)]
    assert route(over, ROUTES, {over.keys[0]: {"critical", "warning"}}) == [("pager",), ("chat",), ("log",)]
    assert route(over, ROUTES) == [("log",)]


def test_what_begins_goes_only_where_its_own_severity_goes():
    [bad] = messages([alert(after="warning")])
    assert route(bad, ROUTES, {bad.keys[0]: {"critical"}}) == [("chat",)]
