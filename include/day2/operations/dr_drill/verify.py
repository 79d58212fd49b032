"""Is the recovered database in service? The outside probe says so, not the tool that promoted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from day2.ledger import Ledger
from day2.ledger.probe import Sample
from day2.operations import service_probe
from day2.operations.dr_drill import attempt, measures, samples
from day2.operations.dr_drill.measures import Rpo
from day2.operations.dr_drill.story import LOOK, Question, Story, failed, wait
from day2.operations.dr_drill.strategy import FORWARD
from day2.units import duration

__all__ = ["NotVerified", "Question", "after_failback", "verify"]
if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("day2")
MARKERS = "select n from day2_drill.marker where run = %s"


class NotVerified(StepFailed):
    """The recovered service is not as it must be. `measures` is what was measured nevertheless."""

    measures: dict[str, Any]


def verify(ledger: Ledger, question: Question) -> dict[str, Any]:
    """Wait until the probe has written and read through the endpoint; measure RTO and RPO; look at the data.

    Raises Unavailable when the probe is not running, StepFailed when its writes do not come in time, and
    NotVerified, with the measures, when the data or a service is not as it must be.
    """
    story = Story(ledger, question)
    declared_at = story.moment("declare", "declared_at")
    if declared_at is None:
        raise failed(question, "the ledger does not say when this drill was declared", "run the step `declare` first")
    by, writes = wait(story, since=declared_at)
    recovered = _markers(question)
    first = measures.first_write(story.seen, declared_at=declared_at, by=by, recovered=recovered)
    if first is None:
        raise failed(question, "writes were acknowledged, but their markers are not in the database", LOOK)
    told = {
        "first_write_at": first.answered_at.isoformat(),
        "clocks": {"declared": story.clock("declare"), "first_write": story.clock("watch")},
        "server": by,
        "timeline": samples.timeline(by),
        "previous_timeline": _previous(story.seen, first),
        "outside_writes": writes,
        "recovered": len(recovered),
        **measures.rto(declared_at, first.answered_at, measures.steps(story.entries, question.target, FORWARD)),
        **_loss(story, declared_at, first, recovered),
        "assertions": _assertions(question),
        "health": [each for service in question.services for each in service_probe.check(service, question.connect)],
    }
    _log(question.target, told)
    _require(question, told)
    return told


def after_failback(ledger: Ledger, question: Question) -> dict[str, Any]:
    """The same proof once the old primary is primary again: writes from outside, and no marker lost by going back.

    Raises Unavailable, StepFailed.
    """
    story = Story(ledger, question)
    by, writes = wait(story, since=None)
    recovered = _markers(question)
    since = story.moment("verify", "first_write_at")
    known = samples.acknowledged(story.seen)
    asked = {n for n, at in known.items() if since is None or at >= since}
    missing = sorted(asked - recovered)
    log.info(
        "%s: %d of %d markers are there after the failback", question.target, len(asked) - len(missing), len(asked)
    )
    return {
        "server": by,
        "outside_writes_after_failback": writes,
        "acknowledged_before_failback": len(asked),
        "lost_by_failback": len(missing),
    }


def _loss(story: Story, declared_at: datetime, first: Sample, recovered: set[int]) -> dict[str, Any]:
    known = samples.acknowledged(story.seen)
    before = {n: at for n, at in known.items() if at < first.answered_at and n != first.n}
    after = known.keys() - before.keys() - recovered
    counted: Rpo
    if story.question.policy.strategy == "restore":
        counted = measures.rpo_of_point(declared_at, story.moment("promote", "snapshot_at"))
    elif before:
        counted = measures.rpo(before, recovered)
    else:
        counted = measures.rpo_of_commit(declared_at, story.moment("replay", "last_commit"))
    return counted.as_dict() | {"acknowledged": len(before), "lost_after_recovery": len(after)}


def _previous(seen: Sequence[Sample], first: Sample) -> int | None:
    """The timeline that clients wrote to before; none where the probe saw no write before the failure."""
    before = [each for each in samples.clients(seen) if each.wrote and each.sent_at < first.sent_at]
    return samples.timeline(before[-1].server) if before else None


def _markers(question: Question) -> set[int]:
    """The numbers of the markers, as a client reads them."""
    import psycopg

    with attempt.hurried(question.endpoint).connect() as connection:
        try:
            return {n for (n,) in connection.execute(MARKERS, (question.run,)).fetchall()}
        except psycopg.Error as error:
            raise failed(question, f"the markers cannot be read: {attempt.words(error)}", LOOK) from error


def _first_value(cursor: psycopg.Cursor[Any]) -> str:
    """As the server writes it: `t`, where Python would say True."""
    found = cursor.pgresult
    if found is None or not found.ntuples or not found.nfields:
        return "no row"
    value = found.get_value(0, 0)
    return "null" if value is None else value.decode()


def _assertions(question: Question) -> list[dict[str, Any]]:
    """Ask the recovered data, through the endpoint, in a transaction that can only read."""
    import psycopg

    found = []
    for each in question.policy.assertions:
        # A connection each: one question that fails says nothing of the others.
        with attempt.hurried(question.endpoint).connect() as connection:
            connection.execute("set default_transaction_read_only = on; set search_path = '$user', public")
            connection.execute(
                f"set statement_timeout = {round(question.policy.verify_timeout.total_seconds() * 1000)}".encode()
            )
            try:
                observed = _first_value(connection.execute(each.sql.encode()))
            except psycopg.Error as error:
                observed = f"error: {attempt.words(error)}"
        found.append({"sql": each.sql, "expect": each.expect, "observed": observed, "ok": observed == each.expect})
    return found


def _require(question: Question, told: dict[str, Any]) -> None:
    wrong = [
        f"{each['sql']} is {each['observed']}, not {each['expect']}" for each in told["assertions"] if not each["ok"]
    ]
    wrong += [
        f"{each['service']} at {each['address']}: {each['observed']}" for each in told["health"] if not each["ok"]
    ]
    if told["lost_after_recovery"]:
        wrong.append(f"{told['lost_after_recovery']} writes that the recovered server acknowledged are not there")
    if not wrong:
        return
    error = NotVerified(
        f"the recovered service is not as it must be: {'; '.join(wrong)}",
        target=question.target,
        left=f"{told['server']} takes the writes that clients make",
        next_step="decide: repair it there, or fail back; the policy's `on_failure` says what the drill does",
        runbook="Verification fails after the promotion",
    )
    error.measures = told
    raise error


def _log(target: str, told: dict[str, Any]) -> None:
    lost = "an unknown number of" if told["lost"] is None else told["lost"]
    log.info(
        "%s: first verified write from outside after %s (%s without the orchestration); %s commits lost, RPO %s s (%s)",
        target, duration(told["rto_seconds"]), duration(told["rto_without_orchestration"]), lost,
        told["rpo_seconds"], told["rpo_method"],
    )  # fmt: skip
