"""What can be read from the outside probe's samples. Pure: the same samples give the same answer again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from day2.ledger.probe import Sample

ENDPOINT = "endpoint"
# A beat may take three seconds when no server answers; a longer silence means that nobody was looking.
SILENCE = timedelta(seconds=8)
MOST = 20
NEAR = timedelta(seconds=10)


@dataclass(frozen=True)
class Stretch:
    """A time in which something held. `beats` is how many samples say so."""

    begun: datetime
    ended: datetime
    beats: int = 0

    @property
    def seconds(self) -> float:
        return (self.ended - self.begun).total_seconds()

    def as_dict(self) -> dict[str, Any]:
        return {
            "from": self.begun.isoformat(),
            "to": self.ended.isoformat(),
            "seconds": round(self.seconds, 3),
            "beats": self.beats,
        }


def clients(samples: Iterable[Sample]) -> list[Sample]:
    """What a client saw: the tries through the endpoint, in the order they were made."""
    return sorted((each for each in samples if each.via == ENDPOINT), key=lambda each: (each.sent_at, each.n))


def acknowledged(samples: Iterable[Sample]) -> dict[int, datetime]:
    """The markers whose commit was acknowledged to the probe, and when."""
    return {each.n: each.answered_at for each in clients(samples) if each.wrote}


def verified(samples: Iterable[Sample]) -> list[Sample]:
    """The writes that were acknowledged, and that the next connection of a client could read."""
    found: list[Sample] = []
    newest = 0
    for each in reversed(clients(samples)):
        if each.wrote and each.n <= newest:
            found.append(each)
        if each.server:  # it got an answer, so it has looked
            newest = each.seen or 0
    return found[::-1]


def split_brains(samples: Iterable[Sample]) -> list[int]:
    """The beats in which more than one server accepted a write at its own address."""
    accepted: dict[int, int] = defaultdict(int)
    for each in samples:
        accepted[each.n] += each.via != ENDPOINT and each.wrote
    return sorted(n for n, servers in accepted.items() if servers > 1)


def outages(samples: Iterable[Sample]) -> list[Stretch]:
    """The stretches without an accepted write: from the last one before to the first one after.

    One that was there from the first sample on begins with it; one that did not end lasts to the last.
    """
    tries = clients(samples)
    found: list[Stretch] = []
    since, refused = tries[0].sent_at if tries else None, 0
    for each in tries:
        if not each.wrote:
            refused += 1
            continue
        if refused and since is not None:
            found.append(Stretch(since, each.answered_at, refused))
        since, refused = each.answered_at, 0
    if refused and since is not None:
        found.append(Stretch(since, tries[-1].answered_at, refused))
    return found


def longest(stretches: Iterable[Stretch]) -> Stretch | None:
    """The longest of them, the first one of equals."""
    return max(stretches, key=lambda each: each.seconds, default=None)


def silences(
    samples: Iterable[Sample], *, stops: Sequence[datetime] = (), longer_than: timedelta = SILENCE
) -> list[Stretch]:
    """When the probe did not run, without having been asked to end: what happened then, nobody saw.

    A request's time is the ledger's clock, so it counts for a silence that began a few seconds off.
    """
    found = [
        Stretch(before.answered_at, after.sent_at)
        for before, after in pairwise(clients(samples))
        if after.sent_at - before.answered_at > longer_than
    ]
    return [each for each in found if not any(abs(each.begun - stop) < NEAR for stop in stops)]


def same_server(one: str, other: str) -> bool:
    """Whether two `server` texts name one server: the address depends on the road that was taken to it."""
    return one.partition(", ")[2] == other.partition(", ")[2] != ""


def timeline(server: str) -> int | None:
    """The timeline in a `server` text, `127.0.0.1:5432, timeline 2, up since …`."""
    for part in server.split(", "):
        if part.startswith("timeline "):
            return int(part.removeprefix("timeline "))
    return None


def summary(samples: Sequence[Sample], *, stops: Sequence[datetime] = ()) -> dict[str, Any]:
    """The probe's run in numbers, as JSON values."""
    tries = clients(samples)
    gaps = outages(tries)
    gap = longest(gaps)
    brains = split_brains(samples)
    return {
        "beats": len(tries),
        "beats_checked": len(_checked(samples)),
        "acknowledged": sum(each.wrote for each in tries),
        "refused": sum(not each.wrote for each in tries),
        "verified": len(verified(tries)),
        "split_brain": len(brains),
        "split_brain_beats": brains[:MOST],
        "longest_gap_seconds": round(gap.seconds, 3) if gap else 0.0,
        "longest_gap": gap.as_dict() if gap else None,
        "outages": [each.as_dict() for each in gaps[:MOST]],
        "silences": [each.as_dict() for each in silences(tries, stops=stops)][:MOST],
        "first_at": tries[0].sent_at.isoformat() if tries else None,
        "last_at": tries[-1].answered_at.isoformat() if tries else None,
        "digest": digest(samples),
    }


def digest(samples: Iterable[Sample]) -> str:
    """SHA-256 over the samples, for the chain: rows changed afterwards no longer fit it."""
    hashed = hashlib.sha256()
    for line in sorted(_lines(samples)):
        hashed.update(line.encode())
    return hashed.hexdigest()


def _lines(samples: Iterable[Sample]) -> Iterator[str]:
    for each in samples:
        times = each.sent_at.isoformat(), each.answered_at.isoformat()
        yield f"{each.n:012} {each.via!r} {times} {each.wrote} {each.server!r} {each.said!r} {each.seen}\n"


def _checked(samples: Iterable[Sample]) -> set[int]:
    """The beats in which every server was asked at its own address."""
    asked: dict[int, set[str]] = defaultdict(set)
    for each in samples:
        if each.via != ENDPOINT:
            asked[each.n].add(each.via)
    names = {name for vias in asked.values() for name in vias}
    return {n for n, vias in asked.items() if vias == names}
