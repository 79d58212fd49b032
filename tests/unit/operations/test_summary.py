"""Two databases of one server may have tables of one name: each is still judged once."""

from __future__ import annotations

from day2.operations.database_backup.prove import summary
from day2.postgres.inspection import Comparison, TableComparison


def comparison(database: str) -> Comparison:
    table = TableComparison(database, "public.t", 1, 1, "7", "7", pinned=True, reason="")
    return Comparison(database, (table,), True, True, True, ())


def test_tables_of_other_databases_carry_their_databases_name() -> None:
    named = summary([comparison("orders"), comparison("other")], dbname="orders")["tables"]
    assert [each["table"] for each in named] == ["public.t", "other: public.t"]
