"""The policy of health checks: what loads, and what could never work as written."""

from __future__ import annotations

import pytest

from day2 import inventory
from day2.inventory.health import Threshold
from tests.unit.inventory.homes import GOOD, Home

POLICY = """  health_check:
    sources:
      - {kind: own}
      - {kind: prometheus, connection: prometheus, queries: {disk_percent: "100 - node_free"}}
    thresholds:
      disk_percent: {warning: 70, critical: 80}
      swap_percent: null
    differently:
      - targets: [database/orders]
        thresholds: {disk_percent: {critical: 60}, connections_percent: null}
    silences:
      - targets: [host/web-01]
        since: 2027-03-07T03:00:00+01:00
        until: 2027-03-07T05:00:00+01:00
        reason: moved to another rack
    routes:
      - {severities: [critical], notifiers: [pager, mail]}
    alert_drill:
      receipts:
        - {notifier: pager, connection: pager_api, path: "messages/{token}"}
"""


def problems(home: Home, text: str) -> list[str]:
    home.write(text)
    return [each.partition(": ")[2] for each in home.problems()]


def test_a_policy_loads_and_what_it_does_not_name_keeps_ours(home: Home) -> None:
    home.write(GOOD + POLICY)
    assert home.problems() == []
    [here] = inventory.environments(home.folder)
    policy = here.policies.health_check
    assert policy is not None
    assert policy.threshold("disk_percent", "host/web-01") == Threshold(warning=70, critical=80)
    assert policy.threshold("disk_percent", "database/orders") == Threshold(critical=60)
    assert policy.threshold("connections_percent", "database/orders") is None
    assert policy.threshold("connections_percent", "database/billing") is not None
    assert policy.threshold("swap_percent") is None
    assert policy.threshold("nobody_knows_this") is None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("until: 2027-03-07T05", "until: 2027-03-07T02", "it ends before it begins"),
        ("until: 2027-03-07T05", "until: 2027-03-07T03", "it ends before it begins"),
        ("T05:00:00+01:00", "T05:00:00", "timezone"),
        ("critical: 80", "critical: 70", "critical (70) is not worse than warning (70)"),
        ("warning: 70, critical: 80", "bad: low, warning: 5, critical: 10", "critical (10) is not worse than warning"),
        ("{warning: 70, critical: 80}", "{margin: 1}", "give warning, critical, or both"),
        (", queries: {disk_percent: \"100 - node_free\"}", "", "a source of kind prometheus needs queries"),
        ("kind: prometheus, connection: prometheus,", "kind: prometheus,", "a source needs a connection"),
        ("{kind: own}", "{kind: own, connection: prometheus}", "a source needs a connection, except the kind `own`"),
        ("severities: [critical]", "severities: []", "severities"),
        ("notifiers: [pager, mail]", "notifiers: []", "notifiers"),
        ("[host/web-01]\n        since", "[host/web-1]\n        since", "'host/web-1' is nothing that"),
        ("targets: [database/orders]\n        thresh", "targets: [orders]\n        thresh", "'orders' is nothing that"),
        ("{notifier: pager", "{notifier: pagr", "'pagr' is on no route; did you mean 'pager'?"),
        ("messages/{token}", "messages", "has no {token}: the receiver is not asked for the test's own word"),
    ],
)  # fmt: skip
def test_what_could_never_work_is_refused_with_its_place(home: Home, old: str, new: str, says: str) -> None:
    assert POLICY.count(old) == 1, old
    found = problems(home, GOOD + POLICY.replace(old, new))
    assert [each for each in found if says in each], found
