"""A message has all that on-call needs, and a storm is one message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from day2.metrics.thresholds import Change, Level, Rule, Seen
from day2.operations.health_check.about import About
from day2.operations.health_check.alerts import Alert, quiet
from day2.operations.health_check.messages import messages

AT = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
DISK = About("disk", "percent", "remove what is not needed, or grow the file system")


def alert(target: str = "db-01", metric: str = "disk_percent", after: Level = "critical", **fields) -> Alert:
    before: Level = "ok" if after != "ok" else "critical"
    change = Change(before, after, AT, Seen(AT, 91.04), Seen(AT - timedelta(hours=2), 71.0))
    values = {"part": "/data", "owner": "platform", "link": "http://airflow/x"} | fields
    return Alert("production", target, metric, change=change, rule=Rule(warning=80, critical=90), about=DISK, **values)


def test_a_message_has_all_that_on_call_needs():
    [message] = messages([alert()])
    assert message.body.splitlines() == [
        "[CRITICAL] production: db-01: disk of /data is 91.0 %",
        "Level: ok → critical at 2027-03-07T03:00:00Z",
        "Threshold: warning at or above 80.0 %, critical at or above 90.0 %",
        "Last good: 71.0 % at 2027-03-07T01:00:00Z",
        "Owner: platform",
        "Next: remove what is not needed, or grow the file system",
        "Runbook: An alert arrived",
        "Log: http://airflow/x (the runbook is the documentation of its DAG)",
    ]
    assert message.title == message.body.splitlines()[0]
    assert message.keys == ("production/db-01/disk_percent//data",)


def test_silence_of_a_source_is_critical_and_says_what_was_heard_last():
    [message] = messages([alert(after="absent")])
    assert message.severity == "critical"
    assert message.title == "[CRITICAL] production: db-01: nothing is heard of disk of /data"
    assert "Last heard: 91.0 % at 2027-03-07T03:00:00Z" in message.body


def test_an_end_is_told_and_asks_for_nothing():
    [message] = messages([alert(after="ok")])
    assert (message.severity, message.title.partition("]")[0]) == ("info", "[RESOLVED")
    assert "Next:" not in message.body


def test_a_storm_of_one_target_is_one_message_that_names_all():
    storm = [alert(metric=f"metric_{number}", after="warning" if number else "critical") for number in range(30)]
    [message] = messages([*storm])
    assert message.severity == "critical"
    assert message.title == "[CRITICAL] production: db-01: 30 changes at once"
    assert len(message.keys) == 30
    assert message.body.count("\n- [WARNING]") == 29


def test_the_worst_comes_first():
    found = messages([alert("a", after="warning"), alert("b"), alert("c", after="ok")])
    assert [each.severity for each in found] == ["critical", "warning", "info"]


def test_while_an_operation_is_at_work_its_target_is_quiet_but_not_its_end():
    at_work = {"db-01": "security_patching is at work on it"}
    told = quiet([alert(), alert(after="ok"), alert("web-01")], lambda target: at_work.get(target, ""))
    assert [each.silenced for each in told] == ["security_patching is at work on it", "", ""]
    assert len(messages(told)) == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), unique=True, max_size=40), st.integers(1, 6))
def test_nothing_that_is_not_silenced_is_lost_or_told_twice(pairs: list[tuple[str, int]], most: int):
    given_alerts = [alert(target, f"m{number}") for target, number in pairs]
    told = [key for message in messages(given_alerts, most=most) for key in message.keys]
    assert sorted(told) == sorted(each.key for each in given_alerts)
