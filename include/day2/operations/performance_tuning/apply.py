"""One change: made, looked at, undone. What was before is looked at first, and is what undoing ends in."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, StepFailed
from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning import leftovers, target
from day2.operations.performance_tuning.looking import look, same, valid
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.session import insufficient, session, steadily
from day2.operations.performance_tuning.target import Target
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg
    from tenacity import RetryCallState

log = logging.getLogger("day2")

# A reload reaches an idle session at its next statement; this long is a server that does not do it.
SHOWS_SECONDS = 10.0
# Undoing is tried so many times more often than doing: what is left behind costs every write.
UNDO_PATIENCE = 5


class NotUndone(StepFailed):
    """Something is left behind that a person, or the next run, has to put in order."""


def state(server: Server, change: Change) -> dict[str, Any]:
    """How the change's target is now: what undoing has to end in."""
    about = target.of(change)
    with session(server) as connection:
        return look(connection, about)


def apply(server: Server, change: Change, policy: TuningPolicy, *, before: dict[str, Any]) -> dict[str, Any]:
    """Make it, and see that it is made; returns how its target is then.

    Raises StepFailed when it could not be made and what was before is back, NotUndone when that is not so.
    """
    about = target.of(change)
    try:
        _execute(server, change.statement, about, policy)
        after = _shown(server, about, lambda seen: not same(seen, before), policy)
        _require_made(change, about, before, after)
    except Day2Error as error:
        raise _failed(server, change, policy, (before, error)) from error
    log.info("%s: %s", server.dbname, change.statement)
    return after


def revert(server: Server, change: Change, policy: TuningPolicy, *, before: dict[str, Any]) -> dict[str, Any]:
    """Put back what was before, from whatever is there now, and see that it is back. Does nothing if it is.

    Raises NotUndone.
    """
    about = target.of(change)
    try:
        now = steadily(lambda: state(server, change))
        # An index that could not be used before is nothing to put back.
        if same(now, before) or (about.subject == "index" and before and not valid(before)):
            return now
        patient = policy.model_copy(update={"attempts": policy.attempts * UNDO_PATIENCE})
        for statement in _way_back(change, about, now=now, before=before):
            _execute(server, statement, replace(about, tablespace=before.get("tablespace", "")), patient)
        now = _shown(server, about, lambda seen: same(seen, before), policy)
    except Day2Error as error:
        raise _not_undone(server, change, error.happened, before) from error
    if not same(now, before):
        raise _not_undone(server, change, "the reverse statement ran, but what was before is not back", before)
    log.info("%s: %s is as it was", server.dbname, about.label)
    return now


def _way_back(change: Change, about: Target, *, now: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """The statements that lead there. An index is dropped before it is made anew: it may be an invalid one."""
    if about.subject != "index":
        return [change.reverse] if target.reversible(change) else []
    make, drop = change.statement, change.reverse
    if not target.makes_index(make):
        make, drop = drop, make
    return [*([drop] if now else []), *([make] if before else [])]


def _execute(server: Server, statement: str, about: Target, policy: TuningPolicy) -> None:
    """Run a statement until no lock keeps it out. Raises StepFailed, Unavailable."""
    import psycopg
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    def again(retried: RetryCallState) -> None:
        log.warning("%s: %s: attempt %d: %s", server.dbname, statement, retried.attempt_number,
                    retried.outcome.exception() if retried.outcome else "")  # fmt: skip

    retry = Retrying(
        retry=retry_if_exception_type((psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)),
        stop=stop_after_attempt(policy.attempts),
        wait=wait_random_exponential(multiplier=0.5, max=policy.lock_timeout.total_seconds()),
        before_sleep=again,
        reraise=True,
    )
    timeouts = {"lock_timeout": policy.lock_timeout, "statement_timeout": policy.statement_timeout}
    with session(server, **timeouts) as connection:
        try:
            retry(_once, connection, statement, about)
        except psycopg.Error as error:
            if connection.broken:
                raise  # `connect` tells it
            raise _refused(error, statement, about) from error


def _once(connection: psycopg.Connection[Any], statement: str, about: Target) -> None:
    """One try. A try before it that a lock ended may have left an index that is not valid."""
    if about.subject == "index" and target.makes_index(statement):
        seen = look(connection, about)
        if seen and not valid(seen):
            connection.execute(_drop(about))
        connection.execute("select pg_catalog.set_config('default_tablespace', %s, false)", (about.tablespace,))
    elif about.subject == "index rebuild":
        leftovers.drop(connection, [(about.schema, about.name)])
    connection.execute(statement.encode())
    if about.subject == "setting":
        connection.execute("select pg_catalog.pg_reload_conf()")


def _drop(about: Target) -> Any:
    from psycopg import sql

    parts = (about.schema, about.name) if about.schema else (about.name,)
    return sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(*parts))


def _shown(server: Server, about: Target, is_so: Any, policy: TuningPolicy) -> dict[str, Any]:
    """The target as soon as it is so; a setting takes a moment. The last look, if it never is."""
    until = time.monotonic() + (SHOWS_SECONDS if about.subject == "setting" else 0)
    with session(server, lock_timeout=policy.lock_timeout) as connection:
        while not is_so(seen := look(connection, about)) and time.monotonic() < until:
            time.sleep(0.1)
    return seen


def _require_made(change: Change, about: Target, before: dict[str, Any], after: dict[str, Any]) -> None:
    why = ""
    if about.subject == "index":
        makes = target.makes_index(change.statement)
        if makes and not valid(after):
            why = "the index is not there, or not valid"
        if not makes and after:
            why = "the index is still there"
    elif about.subject == "index rebuild" and not valid(after):
        why = "the index is not valid"
    elif after.get("pending_restart"):
        why = f"{about.label} takes effect at a restart only, which tuning never does"
    elif about.subject in ("setting", "database setting", "table options") and same(before, after):
        why = f"{about.label} is as before: something overrides it, or it had that value"
    if why:
        raise StepFailed(f"{change.statement}: {why}", target=about.label)


def _refused(error: psycopg.Error, statement: str, about: Target) -> StepFailed:
    import psycopg

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return insufficient(error, statement, about.label)
    said = str(error).strip().splitlines()[0]
    locked = isinstance(error, psycopg.errors.LockNotAvailable | psycopg.errors.DeadlockDetected)
    return StepFailed(
        f"{statement[:200]}: {said}",
        target=about.label,
        left="see the next lines of the log: what was before is put back",
        next_step="find who holds the lock: select * from pg_stat_activity where xact_start is not null"
        if locked
        else "read the server's words; nothing else depends on this change",
        runbook="A lock kept a change out" if locked else "A change could not be made",
    )


def _failed(server: Server, change: Change, policy: TuningPolicy, what: tuple[dict[str, Any], Day2Error]) -> StepFailed:
    """What a failed change ends in: what was before is back, or (NotUndone, from `revert`) is not."""
    before, error = what
    revert(server, change, policy, before=before)
    _sweep(server, change, policy, error)
    return StepFailed(
        error.happened,
        target=error.target or target.of(change).label,
        left="nothing: what was before is back",
        next_step=error.next_step,
        runbook=error.runbook or "A change could not be made",
    )


def _sweep(server: Server, change: Change, policy: TuningPolicy, error: Day2Error) -> None:
    """A rebuild that failed leaves the new index beside the old one."""
    about = target.of(change)
    if about.subject != "index rebuild":
        return
    try:
        leftovers.sweep(server, policy, rebuilt=[(about.schema, about.name)])
    except Day2Error as second:
        raise _not_undone(server, change, f"{error.happened}; then: {second.happened}", {}) from second


def _not_undone(server: Server, change: Change, happened: str, before: dict[str, Any]) -> NotUndone:
    about = target.of(change)
    return NotUndone(
        happened,
        target=about.label,
        left=f"{change.statement} may be in place, or half of it; before it was {before or 'not there'}",
        next_step=f"when the server answers and no lock is in the way, run on {server.label}: "
        f"{change.reverse or change.statement}; the next run does it by itself",
        runbook="A change could not be undone",
    )
