"""What statements cost in a stretch of time: the difference of two looks at PostgreSQL's own counters. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

# userid, queryid, toplevel: what one row of pg_stat_statements is, within a database.
Key = tuple[int, int, bool]


@dataclass(frozen=True)
class Cost:
    """Of one statement: how often it was called, and what that took in all."""

    calls: float = 0.0
    ms: float = 0.0
    blocks: float = 0.0  # shared, local and temporary ones, found in memory or not
    wal: float = 0.0  # records: bytes depend on how long ago the last checkpoint was

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.calls + other.calls, self.ms + other.ms, self.blocks + other.blocks, self.wal + other.wal)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.calls - other.calls, self.ms - other.ms, self.blocks - other.blocks, self.wal - other.wal)

    def per_call(self, metric: str) -> float:
        """`ms`, `blocks` or `wal` of one call; nothing if it was never called."""
        total: float = getattr(self, metric)
        return total / self.calls if self.calls else 0.0


@dataclass(frozen=True)
class Totals:
    """Of the whole database: what no statement is charged with."""

    commits: float = 0.0
    rollbacks: float = 0.0
    deadlocks: float = 0.0
    temp_bytes: float = 0.0

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.commits + other.commits,
            self.rollbacks + other.rollbacks,
            self.deadlocks + other.deadlocks,
            self.temp_bytes + other.temp_bytes,
        )

    def __sub__(self, other: Totals) -> Totals:
        return self + Totals(-other.commits, -other.rollbacks, -other.deadlocks, -other.temp_bytes)


@dataclass(frozen=True)
class Snapshot:
    """All counters at one moment, and what would make them worthless if it changed until the next."""

    seconds: float  # by the server's clock
    started: str
    reset: str
    evictions: int
    statements: Mapping[Key, Cost]
    totals: Totals = Totals()


@dataclass(frozen=True)
class Slice:
    """What was done between two looks, by query id."""

    seconds: float
    statements: Mapping[int, Cost]
    totals: Totals = Totals()


@dataclass(frozen=True)
class Block:
    """A stretch of time under one condition, in equal slices. `problems`: why nothing may be concluded from it."""

    name: str
    slices: tuple[Slice, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        return sum(each.seconds for each in self.slices)

    @property
    def calls_per_second(self) -> float:
        calls = sum(cost.calls for each in self.slices for cost in each.statements.values())
        return calls / self.seconds if self.seconds else 0.0

    @property
    def totals(self) -> Totals:
        return sum((each.totals for each in self.slices), Totals())

    @cached_property
    def statements(self) -> Mapping[int, Cost]:
        """What each statement cost in the whole block."""
        found: dict[int, Cost] = defaultdict(Cost)
        for each in self.slices:
            for queryid, cost in each.statements.items():
                found[queryid] += cost
        return found


def between(earlier: Snapshot, later: Snapshot) -> Slice:
    """What happened between two looks. A row whose counters went back was forgotten and began anew."""
    found: dict[int, Cost] = defaultdict(Cost)
    for key, now in later.statements.items():
        then = earlier.statements.get(key, Cost())
        spent = now if now.calls < then.calls else now - then
        if spent.calls > 0:
            found[key[1]] += spent
    return Slice(later.seconds - earlier.seconds, dict(found), later.totals - earlier.totals)


def block(name: str, snapshots: Sequence[Snapshot], *, own: Iterable[int] = ()) -> Block:
    """The slices between the looks, and what makes them worthless: a restart, a reset, a statement forgotten."""
    pairs = list(zip(snapshots, snapshots[1:], strict=False))
    found = dict.fromkeys(each for pair in pairs for each in _broken(*pair, set(own)))
    return Block(name, tuple(between(*pair) for pair in pairs), tuple(found))


def spoilt(name: str, why: str) -> Block:
    """A block of which nothing can be used."""
    return Block(name, problems=(why,))


def _broken(earlier: Snapshot, later: Snapshot, own: set[int]) -> list[str]:
    if earlier.started != later.started:
        return [f"the server was restarted at {later.started}, in the middle of the measurement"]
    if earlier.reset != later.reset:
        return [f"pg_stat_statements was reset at {later.reset}, in the middle of the measurement"]
    lost = {key[1] for key in earlier.statements if key not in later.statements}
    if own & lost:
        return [
            "pg_stat_statements forgot a statement that is measured: it holds too few (pg_stat_statements.max)"
            if later.evictions > earlier.evictions
            else "somebody reset the counters of a statement that is measured"
        ]
    back = {key[1] for key, now in later.statements.items() if now.calls < earlier.statements.get(key, now).calls}
    if own & back:
        return ["somebody reset the counters of a statement that is measured"]
    return []
