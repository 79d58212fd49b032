"""From where on something is worth telling. Each default has a reason; a policy may set others."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1024**2
GB = 1024**3
DAY = 86400.0


@dataclass(frozen=True)
class Thresholds:
    """Below these, a finding costs more attention than it saves.

    A rule asks for evidence of harm (time spent, blocks read, rows dead), never only for a value that differs
    from a formula: a small server with the defaults has nothing to be told.
    """

    # Statements: rare ones and quick ones do not matter; one must take a share of all the time.
    calls: int = 20
    share: float = 0.05
    slow_ms: float = 500.0
    regressed_factor: float = 2.0
    regressed_calls: int = 100
    regressed_ms: float = 5.0
    statements_examined: int = 50

    # Indexes. The gain is the share of a statement's cost; a month has every monthly job in it.
    index_gain: float = 0.5
    index_table_bytes: int = 10 * MB
    unused_seconds: float = 30 * DAY
    unused_bytes: int = 1 * MB
    # A long index in place of a short one costs more to read than the short one costs to keep.
    redundant_size_ratio: float = 5.0
    foreign_key_table_bytes: int = 10 * MB

    # Bloat is an estimate: a third is normal for a B-tree with random keys, and small files are not worth it.
    bloat_bytes: int = 50 * MB
    table_bloat: float = 0.4
    index_bloat: float = 0.5

    # Autovacuum is given this time before it is called late.
    overdue_seconds: float = 3600.0
    upkeep_rows: int = 10_000
    upkeep_bytes: int = 10 * MB
    dead_share: float = 0.2
    changed_share: float = 0.2
    # Autovacuum's own limit for a big table: a fifth of it is too much to leave dead.
    big_table_rows: int = 10_000_000

    # Of 2^31 transactions. At a tenth (200 million) autovacuum begins by itself.
    xid_share: float = 0.25
    sequence_share: float = 0.75

    # Sessions, slots, memory.
    transaction_seconds: float = 1800.0
    slot_bytes: int = 1 * GB
    connection_share: float = 0.8
    cache_hit: float = 0.95
    cache_read_bytes_a_day: int = 10 * GB
    temp_bytes_a_day: int = 1 * GB
    temp_bytes_a_call: int = 1 * MB

    # Settings: what a proposal never passes.
    work_mem_max: int = 256 * MB
    wal_size_max: int = 64 * GB
    checkpoints_an_hour: float = 4.0
    checkpoints: int = 10
    wal_buffers_full_a_second: float = 1.0
    parallel_launched: float = 0.5
    random_page_cost: str = "1.1"
