"""Facts as small as a test needs them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from day2.operations.performance_tuning.facts import (
    Facts,
    ForeignKey,
    Index,
    Machine,
    Sequence,
    Setting,
    Slot,
    Statement,
    Table,
    Transaction,
)
from day2.operations.performance_tuning.thresholds import DAY, GB, MB

MACHINE = Machine(ram_bytes=64 * GB, cpus=8, disk_bytes=1000 * GB, disk_free_bytes=500 * GB)
FACTS = Facts("db:5432", "shop", "day2", "2026-11-23T02:00:00Z", 17, standby=False, window=60 * DAY)
TABLE = Table(
    "public.t", bytes=1000 * MB, pages=128_000, rows=5e6, columns=5, row_bytes=160.0, nullable=False, fillfactor=100,
    options={}, live=5_000_000, dead=0, changed=0, inserts=0, updates=0, deletes=0, seq_scans=0, seq_rows=0,
    vacuumed_ago=60.0, analyzed_ago=60.0, xid_age=1000, mxid_age=0, vacuum_runs=False,
)  # fmt: skip
INDEX = Index(
    "public.t_a", "public.t", "CREATE INDEX t_a ON public.t USING btree (a)", "btree", ("a",), (), ("1 1978 0 0",),
    bytes=100 * MB, pages=12_800, rows=5e6, key_bytes=8.0, fillfactor=90, scans=10, unique=False, constraint="",
    valid=True, building=False, replica_identity=False, clustered=False, partitioned=False, attached=False,
    expressions=False, partial=False, tablespace="",
)  # fmt: skip
STATEMENT = Statement(1, "select * from t where a = $1", 28, calls=1000, total_ms=10_000.0, rows=1000, blocks=5000,
                      temp_blocks=0, wal_bytes=0)  # fmt: skip
KEY = ForeignKey("t_p_fkey", "public.t", ("p",), "public.p", deletes=10, on_delete="no action")
SEQUENCE = Sequence("public.s", "bigint", 1, 1, 2**63 - 1, False, "public.t.id", "bigint", 2**63 - 1)
SESSION = Transaction(7, "app", "web", "idle in transaction", 10.0, 100, "select 1")
SLOT = Slot("follower", "physical", True, "reserved", 0, 0)


def facts(**parts: Any) -> Facts:
    """Facts with these parts; the time of all statements is that of those given."""
    made = replace(FACTS, **parts)
    return replace(made, statements_ms=parts.get("statements_ms", sum(each.total_ms for each in made.statements)))


def index(name: str, *columns: str, **more: Any) -> Index:
    """An index on public.t."""
    listed = ", ".join(columns)
    unique = "UNIQUE " * bool(more.get("unique"))
    made = replace(
        INDEX,
        name=f"public.{name}",
        definition=f"CREATE {unique}INDEX {name} ON public.t USING btree ({listed})",
        keys=columns,
        shape=tuple(f"{each} 1978 0 0" for each in columns),
    )
    return replace(made, **more)


def setting(name: str, value: str, unit: str = "", **more: Any) -> Setting:
    """A setting as the default has it."""
    return replace(Setting(name, value, unit, "sighup", "default", value, "", False), **more)
