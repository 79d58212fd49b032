"""Ask the planner for the plan of a normalised statement, and read what matters in it.

The plan is the generic one, made without the parameters' values. EXPLAIN (GENERIC_PLAN) of PostgreSQL 16 needs the
simple protocol, which runs whatever follows a semicolon; PREPARE goes through the extended one, which does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from day2.operations.performance_tuning.candidates import readable

if TYPE_CHECKING:
    import psycopg

NAME = "day2_trial"
PREPARED = "select parameter_types::text[] from pg_prepared_statements where name = %s"


@dataclass(frozen=True)
class Scan:
    """A table that a plan reads from end to end, and how many rows of it its filter throws away."""

    schema: str
    table: str
    rows: float
    filtered: bool


@dataclass(frozen=True)
class Plan:
    """What a plan costs, which tables it reads whole, and which indexes it uses."""

    cost: float
    scans: tuple[Scan, ...]
    indexes: frozenset[str]

    def scan_of(self, schema: str, table: str) -> Scan | None:
        """Its scan of a table, if it has one."""
        return next((each for each in self.scans if (each.schema, each.table) == (schema, table)), None)


def plan(connection: psycopg.Connection[Any], text: str) -> Plan:
    """The generic plan of one statement; nothing is executed. Raises psycopg.Error where it cannot be planned."""
    try:
        # A savepoint: the locks that planning takes on tables end with it.
        with connection.transaction(force_rollback=True):
            connection.execute("set local plan_cache_mode = force_generic_plan")
            connection.execute(f"prepare {NAME} as {readable(text)}".encode(), binary=True)
            types = connection.execute(PREPARED, (NAME,)).fetchone()
            nulls = ", ".join("null" for _ in (types[0] if types else []))
            called = f"{NAME}({nulls})" if nulls else NAME
            found = connection.execute(f"explain (format json, verbose) execute {called}".encode()).fetchall()
    finally:
        # Prepared statements outlive a rollback.
        if connection.execute(PREPARED, (NAME,)).fetchone():
            connection.execute(f"deallocate {NAME}".encode())
    [(explained,)] = found
    return read(explained[0]["Plan"])


def read(top: Mapping[str, Any]) -> Plan:
    """EXPLAIN's JSON as what the rules want to know."""
    nodes = list(_nodes(top))
    scans = tuple(
        Scan(node["Schema"], node["Relation Name"], node["Plan Rows"], "Filter" in node)
        for node in nodes
        if node["Node Type"] == "Seq Scan"
    )
    return Plan(top["Total Cost"], scans, frozenset(node["Index Name"] for node in nodes if "Index Name" in node))


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _nodes(each)
