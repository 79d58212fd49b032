"""How much of a table or of a B-tree is empty: estimated from sizes and statistics, nothing is read.

The method is ioguix's (pgsql-bloat-estimation, BSD), which postgres_dba and check_postgres use as well.
"""

from __future__ import annotations

import math

from day2.operations.performance_tuning.facts import Index, Table

PAGE_HEADER = 24
ITEM = 4
TUPLE_HEADER = 23
ALIGN = 8
INDEX_SPECIAL = 16
INDEX_HEADER = 8


def table_bloat(table: Table, block: int = 8192) -> float | None:
    """The share of a table's pages that its rows would not fill. None where statistics do not allow a guess."""
    # Pages and rows are as the last vacuum counted them: the file may have been truncated since.
    if table.row_bytes is None or table.rows <= 0 or table.pages <= 0 or table.bytes <= 0:
        return None
    header = TUPLE_HEADER + (math.ceil(table.columns / 8) if table.nullable else 0)
    # Half a step of alignment within a row, as its columns come in no order that we know.
    row = ITEM + _aligned(header) + _aligned(table.row_bytes + ALIGN / 2 * (table.columns > 1))
    per_page = max(1, (block - PAGE_HEADER) * table.fillfactor // 100 // row)
    return max(0.0, 1 - math.ceil(table.rows / per_page) / (table.bytes / block))


def index_bloat(index: Index, block: int = 8192) -> float | None:
    """The share of a B-tree's pages that its keys would not fill.

    Equal keys are kept once since PostgreSQL 13, so this finds too little, never too much.
    """
    if index.key_bytes is None or index.rows <= 0 or index.bytes <= 0:
        return None
    if index.method != "btree" or index.expressions:
        return None
    row = ITEM + INDEX_HEADER + _aligned(index.key_bytes)
    per_page = max(1, (block - PAGE_HEADER - INDEX_SPECIAL) * index.fillfactor // 100 // row)
    leaves = math.ceil(index.rows / per_page)
    # The pages above the leaves, and the meta page.
    wanted = leaves + math.ceil(leaves / per_page) + 1
    return max(0.0, 1 - wanted / (index.bytes / block))


def _aligned(size: float) -> int:
    return math.ceil(size / ALIGN) * ALIGN
