"""An alert waits until somebody took it, and is told once, whoever is killed in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.operations.health_check import outbox
from day2.operations.health_check.alerts import Alert
from day2.operations.health_check.messages import messages
from day2.operations.health_check.notify import Try
from tests.unit.health.making import AT, MINUTE, Remembering, alert, end

HERE = "production"
TAKEN, REFUSED = Try("mail", 1, taken=True, receipt="250"), Try("pager", 3, taken=False, error="down")


@pytest.fixture
def ledger() -> Any:
    return Remembering()


def put(ledger: Any, *alerts: Alert, run: str = "health_check.production/1") -> list[str]:
    return outbox.put(ledger, alerts, run=run, attempt=1, now=AT)


def tell(ledger: Any, *chains: list[Try], run: str = "r", attempt: int = 1) -> list[bool]:
    """Give every alert that waits to these chains."""
    waiting = outbox.waiting(ledger, HERE, now=AT)
    return [outbox.noticed(ledger, message, chains, run=run, attempt=attempt) for message in messages(waiting.values())]


def waiting(ledger: Any, *, later: timedelta = timedelta(0)) -> list[str]:
    return list(outbox.waiting(ledger, HERE, now=AT + later))


def test_killed_between_writing_and_telling_it_is_told_once_by_the_next(ledger: Any):
    ids = put(ledger, alert())
    assert put(ledger, alert(), run="health_check.production/2") == ids, "the same change is the same alert"
    assert waiting(ledger) == ids
    assert tell(ledger, [TAKEN]) == [True]
    assert waiting(ledger) == []
    assert put(ledger, alert()) == ids
    assert waiting(ledger) == []


def test_taken_on_one_way_and_refused_on_another_is_not_told_again_and_fails_the_run(ledger: Any):
    put(ledger, alert())
    assert tell(ledger, [REFUSED], [TAKEN], run="r") == [False]
    assert waiting(ledger) == []
    assert tell(ledger, [TAKEN], run="r") == [], "the retry finds nothing to tell"
    assert list(outbox.told(ledger, "r", 1).values()) == [False], "and makes nothing well by that"


def test_what_nobody_took_waits_and_a_retry_that_reaches_somebody_makes_it_well(ledger: Any):
    ids = put(ledger, alert())
    tell(ledger, [REFUSED], run="r")
    assert (waiting(ledger), list(outbox.told(ledger, "r", 1).values())) == (ids, [False])
    tell(ledger, [REFUSED, TAKEN], run="r")
    assert (waiting(ledger), list(outbox.told(ledger, "r", 1).values())) == ([], [True])
    assert outbox.told(ledger, "r", 2) == {}, "another attempt of the run begins anew"


def test_two_alerts_with_one_title_do_not_hide_each_other(ledger: Any):
    for minutes, chain in ((0, REFUSED), (9, TAKEN)):
        put(ledger, alert(minutes=minutes))
        [message] = messages([alert(minutes=minutes)])
        outbox.noticed(ledger, message, [[chain], [TAKEN]], run="r", attempt=1)
    assert list(outbox.told(ledger, "r", 1).values()) == [False]


def test_without_a_route_nobody_is_told_and_nothing_waits(ledger: Any):
    put(ledger, alert())
    assert tell(ledger) == [True]
    assert waiting(ledger) == []


def test_what_is_silenced_waits_for_nobody(ledger: Any):
    put(ledger, alert(silenced="dr_drill is at work on it"))
    assert waiting(ledger) == []


def test_another_environment_waits_for_its_own_run(ledger: Any):
    put(ledger, alert(environment="staging"))
    assert waiting(ledger) == []


def test_what_is_too_old_is_no_news(ledger: Any):
    put(ledger, alert())
    assert waiting(ledger, later=outbox.FOR) != []
    assert waiting(ledger, later=outbox.FOR + MINUTE) == []


def test_what_is_still_bad_after_the_silence_is_told_and_says_why_so_late(ledger: Any):
    put(ledger, alert(silenced="a move (until noon)", note="12 GB of logs"))
    still = outbox.no_longer_silenced(ledger, HERE, lambda _target: "a move (until noon)", now=AT)
    assert still == []
    [late] = outbox.no_longer_silenced(ledger, HERE, lambda _target: "", now=AT)
    assert (late.silenced, late.note) == ("", "12 GB of logs; nobody was told: a move (until noon)")
    put(ledger, late)
    assert len(waiting(ledger)) == 1
    assert outbox.no_longer_silenced(ledger, HERE, lambda _target: "", now=AT) == [], "once"


def test_what_ended_within_the_silence_is_told_no_more(ledger: Any):
    put(ledger, alert(silenced="a move"), end())
    assert outbox.no_longer_silenced(ledger, HERE, lambda _target: "", now=AT) == []


def test_what_ends_in_the_same_look_as_its_silence_is_not_told_as_bad(ledger: Any):
    put(ledger, alert(silenced="a move"))
    assert outbox.no_longer_silenced(ledger, HERE, lambda _target: "", made=[end()], now=AT) == []


def begun(ledger: Any) -> dict[str, set[str]]:
    return outbox.begun(ledger, HERE, outbox.waiting(ledger, HERE, now=AT), now=AT)


def test_an_end_concerns_all_who_were_told_since_it_was_well(ledger: Any):
    put(ledger, alert(after="warning"), alert(before="warning", minutes=1), alert("host/b", silenced="a move"))
    tell(ledger, [TAKEN])
    assert begun(ledger) == {alert().key: {"warning", "critical"}}
    put(ledger, end(), alert(after="warning", minutes=9))
    assert begun(ledger) == {alert().key: {"warning", "critical"}}, "nobody heard of the end yet"
    tell(ledger, [TAKEN])
    put(ledger, alert(after="warning", minutes=12))
    assert begun(ledger) == {alert().key: {"warning"}}


@given(st.sampled_from(["ok", "warning", "critical", "absent"]), st.text(max_size=9), st.booleans())
def test_an_alert_survives_being_written_down(after: Any, part: str, low: bool):
    from dataclasses import replace

    from day2.metrics.thresholds import Rule

    before = replace(alert(after=after, part=part), rule=Rule(warning=None if low else 80.0, critical=90.0, above=low))
    again = outbox.from_dict(outbox.as_dict(before))
    assert again == before
    assert outbox.alert_id(again) == outbox.alert_id(before)
