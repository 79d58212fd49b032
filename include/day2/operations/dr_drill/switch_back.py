"""Back to the primary of normal times: planned, without losing a commit, and measured.

The order makes a crash at any moment harmless: the acting primary stops, the other one is proven to have
all of it, the stopped one is made a standby (so that whoever starts it starts no second primary), and only
then the other one is promoted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from day2.errors import Day2Error, StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import configured, control, controldata, observe, rejoin, slots, telling
from day2.operations.dr_drill.pair import Node, Pair, state
from day2.operations.dr_drill.telling import timed

log = logging.getLogger("day2")
Route = Callable[[Node], Any]
# How far the standby may be behind before the outage begins: it is waited for while nobody can write.
NEARLY = 1 << 20
CATCH_UP_SECONDS = 300.0
# Just checkpointed, it stops within seconds; a standby that streams has the rest at once.
STOP_SECONDS = 120.0
REPLAY_SECONDS = 30.0
PROMOTE_SECONDS = 60.0
BEHIND = "Switching back would lose commits"
FAILED = "Switching back failed"


@dataclass(frozen=True)
class Way:
    """A switch-over under way: `to` takes over from `acting`."""

    pair: Pair
    acting: Node
    to: Node
    seconds: float
    parts: dict[str, float]


def switch_back(pair: Pair, *, seconds: float, route: Route) -> dict[str, Any]:
    """Let the primary of normal times take the writes again. `route` moves clients to it. Returns the measures."""
    with telling.stated(pair):
        way = Way(pair, pair.standby, pair.primary, seconds, {})
        seen = telling.steady(pair)
        now = state(*seen)
        if now == "normal" and seen[1].follows:
            log.info("%s: %s takes the writes already", pair.name, pair.primary.name)
            return {"already": True, "route": route(pair.primary)}
        if now == "failed_over" or (now == "no_primary" and seen[0].role == "standby"):
            measures = _switch(way, lambda: route(pair.primary))
        elif now in ("alone", "normal"):  # an earlier attempt got as far as the promotion
            measures = {"route": route(pair.primary), "lost_bytes": None, "outage_seconds": None}
        else:
            raise telling.failed(pair, f"it cannot switch back from {now}", target=pair.name, runbook=FAILED)
        return measures | _redundant_again(way) | {"already": False, "parts": way.parts}


def _switch(way: Way, route: Callable[[], Any]) -> dict[str, Any]:
    """Stop, prove, promote, route. Where something fails before the promotion, the acting primary writes again."""
    with timed(way.parts, "prepare"):
        _prepare(way)
    stopped = time.monotonic()
    try:
        with timed(way.parts, "stop"):
            control.stop(way.acting, seconds=min(way.seconds, STOP_SECONDS))
        with timed(way.parts, "compare"):
            last = _nothing_is_missing(way)
        # From here on it comes up as a standby, whoever starts it.
        require(way.acting.shell, "touch", f"{control.data(way.acting)}/{control.SIGNAL}")
    except Day2Error as error:
        try:
            _write_again(way, error)
        except Day2Error as second:
            raise _failed(way, f"{error.happened}; and {way.acting.name} is not back: {second.happened}") from second
        raise
    with timed(way.parts, "promote"):
        _promote(way)
    outage = time.monotonic() - stopped
    with timed(way.parts, "route"):
        routed = route()
    log.info("%s: %s takes the writes again after %.2f s without", way.pair.name, way.to.name, outage)
    return {
        "outage_seconds": round(outage, 3),
        "routed_seconds": round(time.monotonic() - stopped, 3),
        "lost_bytes": 0,
        "last_checkpoint": control.written(last),
        "route": routed,
    }


def _prepare(way: Way) -> None:
    """What can be done before the outage: catch up, the slot, and a checkpoint so that the stop is short."""
    if not observe.observe(way.acting, way.to).takes_writes:
        return  # stopped by an earlier attempt
    slots.ensure(way.to, way.acting)
    with way.acting.server.connect() as connection:
        connection.execute("checkpoint")

    def nearly() -> bool:
        one, two = observe.observe(way.acting, way.to), observe.observe(way.to, way.acting)
        return two.follows and (one.lsn or 0) - (two.lsn or 0) <= NEARLY

    if not observe.until(nearly, seconds=min(way.seconds, CATCH_UP_SECONDS), every=0.2):
        raise _failed(
            way, f"{way.to.name} does not catch up with {way.acting.name}; nothing was stopped", runbook=BEHIND
        )


def _nothing_is_missing(way: Way) -> int:
    """That the last thing the acting primary wrote was replayed by the other. Returns where that was."""
    if control.running(way.acting):
        raise _failed(way, f"{way.acting.name} was stopped and runs again")
    file = controldata.read(way.acting)
    if not (file.ended_cleanly or file.was_standby):
        raise _failed(way, f"{way.acting.name} did not end in good order: `{file.state}`", runbook=BEHIND)
    # The checkpoint's record begins there: whoever is past it has all of it, and nothing follows it.
    end = file.checkpoint + 1 if file.ended_cleanly else max(file.checkpoint, file.recovered)
    at = 0

    def replayed() -> bool:
        nonlocal at
        at = observe.observe(way.to, way.acting).lsn or 0
        return at >= end

    if not observe.until(replayed, seconds=min(way.seconds, REPLAY_SECONDS), every=0.05):
        ends = f"{way.acting.name} ended at {control.written(file.checkpoint)}"
        raise _failed(way, f"{ends}, {way.to.name} has it only up to {control.written(at)}", runbook=BEHIND)
    return file.checkpoint


def _promote(way: Way) -> None:
    """Promote, when the other is proven to be stopped at this moment. After this there is no going back."""
    import psycopg

    if control.running(way.acting):
        if observe.observe(way.acting, way.to).takes_writes:
            _unsignal(way.acting)  # it came back before it was made a standby
        raise _failed(way, f"{way.acting.name} was stopped and runs again")
    try:
        with way.to.server.connect() as connection:
            question = "select pg_catalog.pg_promote(true, %s)"
            row = connection.execute(question, (max(1, round(min(way.seconds, PROMOTE_SECONDS))),)).fetchone()
    except psycopg.Error as error:
        raise _failed(way, f"pg_promote of {way.to.name} failed: {str(error).strip()}") from error
    if not (row and row[0]):
        raise _failed(way, f"{way.to.name} was told to take over and did not yet; do not start {way.acting.name}")
    observe.try_write(way.to.server)


def _write_again(way: Way, error: Day2Error) -> None:
    """Before the promotion was asked for nothing is lost: the acting primary takes writes again.

    Only if its files say that it was the primary to the end. The other one is stopped meanwhile: an earlier
    attempt may have told it to take over, and it would do so after all.
    """
    if control.running(way.acting) or controldata.read(way.acting).was_standby:
        return
    if observe.observe(way.to, way.acting).role not in ("standby", "stopped"):
        return
    control.stop(way.to, seconds=min(way.seconds, STOP_SECONDS))
    try:
        if not control.starts_as_standby(way.to):
            return  # it began to take over: it goes on, and a rerun finishes the job
        log.warning("%s: %s; %s takes the writes again", way.pair.name, error.happened, way.acting.name)
        _unsignal(way.acting)
        control.start(way.acting, seconds=min(way.seconds, STOP_SECONDS))
    finally:
        control.start(way.to, seconds=min(way.seconds, STOP_SECONDS))


def _unsignal(node: Node) -> None:
    require(node.shell, "rm", "--force", f"{control.data(node)}/{control.SIGNAL}")


def _redundant_again(way: Way) -> dict[str, Any]:
    """The one that was acting follows, through its slot; the slot for the way back is of no use any more."""
    with timed(way.parts, "redundancy"):
        followed = rejoin.follow(way.pair, way.acting, seconds=way.seconds)
    name = configured.value(way.acting, "primary_slot_name")
    active = bool(name) and bool(observe.ask(way.to.server, observe.SLOT, name).get("active"))
    if name and not active:
        raise _failed(way, f"{way.acting.name} follows, but not through its slot {name} on {way.to.name}")
    back = configured.value(way.to, "primary_slot_name")
    slots.drop(way.acting, back)
    one, two = observe.look(way.pair)
    return {
        "means": followed["means"],
        "timeline": one.timeline,
        "streams": two.follows,
        "lag_bytes": max(0, (one.lsn or 0) - (two.lsn or 0)),
        "slot": name or None,
        "slot_active": active,
    }


def _failed(way: Way, happened: str, *, runbook: str = FAILED) -> StepFailed:
    return StepFailed(happened, target=way.pair.name, runbook=runbook)
