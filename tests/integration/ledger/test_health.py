"""Cycles of a health check on a real ledger: one change is one alert, and what is dropped is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from day2.inventory.health import HealthPolicy, Retention, Silence
from day2.ledger import Ledger, leases
from day2.ledger.metrics import Metrics, Sample, Series
from day2.operations.capacity_review.series import rates
from day2.operations.health_check import alerts, cycle, outbox, scaling, silence, upkeep
from day2.operations.health_check.cycle import Judged, Looked
from day2.operations.health_check.messages import messages
from day2.operations.health_check.notify import Try

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)
DISK, SENT = Series("host/db-01", "disk_percent", "/data"), Series("host/db-01", "network_sent_bytes", "eth0")
POLICY = HealthPolicy()


class Here:
    """As much of an environment as an alert needs."""

    name, owner = "production", "platform"
    hosts: tuple[Any, ...] = ()
    databases: tuple[Any, ...] = ()


def seen(*values: float, begin: datetime = NOW - 10 * MINUTE, series: Series = DISK) -> Looked:
    return Looked(tuple(Sample(series, begin + number * MINUTE, value) for number, value in enumerate(values)))


def judged(ledger: Ledger, looked: Looked, *, now: datetime = NOW) -> Judged:
    """One cycle until just before it remembers: as one that is killed there."""
    return cycle.keep(Metrics(ledger, "production"), looked, POLICY, now=now)


def written(ledger: Ledger, found: Judged, *, silent: silence.Silent = lambda _target: "") -> None:
    made: Any = [alerts.of(Here(), change) for change in found.changes]  # type: ignore[arg-type]
    outbox.put(ledger, alerts.quiet(made, silent), run="h/1", attempt=1, now=NOW)


def waiting(ledger: Ledger) -> list[str]:
    return [alerts.title(each) for each in outbox.waiting(ledger, "production", now=datetime.now(UTC)).values()]


def tell(ledger: Ledger, *chains: list[Try]) -> list[bool]:
    there = outbox.waiting(ledger, "production", now=datetime.now(UTC)).values()
    return [outbox.noticed(ledger, each, chains, run="h/1", attempt=1) for each in messages(there)]


def test_a_cycle_that_was_killed_before_it_told_is_judged_again_and_told_once(ledger: Ledger) -> None:
    looked = seen(50, 91)
    for _ in range(2):  # the second is the next one: the first remembered nothing
        written(ledger, found := judged(ledger, looked))
    cycle.remember(Metrics(ledger, "production"), found)
    assert waiting(ledger) == ["[CRITICAL] production: host/db-01: disk use of /data is 91.0 %"]
    assert tell(ledger, [Try("mail", 1, taken=True)]) == [True]
    assert waiting(ledger) == []
    written(ledger, judged(ledger, looked))
    assert waiting(ledger) == [], "remembered: the same samples again are no news"
    [alert] = [entry.body for entry in ledger.entries(kind="alert")]
    assert (alert["before"], alert["after"], alert["last_good"]["value"]) == ("ok", "critical", 50)


def test_it_is_told_once_while_it_stays_and_again_when_it_ends(ledger: Ledger) -> None:
    for number, value in enumerate((50, 91, 93, 92, 60)):
        found = judged(ledger, seen(value, begin=NOW - (9 - number) * MINUTE))
        written(ledger, found)
        cycle.remember(Metrics(ledger, "production"), found)
    assert [each.partition("]")[0] for each in waiting(ledger)] == ["[CRITICAL", "[RESOLVED"]


@pytest.mark.parametrize(("value", "level"), [(79.99, []), (80, ["warning"]), (90, ["critical"])])
def test_a_threshold_that_is_exactly_met_survives_the_database(ledger: Ledger, value: float, level: list[str]) -> None:
    assert [change.after for _, _, change in judged(ledger, seen(value)).changes] == level


def test_duplicates_and_a_clock_that_is_ahead_are_dropped_and_counted(ledger: Ledger) -> None:
    twice = seen(50).samples * 2
    ahead = seen(99, begin=NOW + 10 * MINUTE).samples
    found = judged(ledger, Looked((*twice, *ahead)))
    assert (found.changes, found.dropped) == ((), {"old or a duplicate": 1, "from the future": 1})
    cycle.remember(Metrics(ledger, "production"), found)
    late = judged(ledger, seen(99, begin=NOW - 60 * MINUTE))
    assert (late.changes, late.dropped) == ((), {"old or a duplicate": 1}), "it is older than what is known"


def test_a_gap_leaves_no_row_and_then_an_alarm(ledger: Ledger) -> None:
    cycle.remember(
        Metrics(ledger, "production"), judged(ledger, seen(50, begin=NOW - 30 * MINUTE), now=NOW - 30 * MINUTE)
    )
    gap = Looked((Sample(Series(DISK.target, "look_failed"), NOW, 1.0),), {DISK.target: "it does not answer"})
    found = judged(ledger, gap)
    assert [(series.metric, change.after) for series, _, change in found.changes] == [("disk_percent", "absent")]
    assert len(Metrics(ledger, "production").read(DISK, NOW - 60 * MINUTE, NOW + MINUTE)) == 1


def test_a_counter_that_was_reset_is_no_negative_rate(ledger: Ledger) -> None:
    judged(ledger, seen(1000, 1600, 60, 120, series=SENT))
    kept = Metrics(ledger, "production").read(SENT, NOW - 60 * MINUTE, NOW)
    seconds, values = (np.array(each) for each in zip(*((at.timestamp(), value) for at, value in kept), strict=True))
    _, found, resets = rates(seconds, values)
    assert ([round(each, 6) for each in found], resets) == ([10.0, 1.0, 1.0], 1)


def test_a_lease_and_a_policy_silence_what_is_told_afterwards_if_it_stays(ledger: Ledger) -> None:
    leases.acquire(ledger, ["production/host/db-01"], owner="x/1", ttl=5 * MINUTE, reason="security_patching 1")
    working = silence.at_work(ledger, "production")
    assert working == {"host/db-01": "security_patching"}
    written(ledger, judged(ledger, seen(50, 91)), silent=silence.of(POLICY, working, now=NOW))
    assert waiting(ledger) == []
    leases.release(ledger, "x/1")
    assert silence.at_work(ledger, "production") == {}
    planned = HealthPolicy(silences=(Silence(targets=("host/db-01",), since=NOW, until=NOW + MINUTE, reason="a move"),))
    for now, late in ((NOW, 0), (NOW + MINUTE, 1), (NOW + MINUTE, 0)):
        still = outbox.no_longer_silenced(ledger, "production", silence.of(planned, {}, now=now), now=NOW)
        assert len(still) == late
        outbox.put(ledger, still, run="h/2", attempt=1, now=NOW)
    assert len(waiting(ledger)) == 1


def test_a_route_that_failed_is_in_the_ledger_and_not_told_again(ledger: Ledger) -> None:
    written(ledger, judged(ledger, seen(50, 91)))
    assert tell(ledger, [Try("pager", 3, taken=False, error="down")], [Try("mail", 1, taken=True)]) == [False]
    assert (tell(ledger, [Try("pager", 1, taken=True)]), list(outbox.told(ledger, "h/1", 1).values())) == ([], [False])


def test_upkeep_rolls_up_drops_a_month_and_says_so_once_an_hour(ledger: Ledger) -> None:
    metrics, long_ago = Metrics(ledger, "production"), NOW - timedelta(days=80)
    metrics.write([*seen(50, 70, begin=long_ago).samples, *seen(10, begin=NOW - timedelta(hours=3)).samples])
    assert upkeep.due(ledger, "production", now=NOW)
    upkeep.keep_house(ledger, metrics, Retention(), environment="production", run="h/1", attempt=1, now=NOW)
    [said] = [entry.body for entry in ledger.entries(kind=upkeep.KIND)]
    assert said["dropped"] == [f"metric_sample_{long_ago:%Y%m}"]
    assert said["rolled_up"] >= 1
    assert metrics.read(DISK, long_ago - MINUTE, NOW - timedelta(days=40)) == []
    day = metrics.rolled(DISK, "day", long_ago - timedelta(days=1), long_ago + timedelta(days=1))
    assert sum(each.samples for each in day) == 2, "its days stay"
    assert not upkeep.due(ledger, "production", now=datetime.now(UTC))
    assert upkeep.due(ledger, "staging", now=datetime.now(UTC))
    assert upkeep.due(ledger, "production", now=datetime.now(UTC) + timedelta(hours=1, seconds=1))


class Slow:
    """A resource that is left alone for a week."""

    cooldown = timedelta(days=7)


def test_who_was_asked_to_scale_is_known_to_the_next_look_for_as_long_as_it_matters(ledger: Ledger) -> None:
    body = {"attempt": 1, "environment": "production", "resource": "spool", "direction": "more", "used": 90.0}
    ledger.append(scaling.KIND, run="h/1", body=body)
    slow: Any = [Slow()]
    for days, known in ((0, ["spool"]), (6.9, ["spool"]), (7.1, [])):
        later = datetime.now(UTC) + timedelta(days=days)
        assert list(scaling.last_asked(ledger, "production", slow, now=later)) == known
    assert scaling.last_asked(ledger, "staging", slow, now=datetime.now(UTC)) == {}


def test_a_sample_of_another_time_zone_finds_its_month(ledger: Ledger) -> None:
    east = datetime(2027, 1, 1, 0, 30, tzinfo=UTC).astimezone(datetime.strptime("+0200", "%z").tzinfo)
    metrics = Metrics(ledger, "production")
    assert metrics.write([Sample(DISK, east - timedelta(hours=1), 1.0)]) == 1, "still December in UTC"
    assert len(metrics.read(DISK, east - timedelta(days=1), east)) == 1
