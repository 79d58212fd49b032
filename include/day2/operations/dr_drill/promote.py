"""Let the standby take over: when it has replayed all it received, and the fence is proven again."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.operations.dr_drill import control, fence, observe, sessions, slots, telling
from day2.operations.dr_drill.pair import Pair, Seen
from day2.postgres.server import Server

log = logging.getLogger("day2")
PROGRESS = (Path(__file__).parent / "replay.sql").read_text()
# Positions that have not moved for so long stand still.
STILL_SECONDS = 0.2
CHECKPOINT_SECONDS = 2.0
# Replayed in milliseconds; a walsender sends at most 128 KiB at a time.
FEW = 1 << 20
ORDER = "select pg_catalog.pg_promote(false)"
IN_RECOVERY = "select pg_catalog.pg_is_in_recovery() as standby"
SYNCHRONOUS = """
select
    current_setting('synchronous_standby_names') as names,
    (
        select count(*) from pg_catalog.pg_stat_replication
        where state = 'streaming' and sync_state in ('sync', 'quorum', 'potential')
    ) as there
"""


def replay(pair: Pair, *, seconds: float) -> dict[str, Any]:
    """Wait until the standby has replayed all it received. Returns the measures.

    Raises StepFailed when the replay is paused, or when the time is over.
    """
    with telling.stated(pair):
        return _replay(pair, seconds)


def _replay(pair: Pair, seconds: float) -> dict[str, Any]:
    begun = time.monotonic()
    seen = observe.observe(pair.standby, pair.primary)
    if seen.takes_writes:
        return {"already": True}
    if seen.role != "standby":
        raise _failed(pair, f"there is nothing to replay: {seen.text}", "The standby is down")
    first = observe.ask(pair.standby.server, PROGRESS)
    last = _until_still(pair, first, deadline=begun + seconds)
    lag = last["replayed"] - first["replayed"]
    log.info("%s: %s replayed all it received, the last %d bytes now", pair.name, pair.standby.name, lag)
    return {
        "already": False,
        "lag_bytes": lag,
        "lag_seconds": round(first["since_last_commit"], 3) if lag else 0.0,
        "half_a_record_bytes": _behind(last),
        "lsn": control.written(last["replayed"]),
        "last_commit": last["last_commit"],
        "seconds": round(time.monotonic() - begun, 3),
    }


def promote(pair: Pair, *, seconds: float, attested: str = "") -> dict[str, Any]:
    """Make the standby the primary, once. Returns the measures.

    Raises StepFailed, with nothing promoted, unless the fence is proven at this moment. A promotion that
    does not end in time may still happen later: it is never tried again without a person.
    """
    with telling.stated(pair):
        return _take_over(pair, seconds, attested=attested)


def _take_over(pair: Pair, seconds: float, *, attested: str) -> dict[str, Any]:
    begun = time.monotonic()
    before = observe.observe(pair.standby, pair.primary)
    # The old primary that follows already needs no fence; every other one is asked by the proof.
    rejoined = before.takes_writes and observe.observe(pair.primary, pair.standby).role == "standby"
    old_timeline = 0 if rejoined else _fenced_on(pair, before, attested)
    _refuse_waiting_commits(pair)
    slot = _keep_wal(pair, attested=attested)
    ordered = time.monotonic()
    if not before.takes_writes:
        _refuse_unless_standby(pair, before)
        _promote(pair, seconds)
    promoted = time.monotonic()
    measures = _complete(pair, old_timeline)
    log.info("%s: %s took over on timeline %s", pair.name, pair.standby.name, measures["timeline"])
    return measures | {
        "already": before.takes_writes,
        "slot": slot,
        "slot_status": _slot_status(pair, slot),
        "promote_seconds": round(promoted - ordered, 3),
        "seconds": round(time.monotonic() - begun, 3),
    }


def _fenced_on(pair: Pair, standby: Seen, attested: str) -> int:
    """Prove the fence. Returns the newest timeline that either server was on before a promotion."""
    old = fence.prove(pair, attested=attested).control
    return max(old.timeline if old else 0, 0 if standby.takes_writes else standby.timeline or 0)


def _promote(pair: Pair, seconds: float) -> None:
    """Order it and wait. `pg_promote` would wait too, but looks only ten times a second."""
    server = pair.standby.server
    doing = "pg_promote failed"
    try:
        observe.ask(server, ORDER)
        doing = "after pg_promote it does not say whether it is promoted"
        over = observe.until(lambda: not observe.ask(server, IN_RECOVERY)["standby"], seconds=seconds)
    except Day2Error as error:
        raise _failed(pair, f"{doing}: {error.happened}", "Promotion fails") from error
    if not over:
        raise _timed_out(pair, seconds)


def _complete(pair: Pair, old_timeline: int) -> dict[str, Any]:
    """What makes a promotion complete: it writes, on a new timeline, and soon its control file says so.

    Before the checkpoint pg_rewind would compare with the old timeline, find nothing to do and answer 0.
    """
    node = pair.standby
    observe.try_write(node.server)
    seen = observe.observe(node, pair.primary)
    if seen.timeline is None or (old_timeline and seen.timeline <= old_timeline):
        why = f"it takes writes on timeline {seen.timeline}, the old primary was on {old_timeline}"
        raise _failed(pair, why, "Promotion fails")
    took = _checkpoint(node.server)
    written = observe.ask(node.server, "select timeline_id from pg_catalog.pg_control_checkpoint()")["timeline_id"]
    if took is not None and written != seen.timeline:
        why = f"after a checkpoint its control file still says timeline {written}, not {seen.timeline}"
        raise _failed(pair, why, "Promotion fails")
    return {"old_timeline": old_timeline, "timeline": seen.timeline, "checkpoint_seconds": took}


def _checkpoint(server: Server) -> float | None:
    """Ask for a checkpoint and wait a little. Returns the seconds it took; none while it is under way.

    It goes on by itself, and a big one takes minutes that clients should not wait. The rejoin waits for it.
    """
    import psycopg

    begun = time.monotonic()
    with sessions.session(observe.impatient(server)) as connection:
        try:
            with connection.transaction():
                connection.execute(f"set local statement_timeout = '{CHECKPOINT_SECONDS:.3f}s'".encode())
                connection.execute("checkpoint")
        except psycopg.errors.QueryCanceled:
            log.info("%s: its checkpoint takes longer, and goes on", server.label)
            return None
    return round(time.monotonic() - begun, 3)


def _keep_wal(pair: Pair, *, attested: str) -> str | None:
    """The slot that the old primary will follow through, before the promotion.

    Made before it, it keeps the WAL since the last restart point, which is older than where the two
    part: what pg_rewind and the rejoined server need. Returns its name; none where no slot is configured.
    """
    try:
        return slots.ensure(pair.standby, pair.primary) or None
    except Unavailable:
        if not attested:
            raise
        log.warning("%s: no slot is kept for %s: its host does not answer", pair.name, pair.primary.name)
        return None


def _slot_status(pair: Pair, name: str | None) -> str | None:
    """Whether the slot still keeps the WAL after the checkpoint: max_slot_wal_keep_size may be too small."""
    if name is None:
        return None
    status: str | None = observe.ask(pair.standby.server, observe.SLOT, name).get("wal_status")
    if status == "lost":
        log.warning("%s: slot %s is lost already: the rejoin needs the WAL archive, or a new copy", pair.name, name)
    return status


def _refuse_waiting_commits(pair: Pair) -> None:
    """With a synchronous standby that is not there, every commit of the new primary would wait for ever."""
    found = observe.ask(pair.standby.server, SYNCHRONOUS)
    if not found["names"] or found["there"]:
        return
    raise StepFailed(
        f"every commit on {pair.standby.name} would wait for ever: its synchronous_standby_names is "
        f"`{found['names']}`, and no such standby follows it",
        target=pair.name,
        left=observe.describe(pair),
        next_step=(
            f"on {pair.standby.name}, as a superuser: alter system set synchronous_standby_names = ''; "
            "select pg_reload_conf(); then run this step again"
        ),
        runbook="Commits wait for a standby that is gone",
    )


def _refuse_unless_standby(pair: Pair, seen: Seen) -> None:
    if seen.role != "standby":
        raise _failed(pair, f"nothing to promote: {seen.text}", "The standby is down")


def _until_still(pair: Pair, first: dict[str, Any], *, deadline: float) -> dict[str, Any]:
    """The progress once it stands still with everything replayed. Raises StepFailed at the deadline."""
    begun = since = time.monotonic()
    last, pause = first, observe.FIRST_PAUSE
    while True:
        if last["pause_state"] != "not paused":
            raise _paused(pair)
        if all_replayed(last, still=time.monotonic() - since):
            return last
        if time.monotonic() > deadline:
            why = f"after {deadline - begun:.0f} s it has still {_behind(last)} bytes to replay"
            raise _failed(pair, why, "The standby lags behind")
        time.sleep(pause)
        pause = min(2 * pause, STILL_SECONDS / 2)
        before, last = last, observe.ask(pair.standby.server, PROGRESS)
        if (before["received"], before["replayed"]) != (last["received"], last["replayed"]):
            since = time.monotonic()


def all_replayed(progress: dict[str, Any], *, still: float) -> bool:
    """Whether a standby whose positions have not changed for `still` seconds has replayed all there is. Pure.

    After a crash the last bytes received are often half a record, and the received position is never
    reached: a replay that waits for more has done all there is. If it has only not looked at them yet, a
    few bytes are no matter, since a promotion replays everything first; many could make it too late.

    More can come while the receiver lives, which ends when it has written all that the primary sent, and
    from the archive, where an idle replay has looked.
    """
    behind = _behind(progress)
    idle = bool(progress["idle"])
    # A receiver whose connection was cut hears nothing and lives on; one replays without it from the archive.
    at_rest = still >= STILL_SECONDS or (idle and not progress["receives"])
    if behind == 0:
        return at_rest
    return idle and (at_rest if behind <= FEW else still >= progress["retry_seconds"] + 1)


def _behind(progress: dict[str, Any]) -> int:
    return max(0, (progress["received"] or 0) - (progress["replayed"] or 0))


def _paused(pair: Pair) -> StepFailed:
    return StepFailed(
        f"the replay on {pair.standby.name} is paused: somebody did that on purpose, so nobody undoes it here",
        target=pair.name,
        left=observe.describe(pair),
        next_step=(
            f"find out who paused it and why, then as a superuser on {pair.standby.name}: "
            "select pg_wal_replay_resume(); then run this step again"
        ),
        runbook="The replay is paused",
    )


def _timed_out(pair: Pair, seconds: float) -> StepFailed:
    return StepFailed(
        f"{pair.standby.name} was told to take over and did not within {seconds:.0f} s; it may still do so",
        target=pair.name,
        left=observe.describe(pair),
        next_step=(
            f"do not start {pair.primary.name}: the promotion is pending. Look at the log of {pair.standby.name}; "
            "when it takes writes, run this step again. To give up instead, stop it first: "
            f"on {pair.standby.shell.label}: {control.stop_by_hand(pair.standby)}"
        ),
        runbook="Promotion does not end",
    )


def _failed(pair: Pair, why: str, runbook: str) -> StepFailed:
    return telling.failed(pair, f"{pair.standby.name}: {why}", target=pair.name, runbook=runbook)
