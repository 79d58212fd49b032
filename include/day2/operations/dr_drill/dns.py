"""A CNAME record in Amazon Route 53 that clients resolve, pointed at another server."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlparse

from day2.errors import StepFailed, Unavailable
from day2.inventory.drill import Route53
from day2.operations.dr_drill.finding import Finding
from day2.operations.dr_drill.pair import Node, Pair
from day2.postgres.server import Server

# Route 53 allows five calls a second in an account, and is usually in sync within a minute.
WAITER = {"Delay": 2, "MaxAttempts": 60}
AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
RUNBOOK = "Clients do not reach the new primary"
T = TypeVar("T")


def point(client: Any, route: Route53, endpoint: Server, to: Node) -> dict[str, Any]:
    """Have the record name the server, on every name server of AWS. Returns the measures.

    Raises StepFailed when the record cannot lead there or AWS refuses, Unavailable when AWS does not answer.
    """
    if why := cannot_lead(endpoint, to):
        raise StepFailed(why, left="the record was not changed", next_step="use another kind of route", runbook=RUNBOOK)
    begun = time.monotonic()
    before = _told(route, lambda: current(client, route))
    measures = {"record": route.record, "from": before, "simulated": simulated(client)}
    if before == to.server.host:
        return measures | {"already": True}
    _told(route, lambda: _change(client, route, to.server.host))
    return measures | {"in_sync_seconds": round(time.monotonic() - begun, 3)}


def current(client: Any, route: Route53) -> str:
    """What the record names now; empty if there is no such record."""
    found = client.list_resource_record_sets(
        HostedZoneId=route.zone, StartRecordName=route.record, StartRecordType="CNAME", MaxItems="1"
    )["ResourceRecordSets"]
    for each in found:
        if each["Type"] == "CNAME" and each["Name"].rstrip(".") == route.record.rstrip("."):
            return str(each["ResourceRecords"][0]["Value"]).rstrip(".")
    return ""


def cannot_lead(endpoint: Server, to: Node) -> str:
    """Why a CNAME cannot lead from the endpoint to this server; empty if it can. Pure."""
    if endpoint.port != to.server.port:
        return f"a CNAME cannot change the port: clients use {endpoint.port}, {to.name} listens on {to.server.port}"
    try:
        ipaddress.ip_address(to.server.host)
    except ValueError:
        return ""
    return f"a CNAME must name a host: {to.name} is known by its address {to.server.host}"


def simulated(client: Any) -> bool:
    """Whether what answers is not AWS itself."""
    return not str(urlparse(client.meta.endpoint_url).hostname).endswith(AMAZON)


def findings(route: Route53, pair: Pair, connect: Callable[[], Any]) -> Iterator[Finding]:
    """Whether the record is there and could lead to either server. Changes nothing."""
    needed = f"zone {route.zone} can be read and has the CNAME {route.record}"
    try:
        named = _told(route, lambda: current(connect(), route))
    except (StepFailed, Unavailable) as error:
        yield Finding("route", ok=False, observed=error.happened, needed=needed)
    else:
        yield Finding("route", bool(named), named or "there is no such record", needed)
    for each in pair.nodes:
        why = cannot_lead(pair.endpoint, each)
        yield Finding(f"route to {each.name}", not why, why or "a CNAME can lead there", "same port, a host's name")


def _change(client: Any, route: Route53, host: str) -> None:
    record = {
        "Name": route.record,
        "Type": "CNAME",
        "TTL": route.ttl,
        "ResourceRecords": [{"Value": host}],
    }
    change = client.change_resource_record_sets(
        HostedZoneId=route.zone,
        ChangeBatch={"Comment": "Day 2 dr_drill", "Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]},
    )["ChangeInfo"]
    client.get_waiter("resource_record_sets_changed").wait(Id=change["Id"], WaiterConfig=WAITER)


def _told(route: Route53, call: Callable[[], T]) -> T:
    """Call AWS; its errors name the record."""
    from botocore.exceptions import BotoCoreError, ClientError, WaiterError

    left = f"nobody knows whether {route.record} was changed: look at it in zone {route.zone}"
    try:
        return call()
    except (ClientError, WaiterError) as error:
        raise StepFailed(
            f"Route 53 refused: {error}",
            target=route.record,
            left=left,
            next_step="check zone, record and the rights of the Airflow connection; or change the record by hand",
            runbook=RUNBOOK,
        ) from error
    except BotoCoreError as error:
        raise Unavailable(
            f"Route 53 does not answer: {error}",
            target=route.record,
            left=left,
            next_step="check the way from the worker to AWS; or change the record by hand",
            runbook=RUNBOOK,
        ) from error
