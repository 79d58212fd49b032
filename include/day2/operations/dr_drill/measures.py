"""RTO and RPO, and what they are made of. Pure.

Each figure says which clock it was read from: the declaration's is a worker's, the first write's the probe's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from day2.ledger.probe import Sample
from day2.ledger.store import Entry
from day2.operations.dr_drill import samples

Method = Literal["markers", "last replayed commit", "recovery point"]
BETWEEN = "between the steps"
FOLLOW = "until a client's write succeeded"


@dataclass(frozen=True)
class Step:
    """When something was done for a target. `clock` is the host whose clock both times are."""

    name: str
    started: datetime
    ended: datetime
    clock: str


@dataclass(frozen=True)
class Rpo:
    """How much was lost: in seconds and, where markers tell it, in acknowledged commits."""

    seconds: float | None
    lost: int | None
    method: Method
    lost_numbers: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; of many lost numbers the first and the last say enough."""
        shown = self.lost_numbers if len(self.lost_numbers) <= 10 else (self.lost_numbers[0], self.lost_numbers[-1])
        seconds = None if self.seconds is None else round(self.seconds, 3)
        return {"rpo_seconds": seconds, "lost": self.lost, "rpo_method": self.method, "lost_markers": list(shown)}


def first_write(seen: Iterable[Sample], *, declared_at: datetime, by: str, recovered: Collection[int]) -> Sample | None:
    """The first write after the declaration that the new server acknowledged and that is really there.

    The new timeline tells it: started again meanwhile, the server is still the one that took over.
    """
    timeline = samples.timeline(by)
    for each in samples.clients(seen):
        new = each.wrote and each.sent_at >= declared_at and samples.timeline(each.server) == timeline
        if new and each.n in recovered:
            return each
    return None


def rto(declared_at: datetime, written_at: datetime, steps: Iterable[Step]) -> dict[str, Any]:
    """Declaration to first verified write, step by step, with the orchestration's own time apart.

    The rows follow each other without a gap, so their seconds add up to the RTO. What people did by hand
    is a step like any other. The time after the last step is the clients': they had to find the server.
    """
    rows = list(_rows(declared_at, written_at, sorted(steps, key=lambda each: each.started)))
    total = (written_at - declared_at).total_seconds()
    between = sum((row.ended - row.started).total_seconds() for row in rows if row.name == BETWEEN)
    return {
        "rto_seconds": round(total, 3),
        "orchestration_seconds": round(between, 3),
        "rto_without_orchestration": round(total - between, 3),
        "breakdown": [_row(row) for row in rows],
    }


def rpo(acknowledged: Mapping[int, datetime], recovered: Collection[int]) -> Rpo:
    """From markers: the acknowledged ones that are missing, and how far back the newest kept one is.

    `acknowledged` are those before the failure, with the probe's time of each acknowledgement; the seconds
    are those between two of them, so that no second clock is involved.
    """
    missing = tuple(sorted(acknowledged.keys() - set(recovered)))
    if not missing:
        return Rpo(0.0, 0, "markers")
    newest = max(acknowledged, key=lambda n: (acknowledged[n], n))
    kept = [acknowledged[n] for n in acknowledged.keys() & set(recovered)]
    # Nothing kept: at least as long as the probe had been looking.
    since = max(kept) if kept else min(acknowledged.values())
    return Rpo((acknowledged[newest] - since).total_seconds(), len(missing), "markers", missing)


def rpo_of_commit(declared_at: datetime, last_commit_at: datetime | None) -> Rpo:
    """Without markers: from the last replayed commit on anything may be lost, so this is the most it can be."""
    seconds = None if last_commit_at is None else max(0.0, (declared_at - last_commit_at).total_seconds())
    return Rpo(seconds, None, "last replayed commit")


def rpo_of_point(declared_at: datetime, snapshot_at: datetime | None) -> Rpo:
    """From the repository: all that was committed after the recovery point's snapshot is lost."""
    seconds = None if snapshot_at is None else max(0.0, (declared_at - snapshot_at).total_seconds())
    return Rpo(seconds, None, "recovery point")


def steps(entries: Sequence[Entry], target: str, names: Collection[str]) -> list[Step]:
    """What the ledger says was done for a target: its tries, and the manual steps that people answered."""
    return [*_tries(entries, target, names), *_by_hand(entries, target)]


def _tries(entries: Sequence[Entry], target: str, names: Collection[str]) -> Iterator[Step]:
    hosts: dict[tuple[Any, ...], str] = {}
    for entry in entries:
        body = entry.body
        if entry.kind not in ("intent", "outcome") or body["target"] != target or body["step"] not in names:
            continue
        key = body["attempt"], body["step"], body["try"]
        if entry.kind == "intent":
            hosts[key] = body["host"]
        else:
            started, ended = (datetime.fromisoformat(body[name]) for name in ("started", "ended"))
            yield Step(body["step"], started, ended, hosts.get(key, "unknown"))


def _by_hand(entries: Sequence[Entry], target: str) -> Iterator[Step]:
    """Asked and answered are two entries, or one: the first question and the last answer count."""
    asked: dict[str, datetime] = {}
    answered: dict[str, datetime] = {}
    for body in (entry.body for entry in entries if entry.kind == "manual_step"):
        if body["target"] in (target, ""):
            if body["asked_at"]:
                asked.setdefault(body["name"], datetime.fromisoformat(body["asked_at"]))
            if body["answered_at"]:
                answered[body["name"]] = datetime.fromisoformat(body["answered_at"])
    for name in asked.keys() & answered.keys():
        yield Step(f"by hand: {name}", asked[name], answered[name], "Airflow's")


def _rows(begin: datetime, end: datetime, ordered: Sequence[Step]) -> Iterator[Step]:
    """The stretch from begin to end, cut into steps and what is between them. Overlaps count once."""
    at = begin
    for each in ordered:
        started, ended = max(each.started, at), min(each.ended, end)
        if ended <= started:
            continue
        if started > at:
            yield Step(BETWEEN, at, started, each.clock)
        yield Step(each.name, started, ended, each.clock)
        at = ended
    if end > at:
        yield Step(FOLLOW, at, end, "the probe's")


def _row(step: Step) -> dict[str, Any]:
    return {
        "step": step.name,
        "started": step.started.isoformat(),
        "ended": step.ended.isoformat(),
        "seconds": round((step.ended - step.started).total_seconds(), 3),
        "clock": step.clock,
    }
