"""What the outside probe of a drill saw, beat by beat. Beside the chain, like leases: insert and read only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime

from day2.ledger.connection import translated
from day2.ledger.store import Ledger

COPY = """
    copy ledger.probe_sample (run, target, n, via, sent_at, answered_at, wrote, server, said, seen) from stdin
"""
THERE = "select n, via from ledger.probe_sample where run = %s and target = %s and n = any(%s)"
READ = """
    select n, via, sent_at, answered_at, wrote, server, said, seen
      from ledger.probe_sample where run = %s and target = %s and n > %s order by n, via
"""
ASK = "insert into ledger.probe_stop (run, target, attempt) values (%s, %s, %s) on conflict do nothing"
STOPS = "select asked_at from ledger.probe_stop where run = %s and target = %s order by asked_at"
ASKED = "select exists (select from ledger.probe_stop where run = %s and target = %s and attempt = %s)"


@dataclass(frozen=True, slots=True)
class Sample:
    """One try to write: when, through what, whether it was acknowledged, by which server, what was said.

    Times are the probe's clock. `seen` is the newest marker of the run that the same connection could read.
    """

    n: int
    via: str
    sent_at: datetime
    answered_at: datetime
    wrote: bool
    server: str = ""
    said: str = ""
    seen: int | None = None


@dataclass(frozen=True)
class Sink:
    """Where one target's probe delivers to, and learns that it may end. Use its ledger for nothing else.

    `attempt` counts the run's clears: a second attempt's probe must not end because the first one's did.
    """

    ledger: Ledger
    run: str
    target: str
    attempt: int = 1

    def first(self) -> int:
        """The number of the next beat; an earlier try of the probe may have been killed."""
        return max((each.n for each in self.samples()), default=0) + 1

    def deliver(self, samples: Sequence[Sample]) -> None:
        """Write samples, all or none; safe to repeat."""
        append(self.ledger, samples, run=self.run, target=self.target)

    def samples(self) -> list[Sample]:
        """All of the run, also those of earlier tries."""
        return read(self.ledger, self.run, self.target)

    def stops(self) -> list[datetime]:
        """When this run's probes were asked to end."""
        with translated():
            rows = self.ledger.connection.execute(STOPS, (self.run, self.target)).fetchall()
        return [_utc(asked_at) for (asked_at,) in rows]

    def asked_to_stop(self) -> bool:
        return asked_to_stop(self.ledger, self.run, self.target, attempt=self.attempt)


def append(ledger: Ledger, samples: Sequence[Sample], *, run: str, target: str) -> None:
    """Write samples, all or none. Safe to repeat: those that are there already stay as they are."""
    numbers = sorted({each.n for each in samples})
    connection = ledger.connection
    with translated(), connection.transaction():
        there = set(connection.execute(THERE, (run, target, numbers)).fetchall())
        with connection.cursor().copy(COPY) as copy:
            for each in samples:
                if (each.n, each.via) not in there:
                    copy.write_row((run, target, *astuple(each)))


def read(ledger: Ledger, run: str, target: str, *, after: int = 0) -> list[Sample]:
    """What the probe saw in this run after that beat, in order."""
    with translated():
        rows = ledger.connection.execute(READ, (run, target, after)).fetchall()
    return [Sample(row[0], row[1], _utc(row[2]), _utc(row[3]), *row[4:]) for row in rows]


def ask_to_stop(ledger: Ledger, run: str, target: str, *, attempt: int = 1) -> None:
    """Ask this attempt's probe to end. Safe to repeat."""
    with translated():
        ledger.connection.execute(ASK, (run, target, attempt))


def asked_to_stop(ledger: Ledger, run: str, target: str, *, attempt: int = 1) -> bool:
    """Whether somebody asked this attempt's probe to end."""
    with translated():
        row = ledger.connection.execute(ASKED, (run, target, attempt)).fetchone()
    return bool(row and row[0])


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
