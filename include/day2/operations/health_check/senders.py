"""The ways a message leaves: each gives it to one receiver and returns what the receiver answered to it."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any, Literal
from urllib.parse import urlsplit

from day2.errors import PlanRefused, StepFailed, Unavailable
from day2.operations.health_check.messages import Message
from day2.operations.health_check.outbox import as_dict
from day2.repository.manifest import sha256

SECONDS = 10.0
Shape = Literal["day2", "text", "pagerduty", "opsgenie"]
PAGERDUTY = "https://events.pagerduty.com/"
OPSGENIE = "https://api.opsgenie.com/"
# What SNS and PagerDuty take at most of a title, and PagerDuty of a key.
SUBJECT, SUMMARY, DEDUP = 100, 1024, 255
# What is shorter is no secret: "webhook" in a path is part of the receiver's answer, too.
SECRET = 8
PRIORITY = {"critical": "P1", "warning": "P3", "info": "P5"}
KINDS = {"critical": "failure", "warning": "warning", "info": "success"}  # Apprise's names


@dataclass(frozen=True)
class Http:
    """A receiver that is asked over HTTP: where, and how it knows us."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    auth: tuple[str, str] | None = field(default=None, repr=False)
    key: str = field(default="", repr=False)

    def ask(self, method: str, path: str = "", *, body: Any = None) -> str:
        """One request; returns the answer. Raises Unavailable for none and for 5xx, StepFailed for a refusal."""
        import requests

        # Below the URL, whether or not that ends with a slash: the last part of a ping URL is its key.
        where = f"{self.url.rstrip('/')}/{path.lstrip('/')}" if path else self.url
        try:
            answer = requests.request(
                method, where, json=body, headers=dict(self.headers), auth=self.auth, timeout=SECONDS
            )
        except requests.RequestException as error:
            failed = type(error).__name__
        else:
            told = self._without_secrets(answer.text.strip())
            if answer.ok:
                return f"{answer.status_code} {told}"
            kind = Unavailable if answer.status_code >= 500 or answer.status_code == 429 else StepFailed
            raise kind(f"{_place(where)} answered {answer.status_code}: {told[:200]}")
        # Outside of the except block: the library's own error quotes the URL, and is not even chained.
        raise Unavailable(f"{_place(where)} does not answer: {failed}")

    def _without_secrets(self, text: str) -> str:
        """An answer may quote what it was asked, and the path of a webhook is a key."""
        path = urlsplit(self.url).path.strip("/")
        secrets = [self.key, *(self.auth or ())[1:], *self.headers.values(), path, *path.split("/")]
        for each in sorted({each for each in secrets if len(each) >= SECRET}, key=len, reverse=True):
            text = text.replace(each, "***")
        return text


def webhook(to: Http, shape: Shape, message: Message) -> str:
    """JSON to a URL: `day2` has everything, `text` is what Slack, Mattermost and Google Chat read."""
    if shape == "pagerduty":
        return _each(message, lambda key: to.ask("POST", "v2/enqueue", body=pagerduty(message, key, to.key)))
    if shape == "opsgenie":
        return _each(message, lambda key: _opsgenie(to, message, key))
    return to.ask("POST", body=plain(message) if shape == "day2" else {"text": f"{message.title}\n{message.body}"})


def plain(message: Message) -> dict[str, Any]:
    """A message with all its alerts as JSON values."""
    return {
        "environment": message.environment,
        "severity": message.severity,
        "resolved": message.resolved,
        "title": message.title,
        "body": message.body,
        "keys": list(message.keys),
        "alerts": [as_dict(each) for each in message.alerts],
    }


def pagerduty(message: Message, key: str, routing_key: str) -> dict[str, Any]:
    """An event of PagerDuty's Events API v2: the same key opens and closes an incident.

    https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
    """
    return {
        "routing_key": routing_key,
        "event_action": "resolve" if message.resolved else "trigger",
        "dedup_key": key if len(key) <= DEDUP else sha256(key.encode()),
        "payload": {
            "summary": message.title[:SUMMARY],
            "source": key,
            "severity": message.severity,
            "custom_details": plain(message),
        },
    }


def email(smtp: Callable[[], smtplib.SMTP], sender: str, to: str, message: Message) -> str:
    """A mail; returns its Message-ID, by which it is found in the receiver's log. Raises Unavailable, StepFailed."""
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.title, sender, to
    mail["Message-ID"] = make_msgid(domain="day2")
    mail["X-Day2-Keys"] = " ".join(message.keys)[:900]
    mail.set_content(message.body)
    try:
        with smtp() as server:
            refused = server.send_message(mail)
    except smtplib.SMTPException as error:  # an OSError, too: first
        if isinstance(error, smtplib.SMTPServerDisconnected | smtplib.SMTPConnectError):
            raise Unavailable(f"the mail server does not answer: {error}") from error
        raise StepFailed(f"the mail server refused: {error}") from error
    except OSError as error:
        raise Unavailable(f"the mail server does not answer: {str(error) or type(error).__name__}") from error
    if refused:
        raise StepFailed(f"the mail server refused {', '.join(refused)}")
    return str(mail["Message-ID"])


def sns(client: Any, topic: str, message: Message) -> str:
    """A message of a topic of AWS SNS; returns its id."""
    from botocore.exceptions import BotoCoreError, ClientError

    subject = message.title.encode("ascii", "replace").decode()[:SUBJECT]
    try:
        answer = client.publish(TopicArn=topic, Subject=subject, Message=message.body)
    except ClientError as error:
        raise StepFailed(f"SNS refused: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"SNS does not answer: {error}") from error
    return str(answer["MessageId"])


def apprise(url: str, message: Message) -> str:
    """Any of Apprise's services, by its URL. It says only whether the service took it."""
    import apprise as library

    sink = library.Apprise()
    if not sink.add(url):
        raise PlanRefused(
            f"Apprise does not know the service {url.partition(':')[0]!r}",
            next_step="write the connection's URL as https://github.com/caronc/apprise/wiki has it",
        )
    if not sink.notify(title=message.title, body=message.body, notify_type=KINDS[message.severity]):
        raise Unavailable(f"the service {url.partition(':')[0]} did not take it")
    return "taken"


def _opsgenie(to: Http, message: Message, key: str) -> str:
    """An alert of Opsgenie's; closed by its alias. https://docs.opsgenie.com/docs/alert-api"""
    known = Http(to.url, {**to.headers, "Authorization": f"GenieKey {to.key}"})
    if message.resolved:
        from urllib.parse import quote

        return known.ask("POST", f"v2/alerts/{quote(key, safe='')}/close?identifierType=alias", body={})
    body = {
        "message": message.title[:130],
        "alias": key,
        "description": message.body,
        "priority": PRIORITY[message.severity],
        "source": message.environment,
    }
    return known.ask("POST", "v2/alerts", body=body)


def _each(message: Message, send: Callable[[str], str]) -> str:
    """One event for each incident: several alerts of one message are opened and closed by themselves."""
    return "; ".join(send(key) for key in message.keys)


def _place(url: str) -> str:
    """Where, without what is secret in a URL: paths of webhooks are keys."""
    return "/".join(url.split("/")[:3])
