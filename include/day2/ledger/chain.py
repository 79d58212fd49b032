"""Is the chain whole? Pure, needs no database: the same check runs on a server and on a file.

A chain alone shows an edit, a gap and a swap. It cannot show that its end was cut off, or that somebody
rewrote all of it with new hashes: for these, compare it with a head and a length kept somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from day2.ledger.canonical import GENESIS, entry_hash

Kind = Literal["edited", "missing", "out of order", "relinked", "truncated", "rewritten"]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is stored: every field is the exact text that was hashed."""

    seq: int
    recorded_at: str
    kind: str
    run: str
    body: str
    prev_hash: str
    hash: str

    def computed_hash(self) -> str:
        """The hash these fields should have."""
        return entry_hash(self.seq, self.recorded_at, self.kind, self.run, self.body, self.prev_hash)


@dataclass(frozen=True)
class Anchor:
    """What was known of the chain at some time, kept outside of it: its length and its last hash."""

    length: int
    head: str


@dataclass(frozen=True)
class Fault:
    """The first place where the chain is not what was written."""

    seq: int
    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"entry {self.seq}: {self.kind}: {self.detail}"


@dataclass(frozen=True)
class Report:
    """What the check read, and the first fault if there is one."""

    entries: int
    first: int
    last: int
    head: str
    fault: Fault | None = None
    contiguous: bool = True  # whether the links could be followed: an extract of some kinds has none

    @property
    def whole(self) -> bool:
        """Nothing is wrong with what was read."""
        return self.fault is None


def verify(
    links: Iterable[Link], *, anchor: Anchor | None = None, whole: bool = True, contiguous: bool = True
) -> Report:
    """Read the links in order and report the first fault.

    `whole` says that they should start at entry 1; a period starts where it starts. Without `contiguous`
    (an extract of some kinds) neighbours are not compared. With an anchor the entry at its length must
    carry its head; entries after it are fine, the chain has grown.
    """
    count, first, previous = 0, 0, None
    for link in links:
        fault = _beginning(link, previous, whole) or _fault(link, previous, contiguous) or _rewritten(link, anchor)
        if fault:
            return Report(count, first, link.seq, link.hash, fault, contiguous)
        count, first, previous = count + 1, first or link.seq, link
    last, head = (previous.seq, previous.hash) if previous else (0, GENESIS)
    return Report(count, first, last, head, _truncated(first, last, anchor), contiguous)


def _beginning(link: Link, previous: Link | None, whole: bool) -> Fault | None:
    if whole and previous is None and link.seq != 1:
        return Fault(1, "missing", f"the first entry is {link.seq}")
    return None


def _fault(link: Link, previous: Link | None, contiguous: bool) -> Fault | None:
    if previous and link.seq <= previous.seq:
        return Fault(link.seq, "out of order", f"comes after entry {previous.seq}")
    if contiguous and previous and link.seq != previous.seq + 1:
        return Fault(previous.seq + 1, "missing", f"entry {previous.seq} is followed by entry {link.seq}")
    before = GENESIS if link.seq == 1 else previous.hash if previous and contiguous else None
    if before is not None and link.prev_hash != before:
        return Fault(link.seq, "relinked", f"names {link.prev_hash[:16]}… before it, but there is {before[:16]}…")
    if (computed := link.computed_hash()) != link.hash:
        return Fault(link.seq, "edited", f"its hash should be {computed[:16]}… and is {link.hash[:16]}…")
    return None


def _rewritten(link: Link, anchor: Anchor | None) -> Fault | None:
    if anchor and link.seq == anchor.length and link.hash != anchor.head:
        return Fault(link.seq, "rewritten", f"its hash was anchored as {anchor.head[:16]}… and is {link.hash[:16]}…")
    return None


def _truncated(first: int, last: int, anchor: Anchor | None) -> Fault | None:
    if anchor is None:
        return None
    if last < anchor.length:
        return Fault(last + 1, "truncated", f"the chain had {anchor.length} entries and ends after {last}")
    if first > anchor.length:
        return Fault(first, "missing", f"starts after the anchored entry {anchor.length}, so it proves nothing of it")
    return None
