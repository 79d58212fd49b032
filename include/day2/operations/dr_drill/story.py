"""What the ledger holds of a drill while it runs, and the wait for the outside probe's word."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from day2.errors import PlanRefused, StepFailed, Unavailable
from day2.inventory.model import DrillPolicy, Service
from day2.ledger import Ledger, evidence, probe
from day2.ledger.probe import Sample
from day2.operations.dr_drill import attempt, samples
from day2.postgres.server import Server
from day2.units import duration

log = logging.getLogger("day2")
STALE_SECONDS = 10.0
EVERY_SECONDS = 0.3
LOOK = "look at the log of `watch`, at the endpoint and at the server it should lead to; then run this step again"


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


def wait(story: Story, *, since: datetime | None) -> tuple[str, int]:
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
            raise failed(question, why, LOOK)
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


def failed(question: Question, why: str, next_step: str) -> StepFailed:
    return StepFailed(
        f"not verified from outside: {why}",
        target=question.target,
        left="this step changes nothing; the servers are as the promotion left them",
        next_step=next_step,
        runbook="Verification fails after the promotion",
    )


def _last(seen: Sequence[Sample]) -> str:
    tries = samples.clients(seen)
    if not tries:
        return "the probe has not reported at all"
    last = tries[-1]
    return f"the probe's last write {f'went to {last.server}' if last.wrote else f'was refused: {last.said}'}"


def _stale(question: Question, seen: Sequence[Sample]) -> Unavailable:
    return Unavailable(
        f"the outside probe is not running: no sample for {STALE_SECONDS:.0f} s; {_last(seen)}",
        target=question.target,
        left="this step changes nothing; the servers are as the promotion left them",
        next_step="start the task `watch` again (clear it): it goes on with the next number; then run this step again",
        runbook="The outside probe does not run",
    )
