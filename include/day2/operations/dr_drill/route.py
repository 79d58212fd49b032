"""Send clients to another server of the pair, and prove that they arrive there.

However they are sent: the proof is new connections to the clients' own endpoint, each of which lands on
that server and has a write accepted.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from day2.errors import Day2Error, StepFailed
from day2.hosts.shell import Shell
from day2.inventory.drill import MultiHost, Route, Route53, RouteCommand
from day2.operations.dr_drill import dns, observe, telling
from day2.operations.dr_drill.finding import Finding
from day2.operations.dr_drill.pair import Node, Pair
from day2.postgres.server import Server

log = logging.getLogger("day2")
COMMAND_SECONDS = 60.0
PROOF_SECONDS = 30.0
# A reloading proxy has its old and its new process for a moment: one lucky connection proves nothing.
IN_A_ROW = 3
# The two servers are copies: which of them answers is when its postmaster started, to the microsecond.
IDENTITY = """
select
    (select control.system_identifier::text from pg_catalog.pg_control_system() as control)
    || ' port ' || current_setting('port')
    || ' since ' || extract(epoch from pg_catalog.pg_postmaster_start_time())::text as who
"""


@dataclass(frozen=True)
class Tools:
    """What opens the connections a route names: a login on a host, a client of AWS Route 53."""

    shell: Callable[[str], Shell]
    aws: Callable[[str], Any]


def move(route: Route, pair: Pair, to: Node, *, tools: Tools) -> dict[str, Any]:
    """Send clients to `to`. Returns the measures.

    Raises StepFailed when that server takes no writes (nothing is moved then), or clients do not arrive.
    """
    with telling.stated(pair):
        return _send(route, pair, to, tools)


def _send(route: Route, pair: Pair, to: Node, tools: Tools) -> dict[str, Any]:
    begun = time.monotonic()
    try:
        observe.try_write(to.server)
    except Day2Error as error:
        raise _failed(pair, f"no client was sent to {to.name}, it takes no writes: {error.happened}") from error
    measures: dict[str, Any] = {"kind": route.kind, "to": to.name}
    if not isinstance(route, Route53) and arrives(pair.endpoint, to):
        return measures | {"already": True, "seconds": round(time.monotonic() - begun, 3)}
    measures |= _move(route, pair, to, tools)
    moved = time.monotonic()
    waiting = PROOF_SECONDS + (route.ttl if isinstance(route, Route53) else 0)
    proven_at(pair, to, seconds=waiting)
    log.info("%s: clients arrive at %s", pair.name, to.name)
    return measures | {
        "already": measures.get("already", False),
        "move_seconds": round(moved - begun, 3),
        "arrive_seconds": round(time.monotonic() - moved, 3),
        "seconds": round(time.monotonic() - begun, 3),
    }


def proven_at(pair: Pair, to: Node, *, seconds: float) -> None:
    """Wait until new connections to the endpoint land on `to`, several in a row. Raises StepFailed if they do not."""
    last = ""

    def all_arrive() -> bool:
        nonlocal last
        last = next(filter(None, (missed(pair.endpoint, to) for _ in range(IN_A_ROW))), "")
        return not last

    if not observe.until(all_arrive, seconds=seconds):
        raise _failed(pair, f"clients did not arrive at {to.name} within {seconds:.0f} s: {last}")


def arrives(endpoint: Server, to: Node) -> bool:
    """Whether new connections to the endpoint land on `to` now, and may write."""
    return not any(missed(endpoint, to) for _ in range(IN_A_ROW))


def missed(endpoint: Server, to: Node) -> str:
    """Why a new connection to the endpoint did not land on `to` with a write accepted; empty if it did."""
    try:
        there = observe.ask(to.server, IDENTITY)["who"]
        here = observe.try_write(endpoint, IDENTITY)["who"]
    except Day2Error as error:
        return error.happened
    return "" if here == there else f"the endpoint leads to server {here}, {to.name} is {there}"


def findings(route: Route, pair: Pair, *, tools: Tools) -> Iterator[Finding]:
    """Whether clients could be sent to either server, before anything is broken. Changes nothing."""
    if isinstance(route, RouteCommand):
        yield _reachable(route, tools)
    if isinstance(route, Route53):
        yield from dns.findings(route, pair, lambda: tools.aws(route.connection))
    if isinstance(route, MultiHost):
        both = len(pair.endpoint.host.split(",")) > 1
        needed = "a list of hosts in the endpoint's connection, and target_session_attrs=read-write"
        yield Finding("route", both, pair.endpoint.host, needed)


def substituted(command: tuple[str, ...], server: Server) -> tuple[str, ...]:
    """The route's command for a server. Pure; an argument stays one argument, whatever is in it."""
    values = {"{host}": server.host, "{port}": str(server.port)}
    result = list(command)
    for name, value in values.items():
        result = [each.replace(name, value) for each in result]
    return tuple(result)


def _move(route: Route, pair: Pair, to: Node, tools: Tools) -> dict[str, Any]:
    if isinstance(route, RouteCommand):
        return _run(route, pair, to, tools)
    if isinstance(route, Route53):
        try:
            return dns.point(tools.aws(route.connection), route, pair.endpoint, to)
        except Day2Error as error:
            raise _failed(pair, error.happened) from error
    return {}


def _run(route: RouteCommand, pair: Pair, to: Node, tools: Tools) -> dict[str, Any]:
    command = substituted(route.command, to.server)
    try:
        done = tools.shell(route.connection).run(*command, seconds=COMMAND_SECONDS)
    except Day2Error as error:
        raise _failed(pair, f"`{shlex.join(command)}` did not run: {error.happened}") from error
    if done.code:
        raise _failed(pair, f"`{shlex.join(command)}` answered {done.code}: {done.words or 'it said nothing'}")
    return {"command": shlex.join(command), "said": done.words}


def _reachable(route: RouteCommand, tools: Tools) -> Finding:
    """`which` needs no right and starts nothing."""
    needed = f"`{route.command[0]}` can be run on its host"
    try:
        done = tools.shell(route.connection).run("which", route.command[0], seconds=COMMAND_SECONDS)
    except Day2Error as error:
        return Finding("route", ok=False, observed=error.happened, needed=needed)
    return Finding("route", done.code == 0, done.stdout.strip() or f"no {route.command[0]} there", needed)


def _failed(pair: Pair, why: str) -> StepFailed:
    return telling.failed(pair, why, target=pair.name, runbook=dns.RUNBOOK)
