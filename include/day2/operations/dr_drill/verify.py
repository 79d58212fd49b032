"""Is the recovered database in service? The outside probe says so, not the tool that promoted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from day2.errors import PlanRefused, StepFailed, Unavailable
from day2.inventory.model import DrillPolicy, Service
from day2.ledger import Ledger, evidence, probe
from day2.ledger.probe import Sample
from day2.operations.dr_drill import attempt, health, measures, samples
from day2.operations.dr_drill.measures import Rpo
from day2.operations.dr_drill.strategy import FORWARD
from day2.postgres.server import Server
from day2.units import duration

log = logging.getLogger("day2")
STALE_SECONDS = 10.0
EVERY_SECONDS = 0.3
MARKERS = "select n from day2_drill.marker where run = %s"


class NotVerified(StepFailed):
    """The recovered service is not as it must be. `measures` is what was measured nevertheless."""

    measures: dict[str, Any]


def no_connections(connection: str) -> Server:
    """Where there is no Airflow, a connection id leads nowhere."""
    raise PlanRefused(f"the connection {connection!r} cannot be looked up here")


@dataclass(frozen=True)
class Question:
    """What must be in service: `expected` behind `endpoint`, with the services that stand on it."""

    run: str
    target: str
    endpoint: Server
    expected: Server
    policy: DrillPolicy
    services: Sequence[Service] = ()
    connect: Callable[[str], Server] = no_connections


@dataclass
class Story:
    """What the ledger holds of this run so far: the steps' measures and the probe's samples, read as they come."""

    ledger: Ledger
    question: Question

    def __post_init__(self) -> None:
        self.entries = list(self.ledger.entries(run=self.question.run))
        self.measured = evidence.gather(self.entries).measures.get(self.question.target, {})
        self.seen: list[Sample] = []

    def more(self) -> bool:
        """Read the samples that came since the last time. Returns whether there were any."""
        after = self.seen[-1].n if self.seen else 0
        found = probe.read(self.ledger, self.question.run, self.question.target, after=after)
        self.seen += found
        return bool(found)

    def moment(self, step: str, name: str) -> datetime | None:
        """A time that a step measured."""
        value = self.measured.get(step, {}).get(name)
        return datetime.fromisoformat(value) if value else None

    def clock(self, step: str) -> str:
        """The host on which a step last ran: its clock is the one that its times were read from."""
        told = [entry.body for entry in self.entries if entry.kind == "intent" and entry.body["step"] == step]
        return next((each["host"] for each in reversed(told) if each["target"] == self.question.target), "unknown")


def verify(ledger: Ledger, question: Question) -> dict[str, Any]:
    """Wait until the probe has written and read through the endpoint; measure RTO and RPO; look at the data.

    Raises Unavailable when the probe is not running, StepFailed when its writes do not come in time, and
    NotVerified, with the measures, when the data or a service is not as it must be.
    """
    story = Story(ledger, question)
    declared_at = story.moment("declare", "declared_at")
    if declared_at is None:
        raise _failed(question, "the ledger does not say when this drill was declared", "run the step `declare` first")
    by, writes = _wait(story, since=declared_at)
    recovered = _markers(question)
    first = measures.first_write(story.seen, declared_at=declared_at, by=by, recovered=recovered)
    if first is None:
        raise _failed(question, "writes were acknowledged, but their markers are not in the database", _LOOK)
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
        "health": [each for service in question.services for each in health.check(service, question.connect)],
    }
    _log(question.target, told)
    _require(question, told)
    return told


def after_failback(ledger: Ledger, question: Question) -> dict[str, Any]:
    """The same proof once the old primary is primary again: writes from outside, and no marker lost by going back.

    Raises Unavailable, StepFailed.
    """
    story = Story(ledger, question)
    by, writes = _wait(story, since=None)
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


def _wait(story: Story, *, since: datetime | None) -> tuple[str, int]:
    """Until the probe's newest writes in a row were accepted by the expected server and read back."""
    question = story.question
    needed, seconds = question.policy.verify_writes, question.policy.verify_timeout.total_seconds()
    deadline = heard = time.monotonic()
    deadline += seconds
    log.info("%s: waiting for %d writes in a row from outside", question.target, needed)
    while True:
        # Asked each time: a server that was started again is another one.
        by = attempt.who(question.expected)
        heard = time.monotonic() if story.more() else heard
        row = in_a_row(story.seen, by=by, since=since)
        if row >= needed:
            return by, row
        if time.monotonic() - heard > STALE_SECONDS:
            raise _stale(question, story.seen)
        if time.monotonic() > deadline:
            why = f"{row} of {needed} writes in a row reached {by} within {duration(seconds)}; {_last(story.seen)}"
            raise _failed(question, why, _LOOK)
        time.sleep(EVERY_SECONDS)


def in_a_row(seen: Sequence[Sample], *, by: str, since: datetime | None) -> int:
    """How many of the newest writes, without one between that failed, this server accepted, and were read back."""
    tries = [each for each in samples.clients(seen) if since is None or each.sent_at >= since]
    read_back = {each.n for each in samples.verified(tries)}
    # The newest one cannot have been read yet.
    if tries and tries[-1].wrote and tries[-1].n not in read_back:
        tries.pop()
    count = 0
    for each in reversed(tries):
        if not (each.n in read_back and samples.same_server(each.server, by)):
            break
        count += 1
    return count


def _loss(story: Story, declared_at: datetime, first: Sample, recovered: set[int]) -> dict[str, Any]:
    known = samples.acknowledged(story.seen)
    before = {n: at for n, at in known.items() if at < first.answered_at and n != first.n}
    after = known.keys() - before.keys() - recovered
    counted: Rpo
    if story.question.policy.strategy == "rebuild":
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
            raise _failed(question, f"the markers cannot be read: {attempt.words(error)}", _LOOK) from error


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
                row = connection.execute(each.sql.encode()).fetchone()
                observed = "no row" if row is None else "null" if row[0] is None else str(row[0])
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


def _last(seen: Sequence[Sample]) -> str:
    tries = samples.clients(seen)
    if not tries:
        return "the probe has not reported at all"
    last = tries[-1]
    return f"the probe's last write {f'went to {last.server}' if last.wrote else f'was refused: {last.said}'}"


_LOOK = "look at the log of `watch`, at the endpoint and at the server it should lead to; then run this step again"


def _failed(question: Question, why: str, next_step: str) -> StepFailed:
    return StepFailed(
        f"not verified from outside: {why}",
        target=question.target,
        left="this step changes nothing; the servers are as the promotion left them",
        next_step=next_step,
        runbook="Verification fails after the promotion",
    )


def _stale(question: Question, seen: Sequence[Sample]) -> Unavailable:
    return Unavailable(
        f"the outside probe is not running: no sample for {STALE_SECONDS:.0f} s; {_last(seen)}",
        target=question.target,
        left="this step changes nothing; the servers are as the promotion left them",
        next_step="start the task `watch` again (clear it): it goes on with the next number; then run this step again",
        runbook="The outside probe does not run",
    )
