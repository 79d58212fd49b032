"""Airflow connections in, ways to tell somebody out. The connection's type says how."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from day2.airflow import connections
from day2.errors import PlanRefused

if TYPE_CHECKING:
    from day2.operations.health_check.notify import Send
    from day2.operations.health_check.senders import Http


def sender(connection: str) -> Send:
    """How the notifier behind a connection is told.

    http: a webhook, whose extra `shape` is day2, text, pagerduty or opsgenie (the password is its key); smtp: mail from
    `from_email` to the extra `to`; aws: the SNS topic of the extra `topic`; apprise: the URL in the password or the
    extra `url`. Raises PlanRefused where there is no such connection, or no such way.
    """
    from day2.operations.health_check import senders

    found = connections.get(connection)
    extra = found.extra_dejson
    if found.conn_type in ("http", "https"):
        return partial(senders.webhook, http(connection), extra.get("shape", "day2"))
    if found.conn_type == "smtp":
        return partial(senders.email, partial(_smtp, found), extra.get("from_email") or found.login, _needed(
            connection, extra, "to"))  # fmt: skip
    if found.conn_type == "aws":
        return partial(senders.sns, connections.aws(connection, "sns"), _needed(connection, extra, "topic"))
    if found.conn_type == "apprise":
        return partial(senders.apprise, found.password or _needed(connection, extra, "url"))
    raise PlanRefused(
        f"the connection {connection!r} is of type {found.conn_type!r}, and nobody can be told by it",
        next_step="make it of type http, smtp, aws (SNS) or apprise",
        runbook="Nobody took an alert",
    )


def keeps_incidents(connection: str) -> bool:
    """Whether its receiver keeps open what it was told, until it is told the end."""
    return connections.get(connection).extra_dejson.get("shape") in ("pagerduty", "opsgenie")


def http(connection: str) -> Http:
    """A receiver that is asked over HTTP."""
    from day2.operations.health_check.senders import OPSGENIE, PAGERDUTY, Http

    found = connections.get(connection)
    extra = found.extra_dejson
    shape = extra.get("shape", "day2")
    default = {"pagerduty": PAGERDUTY, "opsgenie": OPSGENIE}.get(shape, "")
    auth = (found.login, found.password or "") if found.login else None
    return Http(connections.url(found) or default, extra.get("headers", {}), auth, found.password or "")


def _smtp(found: Any) -> Any:
    """A session with a mail server, by the settings that Airflow's SMTP provider has."""
    import smtplib
    import ssl

    from day2.operations.health_check.senders import SECONDS

    extra = found.extra_dejson
    where = (found.host, found.port or 0)
    # smtplib's own default believes every certificate: the password would go to whoever answers.
    context = ssl.create_default_context()
    if not extra.get("disable_ssl", False):
        server: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(*where, timeout=SECONDS)
        if not extra.get("disable_tls", False):
            server.starttls(context=context)
    if found.login and found.password:
        server.login(found.login, found.password)
    return server


def _needed(connection: str, extra: dict[str, Any], name: str) -> str:
    if not extra.get(name):
        raise PlanRefused(f"the connection {connection!r} has no {name!r} in its extra", next_step="add it there")
    return str(extra[name])
