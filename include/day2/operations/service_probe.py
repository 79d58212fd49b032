"""Does a service work, seen from outside? One try of each of its health checks."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from day2.errors import Day2Error
from day2.inventory.model import HealthCheck, Service
from day2.postgres.server import Server

SHOWN = 200
MOST_BYTES = 1_000_000
Connect = Callable[[str], Server]


def check(service: Service, connect: Connect) -> list[dict[str, Any]]:
    """Each health check of a service, tried once. `connect` finds the server behind a connection id."""
    return [_tried(service.name, each, connect) for each in service.health_checks]


def _tried(service: str, check: HealthCheck, connect: Connect) -> dict[str, Any]:
    begun = time.monotonic()
    try:
        ok, observed = _ask(check, connect)
    except (Day2Error, OSError, ValueError) as error:
        ok, observed = False, error.happened if isinstance(error, Day2Error) else f"{type(error).__name__}: {error}"
    return {
        "service": service,
        "kind": check.kind,
        "address": check.address,
        "ok": ok,
        "observed": " ".join(observed.split())[:SHOWN],
        "expected": check.expect or "an answer",
        "seconds": round(time.monotonic() - begun, 3),
    }


def _ask(check: HealthCheck, connect: Connect) -> tuple[bool, str]:
    seconds = check.timeout.total_seconds()
    if check.kind == "http":
        return _http(check, seconds)
    if check.kind == "tcp":
        host, _, port = check.address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds):
            return True, "it accepts connections"
    return _sql(check, connect(check.address), seconds)


def _http(check: HealthCheck, seconds: float) -> tuple[bool, str]:
    """An expected text is a status when it is a number, and else must be in the body."""
    import requests

    with requests.get(check.address, timeout=seconds, stream=True) as answer:
        text = answer.raw.read(MOST_BYTES, decode_content=True).decode(errors="replace")
    told = f"status {answer.status_code}: {text}"
    if check.expect is None:
        return answer.ok, told
    if check.expect.isdigit():
        return answer.status_code == int(check.expect), told
    return answer.ok and check.expect in text, told


def _sql(check: HealthCheck, server: Server, seconds: float) -> tuple[bool, str]:
    """A session that answers. What is expected is the server's `in_recovery`: `false` for one that writes."""
    whole = str(max(2, round(seconds)))
    with replace(server, options={**server.options, "connect_timeout": whole}).connect() as connection:
        connection.execute(f"set statement_timeout = '{whole}s'".encode())
        row: Any = connection.execute("select pg_catalog.pg_is_in_recovery()").fetchone()
    observed = str(row[0]).lower()
    return check.expect in (None, observed), f"in recovery: {observed}"
