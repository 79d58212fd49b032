"""What a policy says, in the words of those who work with it. Pure."""

from __future__ import annotations

from day2.inventory.tuning import Find
from day2.operations.performance_tuning.thresholds import Thresholds


def thresholds(find: Find) -> Thresholds:
    """From when on something is a finding; what the policy does not name keeps its default."""
    return Thresholds(
        statements_examined=find.top_statements,
        regressed_factor=1 + find.regression_percent / 100,
        index_table_bytes=find.minimum_bytes,
        foreign_key_table_bytes=find.minimum_bytes,
        upkeep_bytes=find.minimum_bytes,
        unused_seconds=find.unused_window.total_seconds(),
        bloat_bytes=find.bloat_bytes,
        table_bloat=find.table_bloat_percent / 100,
        index_bloat=find.index_bloat_percent / 100,
        sequence_share=find.sequence_percent / 100,
        transaction_seconds=find.transaction_age.total_seconds(),
        slot_bytes=find.slot_bytes,
    )
