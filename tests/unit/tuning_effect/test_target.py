"""Only statements that tuning knows are run, and what they are about is read from them."""

from __future__ import annotations

import pytest

from day2.errors import PlanRefused
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.target import Target, of, reversible, target


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("CREATE INDEX CONCURRENTLY day2_a ON s.t USING btree (a)", Target("index", "day2_a", "s")),
        ('CREATE UNIQUE INDEX CONCURRENTLY "Day2 ""x""" ON "S s"."T.t" (a)', Target("index", 'Day2 "x"', "S s")),
        ("DROP INDEX CONCURRENTLY IF EXISTS Public.Day2_A;", Target("index", "day2_a", "public")),
        ('REINDEX INDEX CONCURRENTLY "ü"."ß"', Target("index rebuild", "ß", "ü")),
        ("ALTER SYSTEM SET work_mem = '64MB'", Target("setting", "work_mem", value="64MB")),
        ("ALTER SYSTEM SET work_mem TO '64MB'", Target("setting", "work_mem", value="64MB")),
        ("alter system reset auto_explain.log_min_duration", Target("setting", "auto_explain.log_min_duration")),
        ('ALTER DATABASE "my db" SET random_page_cost = 1.1',
         Target("database setting", "random_page_cost", "my db", "1.1")),
        ("ALTER TABLE s.t SET (autovacuum_vacuum_scale_factor = 0.01)", Target("table options", "t", "s")),
        ("ANALYZE s.t", Target("table", "t", "s")),
        ("VACUUM (FREEZE, ANALYZE) s.t", Target("table", "t", "s")),
    ],
)  # fmt: skip
def test_a_statement_names_its_target(statement: str, found: Target) -> None:
    assert target(statement) == found


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE orders",
        "CREATE INDEX day2_a ON s.t (a)",
        "DROP INDEX s.day2_a",
        "VACUUM FULL s.t",
        "VACUUM",
        "DROP INDEX CONCURRENTLY a; DROP TABLE b",
        "ALTER SYSTEM SET work_mem = '1MB'; DROP TABLE b",
        "CREATE INDEX CONCURRENTLY a ON t (a); DROP TABLE t",
        "ALTER TABLE s.t SET (fillfactor = 70), ALTER COLUMN a TYPE text",
        "ALTER SYSTEM RESET ALL",
        "DELETE FROM t",
    ],
)
def test_everything_else_is_refused(statement: str) -> None:
    with pytest.raises(PlanRefused, match="does not run statements of this kind"):
        target(statement)


def test_a_reverse_that_is_about_something_else_is_refused() -> None:
    with pytest.raises(PlanRefused, match="does not undo"):
        of(Change("ALTER SYSTEM SET work_mem = '64MB'", "ALTER SYSTEM RESET random_page_cost", locks=""))


def test_the_schema_may_stand_in_the_reverse_alone() -> None:
    change = Change("CREATE INDEX CONCURRENTLY day2_a ON t (a)", "DROP INDEX CONCURRENTLY s.day2_a", locks="")
    assert of(change) == Target("index", "day2_a", "s")


def test_a_rebuild_has_nothing_to_undo() -> None:
    assert not reversible(Change("REINDEX INDEX CONCURRENTLY s.a", "-- nothing to reverse", locks=""))
