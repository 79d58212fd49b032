"""Which invalid indexes are ours to drop."""

from __future__ import annotations

import pytest

from day2.operations.performance_tuning.leftovers import ours

LONG = "i" * 63


@pytest.mark.parametrize(
    ("name", "mine"),
    [
        ("day2_orders_customer", True),
        ("day2_orders_customer_ccnew", True),
        ("orders_pkey_ccnew", True),
        ("orders_pkey_ccold1", True),
        (f"{'i' * 57}_ccnew", True),  # PostgreSQL cut the long name to make room
        ("orders_pkey", False),
        ("others_ccnew", False),
        ("theirs", False),
        ("my_day2_index", False),
    ],
)
def test_only_what_we_made_or_rebuilt_is_ours(name: str, mine: bool) -> None:
    found = [{"schema_name": "s", "name": name}]
    assert (ours(found, [("s", "orders_pkey"), ("s", LONG)]) == found) is mine


def test_a_rebuild_in_another_schema_is_not_ours() -> None:
    assert ours([{"schema_name": "t", "name": "orders_pkey_ccnew"}], [("s", "orders_pkey")]) == []
