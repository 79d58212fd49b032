"""Take the primary out of service, prove that it is, and the way back while that is free.

The fence is a stopped server, never standby.signal: pg_rewind cannot repair a server that carries one
("standby mode is not supported by single-user servers"), and the rejoin needs pg_rewind.
"""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass
from typing import Any, Literal

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.operations.dr_drill import configured, control, observe, slots, telling
from day2.operations.dr_drill.control import ControlFile, Mode
from day2.operations.dr_drill.pair import Pair, Seen
from day2.postgres.server import Server

log = logging.getLogger("day2")
# systemd restarts a service after 0.1 s, and by default at most 5 times in 10 s. `promote` proves it again.
WATCH_SECONDS = 1.0
CONNECT_SECONDS = 3.0
RECEIVE_SECONDS = 5.0
# A standby tries again every wal_retrieve_retry_interval, 5 s by default.
STREAM_SECONDS = 30.0
Answer = Literal["refused", "accepted", "nothing"]
RECEIVED = """
select pg_catalog.pg_wal_lsn_diff(
    greatest(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), '0/0'
)::bigint as lsn
"""


@dataclass(frozen=True)
class Proof:
    """Why the old primary takes no writes. `control` is none where only a person's word is to be had."""

    words: str
    control: ControlFile | None = None


def fence(pair: Pair, *, mode: Mode, crashed_ok: bool, attested: str = "") -> dict[str, Any]:
    """Stop the primary and prove that it takes no writes. Returns the measures.

    `crashed_ok`: it may be dead already and may have kept commits for itself, as in a real disaster.
    `attested` is who says, and how, that it was taken out of service by hand: it counts only for a host
    that does not answer. Raises StepFailed when the fence cannot be proven.
    """
    with telling.stated(pair):
        return _fence(pair, mode, crashed_ok=crashed_ok, attested=attested)


def _fence(pair: Pair, mode: Mode, *, crashed_ok: bool, attested: str) -> dict[str, Any]:
    begun = time.monotonic()
    before = observe.look(pair)
    if before[0].role == "standby" and before[1].role == "primary":
        return {"already": True, "proof": f"{before[0].text}"}
    _refuse_without_successor(pair, before)
    already = before[0].role == "stopped"
    if not already:
        _stop(pair, mode, attested=attested)
    stopped = time.monotonic()
    proof = prove(pair, attested=attested, watch=WATCH_SECONDS)
    measures = {"already": already, "mode": mode, "proof": proof.words, "stop_seconds": round(stopped - begun, 3)}
    if proof.control and not before[1].takes_writes:
        measures |= _handed_over(pair, proof.control, crashed_ok=crashed_ok or mode == "immediate")
    log.info("%s: fenced: %s", pair.name, proof.words)
    return measures | {"seconds": round(time.monotonic() - begun, 3)}


def prove(pair: Pair, *, attested: str = "", watch: float = 0.0) -> Proof:
    """Prove that the old primary takes no writes now, and for `watch` seconds. Raises StepFailed if it cannot be."""
    node = pair.primary
    try:
        runs = control.running(node)
    except Day2Error as error:
        return _attested(pair, attested, error)
    if runs:
        raise cannot(pair, f"{node.name} runs on its host")
    first = _refuses(pair)
    came_back = watch and observe.until(
        lambda: knock(node.server) != "refused" or control.running(node), seconds=watch, every=0.2
    )
    if came_back:
        raise cannot(pair, f"{node.name} was stopped and came back: something on its host starts it again")
    watched = f"; it did not come back within {watch:.0f} s" if watch else ""
    return Proof(f"its host says stopped; {first}{watched}", control.control_file(node))


def unfence(pair: Pair) -> dict[str, Any]:
    """Let the old primary take writes again, before the standby was promoted. Returns the measures.

    The standby is stopped meanwhile: a promotion that timed out may still be under way, and two servers
    would take writes. Raises StepFailed when the standby was promoted, or nobody can tell.
    """
    with telling.stated(pair):
        return _unfence(pair)


def _unfence(pair: Pair) -> dict[str, Any]:
    begun = time.monotonic()
    before = observe.look(pair)
    if before[0].role == "primary" and before[1].role != "primary":
        return {"already": True, "streams": _streams(pair)}
    if before[0].role != "stopped" or before[1].role == "primary":
        raise _no_way_back(pair, observe.described(*before))
    _stop_standby(pair)
    slot = configured.value(pair.primary, "primary_slot_name")
    try:
        control.start(pair.primary)
    finally:
        control.start(pair.standby)
    observe.until(lambda: observe.observe(pair.primary, pair.standby).takes_writes, seconds=STREAM_SECONDS)
    observe.try_write(pair.primary.server)
    if not _streams(pair):
        why = f"the primary takes writes again, but the standby did not follow within {STREAM_SECONDS:.0f} s"
        raise telling.failed(pair, why, target=pair.name, runbook="The standby does not stream")
    # Made for a rejoin that is not needed now; unused, it would keep WAL for ever.
    slots.drop(pair.standby, slot)
    log.info("%s: %s takes writes again and %s follows it", pair.name, pair.primary.name, pair.standby.name)
    return {"already": False, "streams": True, "seconds": round(time.monotonic() - begun, 3)}


def knock(server: Server) -> Answer:
    """What a connection to the server's own address meets: only `refused` proves that nobody listens.

    A timeout proves nothing: the server may hang, or the network to it be cut for us but not for clients.
    """
    answers = {_knock(*each) for each in _addresses(server)}
    return "accepted" if "accepted" in answers else "nothing" if "nothing" in answers else "refused"


def cannot(pair: Pair, why: str) -> StepFailed:
    """The error for a fence that is not proven. Nothing is promoted after it."""
    node = pair.primary
    return StepFailed(
        f"{node.name} cannot be fenced: {why}",
        target=pair.name,
        left=f"nothing was promoted; {observe.describe(pair)}",
        next_step=(
            f"fence it by hand and run this step again: on {node.shell.label}: {control.stop_by_hand(node)}; where "
            "the host does not answer, power it off at its provider, and name who did it as the attestation"
        ),
        runbook="The primary cannot be fenced",
    )


def _stop(pair: Pair, mode: Mode, *, attested: str) -> None:
    log.info("%s: stopping %s (%s)", pair.name, pair.primary.name, mode)
    try:
        control.stop(pair.primary, mode)
    except Unavailable as error:
        # A host that does not answer: `prove` judges the person's word.
        if not attested:
            raise cannot(pair, error.happened) from error
    except Day2Error as error:
        raise cannot(pair, error.happened) from error


def _refuse_without_successor(pair: Pair, seen: tuple[Seen, Seen]) -> None:
    """A primary is not stopped while there is nobody to take over: that would be the outage itself."""
    if seen[0].takes_writes and seen[1].takes_writes:
        raise cannot(pair, "both servers take writes: a person decides which one stays")
    if seen[1].role not in ("standby", "primary"):
        why = f"{seen[1].text}: there is nobody to take over, so {seen[0].node} was not fenced"
        raise telling.failed(pair, why, target=pair.name, runbook="The standby is down")


def _refuses(pair: Pair) -> str:
    """That a write over its own address is refused, in words."""
    answer = knock(pair.primary.server)
    where = f"{pair.primary.server.host}:{pair.primary.server.port}"
    if answer != "refused":
        raise cannot(pair, f"its host says stopped, but {where} answers a connection with: {answer}")
    return f"connections to {where} are refused"


def _attested(pair: Pair, attested: str, error: Day2Error) -> Proof:
    """A host that does not answer: a person's word that it is out of service, and nothing may answer there."""
    if not attested:
        raise cannot(pair, f"its host does not say whether it runs ({error.happened})") from error
    if knock(pair.primary.server) == "accepted":
        raise cannot(pair, f"it accepts connections although it was attested as fenced ({attested})")
    log.warning("%s: fenced on a person's word: %s", pair.name, attested)
    return Proof(f"attested: {attested}; its host does not answer, and nothing accepts connections there")


def _handed_over(pair: Pair, file: ControlFile, *, crashed_ok: bool) -> dict[str, Any]:
    """Whether the standby has everything the primary wrote: after a clean stop it can be known."""
    clean = file.state == "shut down"
    received = _received(pair, file.checkpoint) if clean else _received(pair, 0)
    everything = clean and received > file.checkpoint
    if not everything and not crashed_ok:
        why = (
            f"the standby received up to {control.written(received)}, its last checkpoint is at "
            f"{control.written(file.checkpoint)}"
            if clean
            else f"its control file says `{file.state}`: it crashed, and may have kept commits for itself"
        )
        happened = f"the standby does not have everything that {pair.primary.name} wrote: {why}"
        raise telling.failed(pair, happened, target=pair.name, runbook="The standby lacks commits")
    return {
        "clean": clean,
        "received_all": everything if clean else None,
        "checkpoint": control.written(file.checkpoint),
        "received": control.written(received),
        "timeline": file.timeline,
    }


def _received(pair: Pair, at_least: int) -> int:
    """How far the standby got; waits a moment for the last bytes."""
    found = 0

    def enough() -> bool:
        nonlocal found
        found = observe.ask(pair.standby.server, RECEIVED)["lsn"] or 0
        return found > at_least

    observe.until(enough, seconds=RECEIVE_SECONDS)
    return found


def _stop_standby(pair: Pair) -> None:
    """Stop the standby, and read from its files that its promotion never began.

    The control file alone does not tell: a promotion that a stop interrupts leaves it as that of a
    standby, yet without its signal file, and the next start is that of a primary.
    """
    try:
        ran = control.running(pair.standby)
        control.stop(pair.standby)
        file, standby = control.control_file(pair.standby), control.starts_as_standby(pair.standby)
    except Day2Error as error:
        raise _no_way_back(pair, error.happened) from error
    if file.state == "shut down in recovery" and standby:
        return
    if ran:
        # It takes over, and nobody else takes writes: it goes on.
        control.start(pair.standby)
    signal = "is there" if standby else "is gone"
    raise _no_way_back(pair, f"its control file says `{file.state}`, its {control.SIGNAL} {signal}")


def _no_way_back(pair: Pair, why: str) -> StepFailed:
    happened = (
        f"{pair.primary.name} was not started: it is not proven that {pair.standby.name} was never promoted ({why})"
    )
    return telling.failed(pair, happened, target=pair.name, runbook="Going back is not proven safe")


def _streams(pair: Pair) -> bool:
    return observe.until(lambda: observe.observe(pair.standby, pair.primary).follows, seconds=STREAM_SECONDS, every=0.3)


def _addresses(server: Server) -> list[tuple[int, Any]]:
    if server.host.startswith("/"):
        return [(socket.AF_UNIX, f"{server.host}/.s.PGSQL.{server.port}")]
    host = server.options.get("hostaddr", server.host)
    return [(each[0], each[4]) for each in socket.getaddrinfo(host, server.port, type=socket.SOCK_STREAM)]


def _knock(family: int, address: Any) -> Answer:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_SECONDS)
        try:
            connection.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return "refused"
        except OSError:
            return "nothing"
    return "accepted"
