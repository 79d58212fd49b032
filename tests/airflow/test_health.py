"""Health checks in a running Airflow: what is bad arrives at whoever is on call, once, and the way there is drilled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from lab.receiver import MAIL, WEBHOOK
from tests.booted import Finished, Suite

pytestmark = pytest.mark.timeout(600)
DAG, DRILL = "health_check.production", "alert_drill.production"
BILLING, STANDBY = "database/billing", "standby/orders"
KEY = "production/database/billing/connections_percent"
# Of the 97 that are not the superuser's, 80 % are a warning, and 95 % critical.
MANY, MOST = 79, 93


def healthy(suite: Suite, *targets: str, **conf: Any) -> Finished:
    return suite.run(DAG, **{"reason": "a test", "targets": list(targets or (BILLING,)), **conf})


def steps_of(run: Finished) -> dict[str, Any]:
    return dict(run.record["measures"]["production"]["look"])


def told(suite: Suite, level: str, via: str = "") -> list[dict[str, Any]]:
    """The messages that arrived of our metric at a level."""
    head = f"[{level}] production: {BILLING}: connections in use"
    return [each for each in suite.lab.on_call.messages(via) if each["title"].startswith(head)]


def notices(suite: Suite, run: Finished) -> list[dict[str, Any]]:
    found = suite.entries(DAG, run.run_id, "alert_notice")
    return [each for each in found if "connections in use" in each["title"]]


@contextmanager
def unreachable(suite: Suite, connection: str) -> Iterator[None]:
    """Airflow's connection leads to a port at which nobody answers."""
    path = suite.lab.places.connections
    before = path.read_text()
    known = json.loads(before)
    known[connection]["port"] = 1
    path.write_text(json.dumps(known))
    try:
        yield
    finally:
        path.write_text(before)


@dataclass
class Story:
    """One night: each run, and the signs of life that came with it."""

    well: Finished
    warned: Finished
    critical: Finished
    unheard: Finished
    over: Finished
    dry: Finished
    drilled: Finished
    swallowed: Finished
    signs: dict[str, list[str]]
    lines: dict[str, int]


@pytest.fixture(scope="module")
def night(suite: Suite) -> Iterator[Story]:
    on_call, signs, lines = suite.lab.on_call, {}, {}

    def look(name: str, *targets: str, **conf: Any) -> Finished:
        before = len(on_call.signs())
        run = healthy(suite, *targets, **conf)
        signs[name] = [each["sign"] for each in on_call.signs()[before:]]
        lines[name] = len(on_call.messages())
        return run

    with ExitStack() as until_the_end, ExitStack() as sessions:
        # Nobody's five minutes come in between what follows, as far as that can be helped.
        for dag in (DAG, DRILL):
            until_the_end.callback(suite.operator.patch, f"/dags/{dag}", {"is_paused": True})
        until_the_end.callback(on_call.deafen)
        until_the_end.callback(on_call.swallow)

        def hold(count: int) -> None:
            for _ in range(count):
                sessions.enter_context(suite.lab.fleet["billing"].connect("billing"))

        drilled = suite.start(DRILL, reason="a test")
        with unreachable(suite, "pg_orders_standby"):
            well = look("well", BILLING, STANDBY)
        finished = suite.finish(DRILL, drilled)
        on_call.swallow(WEBHOOK)
        swallowed = suite.start(DRILL, reason="a test", targets=["on_call_webhook"])
        hold(MANY)
        warned = look("warned")
        on_call.deafen(WEBHOOK)
        hold(MOST - MANY)
        critical = look("critical")
        lost = suite.finish(DRILL, swallowed)
        on_call.swallow()
        on_call.deafen(WEBHOOK, MAIL)
        sessions.close()
        unheard = look("unheard")
        on_call.deafen()
        over = look("over")
        dry = look("dry", dry_run=True)
        yield Story(well, warned, critical, unheard, over, dry, finished, lost, signs, lines)


def test_a_look_passes_with_samples_and_says_its_gaps(night: Story) -> None:
    assert (night.well.state, night.well.record["verdict"]) == ("success", "PASSED"), night.well.record["reason"]
    seen = steps_of(night.well)
    assert (seen["targets"], list(seen["gaps"])) == (2, [STANDBY])
    assert seen["samples"] > 20
    answered = [each for each in night.well.record["checks"] if each["id"] == "answered"]
    assert [(each["severity"], each["passed"]) for each in answered] == [("warning", False)]


def test_a_gap_is_no_sample(suite: Suite, night: Story) -> None:
    from datetime import UTC, datetime, timedelta

    from day2.ledger.metrics import Metrics, Series

    now = datetime.now(UTC)
    with suite.ledger() as ledger:
        metrics = Metrics(ledger, "production")
        failed = metrics.read(Series(STANDBY, "look_failed"), now - timedelta(hours=1), now)
        assert 1.0 in [value for _, value in failed]
        used = metrics.read(Series(BILLING, "connections_percent"), now - timedelta(hours=1), now)
    assert [value for _, value in used if value >= 95]
    assert 0.0 not in [value for _, value in used]


def test_a_warning_arrives_with_all_that_on_call_needs(suite: Suite, night: Story) -> None:
    assert night.warned.record["verdict"] == "PASSED", night.warned.record["reason"]
    [mail] = told(suite, "WARNING")
    assert mail["via"] == MAIL
    for wanted in (
        "Level: ok → warning at ",
        "Threshold: warning at or above 80.0 %, critical at or above 95.0 %",
        "Last good: ",
        "Next: look in pg_stat_activity who keeps them open",
        "Runbook: An alert arrived",
        f"Log: {suite.lab.airflow.url}/dags/{DAG}/",
    ):
        assert wanted in mail["body"]
    assert "Owner: " in mail["body"]


def test_a_notifier_that_is_down_is_tried_again_then_the_next_one_takes_it(suite: Suite, night: Story) -> None:
    assert night.critical.record["verdict"] == "PASSED", night.critical.record["reason"]
    [mail] = told(suite, "CRITICAL")
    assert mail["via"] == MAIL, "the webhook is the first of its route"
    [notice] = notices(suite, night.critical)
    tries = [(each["notifier"], each["tries"], each["taken"]) for each in notice["tries"]]
    assert tries == [("on_call_webhook", 3, False), ("on_call_mail", 1, True)]
    assert "answered 503" in notice["tries"][0]["error"]
    assert notice["tries"][1]["receipt"].startswith("<")


def test_what_nobody_takes_fails_the_run_and_waits(suite: Suite, night: Story) -> None:
    assert (night.unheard.state, night.unheard.record["verdict"]) == ("failed", "FAILED")
    assert night.lines["unheard"] == night.lines["critical"], "nobody took anything"
    taken = [each["taken"] for each in notices(suite, night.unheard)]
    assert taken == [False] * 2, "the task was tried again"


def test_the_next_run_delivers_it_once_to_all_who_were_told_of_its_beginning(suite: Suite, night: Story) -> None:
    assert night.over.record["verdict"] == "PASSED", night.over.record["reason"]
    resolved = told(suite, "RESOLVED")
    assert sorted(each["via"] for each in resolved) == [MAIL, WEBHOOK], "critical went one way, warnings another"
    [whole] = [each["whole"] for each in resolved if each["via"] == WEBHOOK]
    assert (whole["keys"], whole["resolved"]) == ([KEY], True)
    assert len(told(suite, "WARNING")) == len(told(suite, "CRITICAL")) == 1


def test_somebody_outside_hears_whether_it_works(night: Story) -> None:
    assert (night.signs["well"][-1], night.signs["unheard"][-1], night.signs["over"][-1]) == ("works", "fail", "works")


def test_a_dry_run_keeps_nothing_and_tells_nobody(suite: Suite, night: Story) -> None:
    assert (night.dry.state, night.dry.record["verdict"]) == ("success", "DRY_RUN"), night.dry.record["reason"]
    assert night.dry.state_of("close") == "skipped"
    assert night.signs["dry"] == []
    assert night.lines["dry"] == night.lines["over"]
    assert night.dry.record["steps"] == []


def test_the_alert_drill_sees_each_test_arrive(suite: Suite, night: Story) -> None:
    assert (night.drilled.state, night.drilled.record["verdict"]) == ("success", "PASSED"), night.drilled.record
    assert sorted(night.drilled.record["targets"]["succeeded"]) == ["on_call_mail", "on_call_webhook"]
    assert night.drilled.state_of("confirm") == "skipped"
    assert {each["via"] for each in suite.lab.on_call.messages() if each["title"].startswith("[TEST]")} == {
        MAIL,
        WEBHOOK,
    }


def test_what_is_taken_and_lost_fails_the_drill(night: Story) -> None:
    assert (night.swallowed.state, night.swallowed.record["verdict"]) == ("failed", "FAILED")
    assert steps_of_drill(night.swallowed)["sent"]["taken"] is True
    [check] = night.swallowed.record["checks"]
    assert "answered 404" in check["observed"], "the receiver's own interface has no such message"


def steps_of_drill(run: Finished) -> dict[str, Any]:
    return dict(run.record["measures"]["on_call_webhook"]["send"])


def test_no_secret_is_in_what_a_drill_leaves(suite: Suite, night: Story) -> None:
    """The words prove that somebody saw the message: nobody may read them elsewhere."""
    tests = [each["body"] for each in suite.lab.on_call.messages() if each["title"].startswith("[TEST]")]
    words = {body.partition("The word is ")[2].split()[0] for body in tests}
    with suite.ledger() as ledger:
        left = json.dumps([entry.body for entry in ledger.entries(run=f"{DRILL}/{night.drilled.run_id}")])
    assert len(words) == 2
    assert [each for each in words if each in left] == []


def known(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """The only connection there is."""
    from airflow.sdk import Connection

    from day2.airflow import connections

    extra = fields.pop("extra", {})
    made = Connection(conn_id="one", extra=json.dumps(extra), **fields)
    monkeypatch.setattr(connections, "get", lambda _name: made)


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"conn_type": "http", "host": "hooks.test", "schema": "https", "extra": {"path": "/services/T/B/x"}},
         "https://hooks.test/services/T/B/x"),
        ({"conn_type": "http", "host": "https://hooks.test", "port": 8443, "extra": {}}, "https://hooks.test:8443/"),
        ({"conn_type": "http", "extra": {"shape": "pagerduty"}}, "https://events.pagerduty.com/"),
        ({"conn_type": "http", "extra": {"shape": "opsgenie"}}, "https://api.opsgenie.com/"),
        ({"conn_type": "http", "host": "api.eu.opsgenie.com", "schema": "https", "extra": {"shape": "opsgenie"}},
         "https://api.eu.opsgenie.com/"),
    ],
)  # fmt: skip
def test_a_webhook_is_where_its_connection_says(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], url: str
) -> None:
    from day2.airflow import notifiers

    known(monkeypatch, password="a-key-of-its-own", **fields)
    to = notifiers.http("one")
    assert (to.url, to.key, to.auth) == (url, "a-key-of-its-own", None)
    sender: Any = notifiers.sender("one")
    assert sender.args[1] == fields["extra"].get("shape", "day2")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"conn_type": "postgres"}, "is of type 'postgres', and nobody can be told by it"),
        ({"conn_type": "smtp", "host": "mail.test"}, "has no 'to' in its extra"),
        ({"conn_type": "aws"}, "has no 'topic' in its extra"),
        ({"conn_type": "apprise"}, "has no 'url' in its extra"),
    ],
)
def test_a_connection_by_which_nobody_can_be_told_is_refused(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], says: str
) -> None:
    from day2.airflow import connections, notifiers
    from day2.errors import PlanRefused

    monkeypatch.setattr(connections, "aws", lambda *_asked: None)
    known(monkeypatch, **fields)
    with pytest.raises(PlanRefused, match=says):
        notifiers.sender("one")


@pytest.mark.parametrize(
    ("extra", "secured"),
    [({"disable_ssl": True, "disable_tls": True}, []), ({"disable_ssl": True}, ["starttls"]), ({}, ["ssl"])],
)
def test_a_mail_server_is_believed_only_with_a_certificate(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], secured: list[str]
) -> None:
    import smtplib
    import ssl

    from day2.airflow import notifiers

    seen: list[tuple[str, Any]] = []

    class Plain:
        def __init__(self, *_where: Any, **_more: Any) -> None: ...

        def starttls(self, *, context: ssl.SSLContext) -> None:
            seen.append(("starttls", context))

        def login(self, user: str, password: str) -> None:
            seen.append((user, password))

    class Secure(Plain):
        def __init__(self, *_where: Any, context: ssl.SSLContext, **_more: Any) -> None:
            seen.append(("ssl", context))

    monkeypatch.setattr(smtplib, "SMTP", Plain)
    monkeypatch.setattr(smtplib, "SMTP_SSL", Secure)
    known(
        monkeypatch, conn_type="smtp", host="mail.test", login="us", password="pass-word-1", extra=extra | {"to": "x"}
    )
    sender: Any = notifiers.sender("one")
    sender.args[0]()
    *first, login = seen
    assert [name for name, _ in first] == secured
    assert all(context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname for _, context in first)
    assert login == ("us", "pass-word-1"), "only then"
