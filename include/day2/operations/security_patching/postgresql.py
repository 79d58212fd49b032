"""A PostgreSQL server around the patch of its host: what is there before, and that all of it is there again after.

Debian's package stops every server of its major version before it unpacks and starts them after, so what is to
happen before the stop has to happen before the installation. What is returned is for XCom and the record.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from day2.errors import StepFailed, Unavailable
from day2.operations.security_patching import collations, databases, extensions, restarted
from day2.postgres.server import Server, rows

log = logging.getLogger("day2")
EVERY = 0.5
CONNECT_SECONDS = 3
ANSWER_SECONDS = 15
LONG_SECONDS = 60.0


@dataclass(frozen=True)
class Patience:
    """How long the server may take to answer after its restart, and its followers to stream again after that."""

    answer: timedelta = timedelta(minutes=5)
    followers: timedelta = timedelta(minutes=2)


def before(server: Server) -> dict[str, Any]:
    """What runs, who follows, and what a restart would end. Changes nothing.

    Raises StepFailed if the server would not start again with its configuration files as they are.
    """
    found = _state(server)
    with server.connect() as connection:
        if found["may_read_files"]:
            found["file_errors"] = rows(connection, "patch_file_errors")
    found |= _left_to_do(server)
    _say(server, found)
    if found.get("file_errors"):
        raise _broken_files(server, found["file_errors"])
    return found


def checkpoint(server: Server, *, within: timedelta = timedelta(minutes=5)) -> dict[str, Any]:
    """Write out what is in memory now, so that the stop, and the outage, are short.

    Never fails the patch: a stop writes a checkpoint of its own, it only takes longer.
    """
    import psycopg

    begun = time.monotonic()
    with server.connect() as connection:
        if not rows(connection, "patch_checkpoint")[0]["may"]:
            role = server.user
            log.warning("%s: no checkpoint before the stop: grant pg_checkpoint to %s", server.label, role)
            return {"checkpoint": False, "checkpoint_why": f"{role} has no pg_checkpoint"}
        connection.execute(f"set statement_timeout = {_milliseconds(within)}".encode())
        try:
            connection.execute("checkpoint")
        except psycopg.errors.QueryCanceled:
            # The checkpointer goes on without us; only our wait for it ended.
            log.warning("%s: the checkpoint was not done after %s; the stop will take long", server.label, within)
            return {"checkpoint": False, "checkpoint_why": f"not done after {within}"}
    seconds = round(time.monotonic() - begun, 3)
    log.info("%s: checkpoint in %.1f s; the stop will be short", server.label, seconds)
    return {"checkpoint": True, "checkpoint_seconds": seconds}


def after(
    server: Server, earlier: Mapping[str, Any], *, installed: int | None = None, patience: Patience | None = None
) -> dict[str, Any]:
    """Measure the server after its patch. `earlier` is what `before` told, `installed` the package's version number.

    Raises StepFailed if it does not answer in time, or is not what it was before.
    """
    measured = measure(server, earlier, patience=patience or Patience())
    problems = restarted.wrong(earlier, measured, installed=installed)
    for each in problems:
        log.error("%s: %s", server.label, each.happened)
    if problems:
        raise restarted.failure(server.label, problems)
    log.info(
        "%s: PostgreSQL %s runs, was %s; %d of %d standbys stream", server.label, measured["version"],
        earlier["version"], measured["standbys_back"], measured["standbys_expected"],
    )  # fmt: skip
    return measured


def measure(server: Server, earlier: Mapping[str, Any], *, patience: Patience) -> dict[str, Any]:
    """The server now, compared with earlier, without a judgement. Waits for it and for its followers.

    Raises StepFailed only if it does not answer in time.
    """
    state, waited = _answer(server, patience)
    deadline = time.monotonic() + patience.followers.total_seconds()
    compared = restarted.compared(earlier, state)
    while not restarted.streams(compared) and time.monotonic() < deadline:
        time.sleep(EVERY)
        state, _ = _answer(server, patience)
        compared = restarted.compared(earlier, state)
    measured = state | compared | {"answered_seconds": round(waited, 3)} | _left_to_do(server)
    known = [collations.key(each) for each in earlier.get("collation_mismatches", ())]
    fresh = [each for each in measured["collation_mismatches"] if collations.key(each) not in known]
    collations.say(server, fresh, standby=state["standby"])
    return measured | {"collation_mismatches_new": len(fresh)}


def _answer(server: Server, patience: Patience) -> tuple[dict[str, Any], float]:
    begun = time.monotonic()
    deadline = begun + patience.answer.total_seconds()
    soon = replace(server, options={**server.options, "connect_timeout": str(CONNECT_SECONDS)})
    while True:
        try:
            return _state(soon), time.monotonic() - begun
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise StepFailed(
                    f"{server.label} takes no connections {patience.answer.total_seconds():.0f} s after its patch: "
                    f"{error.happened}",
                    left="the new package is installed, the server is down or still recovering",
                    next_step="read the server's log; it says why it does not start, or how far its recovery is",
                    runbook="PostgreSQL does not come back after its patch",
                ) from error
        time.sleep(EVERY)


def _state(server: Server) -> dict[str, Any]:
    with server.connect() as connection:
        connection.execute(f"set statement_timeout = '{ANSWER_SECONDS}s'".encode())
        [found] = rows(connection, "patch_server")
    return found


def _left_to_do(server: Server) -> dict[str, Any]:
    """What a patch leaves to be done inside the databases: extensions behind, indexes in an order that is no more."""
    seen = databases.look(server, {"extensions": extensions.behind, "mismatches": collations.inside})
    return {
        "extensions_behind": [each.as_dict() for each in seen.found["extensions"]],
        "collation_mismatches": [each.as_dict() for each in seen.found["mismatches"]],
        "databases_unseen": seen.unseen,
    }


def _say(server: Server, found: Mapping[str, Any]) -> None:
    """In the log, what the restart will do to those who use the server."""
    name = server.label
    role = "standby" if found["standby"] else "primary"
    log.info("%s: PostgreSQL %s, %s, %d standbys", name, found["version"], role, len(found["standbys"]))
    for each in found["standbys"]:
        log.info("%s: %s at %s is %s, %s bytes behind", name, *(each[key] for key in restarted.SHOWN))
    log.info("%s: the restart ends %d sessions", name, found["sessions"])
    if found["longest_transaction_seconds"] > LONG_SECONDS:
        log.warning("%s: one has a transaction open for %.0f s", name, found["longest_transaction_seconds"])
    if found["prepared_transactions"]:
        count = found["prepared_transactions"]
        log.warning("%s: %d prepared transactions outlive the restart and keep their locks", name, count)
    if found["pending_restart"]:
        log.warning("%s: the restart also brings changed settings: %s", name, ", ".join(found["pending_restart"]))
    if not found["sees_all"]:
        log.warning("%s: grant pg_monitor to %s: who follows is only counted", name, server.user)
    for database, why in found["databases_unseen"].items():
        log.warning("%s: database %s was not looked at: %s", name, database, why)


def _broken_files(server: Server, errors: list[dict[str, Any]]) -> StepFailed:
    lines = "; ".join(f"{each['file']}:{each['line']} {each['name']}: {each['error']}" for each in errors)
    return StepFailed(
        f"{server.label} would not start again, its configuration has errors: {lines}",
        left="nothing was touched; the server runs with its earlier settings",
        next_step="correct the lines, check with `select * from pg_file_settings where error is not null`",
        runbook="PostgreSQL would not start again",
    )


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
