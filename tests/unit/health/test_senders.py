"""What each receiver gets, what its refusal becomes, and that no key of it is in an error."""

from __future__ import annotations

import json
import smtplib
import traceback
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from day2.errors import StepFailed, Unavailable
from day2.operations.health_check import arrival, senders
from day2.operations.health_check.messages import Message, messages
from day2.operations.health_check.senders import Http
from tests.unit.health.making import alert, end

[BAD], [OVER] = messages([alert()]), messages([end()])
KEY = "production/host/db-01/disk_percent//data"
SECRET = "T0001/B0002/xoxbSecretOfTheHook"


class Receiver(HTTPServer):
    """Remembers what it is asked, and answers as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []
        self.code, self.says = 202, "accepted"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"null")
        self.server.asked.append((self.command, self.path, body, dict(self.headers)))
        self.send_response(self.server.code)
        self.end_headers()
        self.wfile.write(self.server.says.replace("{path}", self.path).encode())

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(5)


def test_pagerduty_opens_and_closes_an_incident_by_one_key(receiver: Receiver):
    to = Http(receiver.url, key="R0UTINGKEY0001")
    assert senders.webhook(to, "pagerduty", BAD) == "202 accepted"
    senders.webhook(to, "pagerduty", OVER)
    (_, path, opened, _), (_, _, closed, _) = receiver.asked
    assert path == "/v2/enqueue"
    assert (opened["routing_key"], opened["event_action"], opened["dedup_key"]) == ("R0UTINGKEY0001", "trigger", KEY)
    assert (closed["event_action"], closed["dedup_key"]) == ("resolve", KEY)
    assert (opened["payload"]["severity"], opened["payload"]["summary"]) == ("critical", BAD.title)
    assert opened["payload"]["custom_details"]["alerts"][0]["seen"]["value"] == 91.0


def test_several_alerts_of_one_message_are_incidents_of_their_own(receiver: Receiver):
    [many] = messages([alert(part=f"/{number}") for number in range(5)])
    senders.webhook(Http(receiver.url), "pagerduty", many)
    assert sorted(body["dedup_key"] for _, _, body, _ in receiver.asked) == sorted(many.keys)
    assert len(many.keys) == 5


def test_a_key_is_never_longer_than_pagerduty_takes_and_stays_one():
    [one], [other] = messages([alert(part="x" * 400)]), messages([alert(part="x" * 400 + "y")])
    keys = [senders.pagerduty(each, each.keys[0], "k")["dedup_key"] for each in (one, one, other)]
    assert (keys[0], len(set(keys))) == (keys[1], 2)
    assert max(map(len, keys)) <= senders.DEDUP


def test_opsgenie_closes_by_the_alias_it_opened(receiver: Receiver):
    to = Http(receiver.url, key="0psgenie-key-0001")
    senders.webhook(to, "opsgenie", BAD)
    senders.webhook(to, "opsgenie", OVER)
    (_, path, opened, headers), (_, closing, _, _) = receiver.asked
    assert (path, opened["alias"], opened["priority"]) == ("/v2/alerts", KEY, "P1")
    assert headers["Authorization"] == "GenieKey 0psgenie-key-0001"
    assert closing == "/v2/alerts/production%2Fhost%2Fdb-01%2Fdisk_percent%2F%2Fdata/close?identifierType=alias"


def test_a_chat_reads_text_and_our_own_shape_has_everything(receiver: Receiver):
    senders.webhook(Http(receiver.url), "text", BAD)
    senders.webhook(Http(receiver.url), "day2", BAD)
    (_, _, chat, _), (_, _, whole, _) = receiver.asked
    assert chat == {"text": f"{BAD.title}\n{BAD.body}"}
    assert (whole["keys"], whole["resolved"], whole["alerts"][0]["after"]) == ([KEY], False, "critical")


@pytest.mark.parametrize(
    ("code", "kind"), [(400, StepFailed), (404, StepFailed), (429, Unavailable), (500, Unavailable), (503, Unavailable)]
)
def test_a_refusal_is_not_an_outage(receiver: Receiver, code: int, kind: type[Exception]):
    receiver.code = code
    with pytest.raises(kind, match=f"answered {code}: accepted"):
        senders.webhook(Http(receiver.url), "day2", BAD)


def quoted(error: BaseException) -> str:
    """All that a log would have of it."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("code", [200, 404, 503])
def test_what_a_receiver_quotes_of_its_own_path_is_no_secret_told(receiver: Receiver, code: int):
    receiver.code, receiver.says = code, "The requested URL {path} was not found; key k-12345678 is unknown"
    to = Http(f"{receiver.url}/services/{SECRET}", key="k-12345678")
    try:
        said = senders.webhook(to, "text", BAD)
    except (StepFailed, Unavailable) as error:
        said = quoted(error)
    assert "was not found" in said
    assert [each for each in (*SECRET.split("/")[2:], SECRET, "k-12345678") if each in said] == []


def test_one_that_is_down_is_unavailable_and_its_url_is_in_no_traceback():
    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 does not answer: ConnectionError") as caught:
        senders.webhook(Http(f"http://127.0.0.1:1/services/{SECRET}", auth=("us", "pass-word-1")), "text", BAD)
    assert SECRET not in quoted(caught.value)


def test_what_is_secret_is_in_no_repr():
    to = Http(f"https://hooks.test/{SECRET}", {"Authorization": "Bearer abc"}, ("us", "pass-word-1"), "key-1")
    assert repr(to) == "Http()"


@pytest.mark.parametrize("url", ["/ping/4711", "/ping/4711/"])
def test_a_path_is_below_the_url_with_or_without_a_slash(receiver: Receiver, url: str):
    Http(receiver.url + url).ask("POST", "fail")
    Http(receiver.url + url).ask("POST")
    assert [path for _, path, _, _ in receiver.asked] == ["/ping/4711/fail", url]


class Server(smtplib.SMTP):
    """A mail server that takes, or does not."""

    def __init__(self, error: Exception | None = None, refused: dict[str, Any] | None = None) -> None:
        self.error, self.refused, self.got = error, refused or {}, []

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_args: object) -> None:
        pass

    def send_message(self, mail: Any, *_args: Any, **_more: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.got.append(mail)
        return self.refused


def test_a_mail_has_the_title_the_text_and_its_keys():
    server = Server()
    receipt = senders.email(lambda: server, "day2@lab.test", "on-call@lab.test", BAD)
    [mail] = server.got
    assert (mail["Subject"], mail["To"], mail["X-Day2-Keys"]) == (BAD.title, "on-call@lab.test", KEY)
    assert mail.get_content().strip() == BAD.body
    assert receipt == mail["Message-ID"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (smtplib.SMTPServerDisconnected("gone"), Unavailable),
        (ConnectionRefusedError("refused"), Unavailable),
        (TimeoutError(), Unavailable),
        (smtplib.SMTPDataError(451, b"the mailbox is full"), StepFailed),
        (smtplib.SMTPRecipientsRefused({"on-call@lab.test": (550, b"who?")}), StepFailed),
    ],
)
def test_a_mail_server_that_is_down_is_not_one_that_refuses(error: Exception, kind: type[Exception]):
    with pytest.raises(kind):
        senders.email(lambda: Server(error), "a@lab.test", "b@lab.test", BAD)


def test_a_mail_that_some_did_not_get_was_not_taken():
    with pytest.raises(StepFailed, match=r"refused b@lab\.test"):
        senders.email(lambda: Server(refused={"b@lab.test": (550, b"who?")}), "a@lab.test", "b@lab.test", BAD)


def test_a_service_that_apprise_does_not_know_is_named_without_its_key():
    from day2.errors import PlanRefused

    password = "-".join(("secret", "pass"))  # no traceback quotes it from this line
    with pytest.raises(PlanRefused) as caught:
        senders.apprise(f"nosuch://user:{password}@host", BAD)
    assert "'nosuch'" in caught.value.happened
    assert password not in quoted(caught.value)


def test_sns_gets_a_subject_that_it_takes():
    class Client:
        def publish(self, **asked: str) -> dict[str, str]:
            self.asked = asked
            return {"MessageId": "m-1"}

    client = Client()
    long = Message("production", "critical", "é" * 150, "all", ("k",))
    assert senders.sns(client, "arn:topic", long) == "m-1"
    assert client.asked == {"TopicArn": "arn:topic", "Subject": "?" * 100, "Message": "all"}


def test_a_test_that_ended_closes_the_incident_that_it_opened():
    test = arrival.message("production", "pager", "0a1b2c3d")
    opened, closed = (senders.pagerduty(each, each.keys[0], "k") for each in (test, replace(test, ended=True)))
    assert [each["event_action"] for each in (opened, closed)] == ["trigger", "resolve"]
    assert opened["dedup_key"] == closed["dedup_key"]
