"""What one database looked like at one moment: plain values, frozen, and JSON as they are.

Names are as PostgreSQL's quote_ident writes them, with their schema, so that they may stand in a statement.
Times are seconds before the moment of the look, sizes are bytes, and None is "not known".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Machine:
    """What the server's machine has. Where nobody said it, rules that need it say so."""

    ram_bytes: int
    cpus: int
    disk_bytes: int
    disk_free_bytes: int


@dataclass(frozen=True)
class Statement:
    """One normalised statement of pg_stat_statements, of all users together. `length` is of its whole text."""

    query_id: int
    text: str
    length: int
    calls: int
    total_ms: float
    rows: int
    blocks: int
    temp_blocks: int
    wal_bytes: int

    @property
    def mean_ms(self) -> float:
        return self.total_ms / self.calls if self.calls else 0.0

    @property
    def is_cut(self) -> bool:
        return self.length > len(self.text)


@dataclass(frozen=True)
class Table:
    """A table or partition. `row_bytes` is the mean width of a row's values, None where statistics are missing."""

    name: str
    bytes: int
    pages: int
    rows: float
    columns: int
    row_bytes: float | None
    nullable: bool
    fillfactor: int
    options: Mapping[str, str]
    live: int
    dead: int
    changed: int
    inserts: int
    updates: int
    deletes: int
    seq_scans: int
    seq_rows: int
    vacuumed_ago: float | None
    analyzed_ago: float | None
    xid_age: int
    mxid_age: int
    vacuum_runs: bool
    locked: bool = False


@dataclass(frozen=True)
class Index:
    """An index. `keys` names its key columns, with `(expression)` for an expression; `shape` compares them."""

    name: str
    table: str
    definition: str
    method: str
    keys: tuple[str, ...]
    includes: tuple[str, ...]
    shape: tuple[str, ...]
    bytes: int
    pages: int
    rows: float
    key_bytes: float | None
    fillfactor: int
    scans: int
    unique: bool
    constraint: str
    valid: bool
    building: bool
    replica_identity: bool
    clustered: bool
    partitioned: bool
    attached: bool
    expressions: bool
    partial: bool
    tablespace: str

    @property
    def label(self) -> str:
        return f"{self.name} on {self.table}"


@dataclass(frozen=True)
class ForeignKey:
    """`table (columns)` refers to `parent`; `deletes` is how many rows of the parent were deleted."""

    name: str
    table: str
    columns: tuple[str, ...]
    parent: str
    deletes: int
    on_delete: str


@dataclass(frozen=True)
class Sequence:
    """A sequence, and the narrowest column that it fills: `limit` is the lower of both ends."""

    name: str
    type: str
    last: int | None
    increment: int
    maximum: int
    cycles: bool
    column: str
    column_type: str
    column_maximum: int | None
    readable: bool = True


@dataclass(frozen=True)
class Setting:
    """One row of pg_settings, as a new session in this database has it."""

    name: str
    value: str
    unit: str
    context: str
    source: str
    default: str
    file: str
    pending_restart: bool


@dataclass(frozen=True)
class Transaction:
    """A session with an open transaction, or a prepared transaction (then `pid` is none)."""

    pid: int | None
    user: str
    application: str
    state: str
    seconds: float
    xid_age: int
    query: str


@dataclass(frozen=True)
class Slot:
    """A replication slot and the write-ahead log that it keeps from being removed."""

    name: str
    kind: str
    active: bool
    wal_status: str
    retained_bytes: int
    xid_age: int


@dataclass(frozen=True)
class StandbyUse:
    """How often a standby used each index, and since when it counts."""

    label: str
    window: float
    scans: Mapping[str, int]


@dataclass(frozen=True)
class Trial:
    """What the planner would do with one statement if something were different: nothing was changed.

    `kind` is `index`, `setting` or `plan` (only looked at: HypoPG is not there). `object` is an index's table, and
    `columns` its columns; or a setting's name, and the one table that it has read whole. `rows_removed` are read and
    thrown away now, `uses` are the indexes of the other plan, costs are the planner's.
    """

    kind: str
    query_id: int
    object: str
    columns: tuple[str, ...] = ()
    value: str = ""
    cost_before: float = 0.0
    cost_after: float = 0.0
    rows_removed: float = 0.0
    index_bytes: int = 0
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Denied:
    """Something that could not be looked at: which part of the facts is missing, why, and what would help."""

    part: str
    why: str
    remedy: str


@dataclass(frozen=True)
class Facts:
    """Everything the rules judge. `counters` are single numbers of the server and its database."""

    server: str
    database: str
    user: str
    at: str
    version: int
    standby: bool
    window: float
    statements: tuple[Statement, ...] = ()
    statements_seen: int = 0
    statements_ms: float = 0.0
    tables: tuple[Table, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    settings: tuple[Setting, ...] = ()
    file_errors: tuple[str, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    slots: tuple[Slot, ...] = ()
    standbys: tuple[StandbyUse, ...] = ()
    trials: tuple[Trial, ...] = ()
    trials_unread: int = 0
    denied: tuple[Denied, ...] = ()
    counters: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def table_by_name(self) -> Mapping[str, Table]:
        """Tables by their name."""
        return {each.name: each for each in self.tables}

    @cached_property
    def indexes_by_table(self) -> Mapping[str, tuple[Index, ...]]:
        """Every index of a table, by the table's name."""
        found: dict[str, list[Index]] = defaultdict(list)
        for each in self.indexes:
            found[each.table].append(each)
        return {name: tuple(indexes) for name, indexes in found.items()}

    def indexes_of(self, table: str) -> tuple[Index, ...]:
        """The indexes of one table."""
        return self.indexes_by_table.get(table, ())

    def setting(self, name: str) -> Setting | None:
        """A setting by its name."""
        return next((each for each in self.settings if each.name == name), None)

    def bytes_of(self, name: str) -> int | None:
        """A setting of memory or disk, in bytes; None where it is not known."""
        found = self.setting(name)
        units = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2, "GB": 1024**3, "": 1}
        return int(found.value) * units[found.unit] if found and found.unit in units else None

    def number(self, name: str) -> float | None:
        """A setting that is a number; None where it is not known."""
        found = self.setting(name)
        return float(found.value) if found else None

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)
