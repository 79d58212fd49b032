"""What tuning finds, what it would change, and what came of it. Plain values, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "missing_index",
    "unused_index",
    "duplicate_index",
    "redundant_index",
    "invalid_index",
    "index_bloat",
    "table_bloat",
    "missing_foreign_key_index",
    "vacuum_lag",
    "stale_statistics",
    "autovacuum_settings",
    "transaction_id_age",
    "multixact_age",
    "sequence_exhaustion",
    "setting",
    "slow_statement",
    "regressed_statement",
    "long_transaction",
    "slot_pins_wal",
    "temporary_files",
    "cache_hit",
    "connection_pressure",
    "changed_by_hand",
]
Risk = Literal[
    "none",  # nothing is changed: a finding for people
    "safe",  # undone in a moment, and takes no lock that anybody waits for
    "moderate",  # takes space or time, or may slow something; undone in a moment
    "high",  # undoing it takes long, or it may not be undone: always a person's decision
]
Outcome = Literal[
    "advised",  # by policy or risk, nobody tried it
    "withdrawn",  # not tried here: a rehearsal on a copy spoke against it, or it is not found any more
    "deferred",  # not now: the server was busy, the window shut, the disk too full
    "kept",  # a significant gain was measured, and no guard metric got worse
    "reverted",  # it did not help, or harmed; what was before is back
    "unmeasured",  # done, and undone: its effect could not be measured
    "failed",  # it could not be done; what is left behind is said
    "interrupted",  # an earlier run ended in the middle; this one put it in order
]


@dataclass(frozen=True)
class Change:
    """One statement and the one that undoes it, each for a session in autocommit.

    `takes_space` is bytes on the server's disk; `locks` is what others would see; `context` is when a setting
    takes effect (`pg_settings.context`), empty for anything else; `measured_by` are query ids of the statements
    whose cost it should lower.
    """

    statement: str
    reverse: str
    locks: str
    takes_space: int = 0
    context: str = ""
    measured_by: tuple[int, ...] = ()

    @property
    def needs_restart(self) -> bool:
        return self.context == "postmaster"


@dataclass(frozen=True)
class Evidence:
    """A number that a finding stands on, and the query that gave it."""

    name: str
    value: float | str
    unit: str
    query: str


@dataclass(frozen=True)
class Recommendation:
    """One finding. `change` is none where people have to decide or do something outside the database.

    `object` names what it is about (`schema.table`, `setting work_mem`); `gain` is what is expected, as a
    sentence with its basis; `score` orders them: the share (0 to 1) of the workload's time that it may save,
    or of a limit that is used up. `source` is where the rule comes from.
    """

    kind: Kind
    object: str
    says: str
    evidence: tuple[Evidence, ...]
    gain: str
    risk: Risk
    source: str
    score: float = 0.0
    change: Change | None = None
    to_do: str = ""

    @property
    def key(self) -> str:
        """What tells it from the others, and is the same next month."""
        return f"{self.kind}:{self.object}"


@dataclass(frozen=True)
class NotPossible:
    """What could not be looked at, why, and the statement that would make it possible."""

    kinds: tuple[Kind, ...]
    why: str
    remedy: str


@dataclass(frozen=True)
class Advice:
    """What was found in one database, most worth doing first."""

    database: str
    at: str
    recommendations: tuple[Recommendation, ...] = ()
    not_possible: tuple[NotPossible, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)
