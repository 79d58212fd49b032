"""What the planner would do with the top statements if an index or a cost were different. Nothing stays changed.

HypoPG's indexes exist for one session only. Where the extension is installed on the server but not created in the
database, it is created in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from day2.operations.performance_tuning import candidates
from day2.operations.performance_tuning.collect import LOCK_SECONDS, ask
from day2.operations.performance_tuning.facts import Denied, Facts, Machine, Statement, Table, Trial
from day2.operations.performance_tuning.plans import Plan, plan
from day2.operations.performance_tuning.rules_statements import is_work
from day2.operations.performance_tuning.thresholds import MB, Thresholds
from day2.operations.performance_tuning.wording import bare, parts
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

PLAN_SECONDS = 10
SCRATCH = "day2_hypothetical"
Place = tuple[str, str]


@dataclass
class Bench:
    """A session to try things in, and what is known about the tables."""

    connection: psycopg.Connection[Any]
    tables: Mapping[Place, Table]
    columns: Mapping[Place, frozenset[str]]
    hypopg: str
    costs: Mapping[str, str]
    denied: list[Denied] = field(default_factory=list)


def weigh(server: Server, facts: Facts, limits: Thresholds, *, machine: Machine | None = None) -> Facts:
    """The same facts with `trials`. Raises Unavailable or StepFailed; a statement it cannot plan is counted."""
    from psycopg import Error, OperationalError, errors

    top = worth_it(facts, limits)
    if not top or facts.standby:
        return facts
    trees = {each.query_id: candidates.parse(each.text) for each in top}
    found: list[Trial] = []
    unread = 0
    with _bench(server, facts, trees=trees, machine=machine) as bench:
        for each in top:
            tree = trees[each.query_id]
            if tree is None or each.is_cut or candidates.is_ambiguous(tree, bench.columns):
                unread += 1
                continue
            try:
                with bench.connection.transaction():
                    found += _tried(bench, each, tree=tree, limits=limits)
            except errors.InsufficientPrivilege as error:
                bench.denied.append(_not_allowed(facts, error))
            except (errors.QueryCanceled, errors.LockNotAvailable):
                unread += 1  # its planning alone takes too long, or a table is locked
            except OperationalError:
                raise  # `connect` tells it
            except Error:
                unread += 1  # a parameter's type cannot be found, or a table is gone
    denied = (*facts.denied, *dict.fromkeys(bench.denied))
    return replace(facts, trials=tuple(found), trials_unread=unread, denied=denied)


def worth_it(facts: Facts, limits: Thresholds) -> list[Statement]:
    """Statements that take enough of all time for an index to matter."""
    return [
        each
        for each in facts.statements
        if is_work(each) and each.calls >= limits.calls and each.total_ms >= limits.share * facts.statements_ms
    ][: limits.statements_examined]


@contextmanager
def _bench(server: Server, facts: Facts, *, trees: Mapping[int, Any], machine: Machine | None) -> Iterator[Bench]:
    wanted = {name for tree in trees.values() if tree is not None for _, name in candidates.names(tree)}
    with server.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute(f"set local statement_timeout = '{PLAN_SECONDS}s'".encode())
        connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
        known = ask(connection, "columns", names=sorted(wanted))
        tables = {tuple(map(bare, parts(each.name))): each for each in facts.tables}
        bench = Bench(
            connection,
            tables={(one, two): table for (one, two), table in tables.items()},
            columns={(row["schema"], row["table"]): frozenset(row["columns"]) for row in known},
            hypopg="",
            costs=_costs(facts, machine),
        )
        bench.hypopg = _hypopg(bench, facts)
        yield bench


def _costs(facts: Facts, machine: Machine | None) -> dict[str, str]:
    """Planner settings worth a try, one at a time: what today's disks and this machine's memory suggest."""
    tried = {}
    if (facts.number("random_page_cost") or 0) > float(Thresholds.random_page_cost):
        tried["random_page_cost"] = Thresholds.random_page_cost
    if machine and (wanted := machine.ram_bytes * 3 // 4) > (facts.bytes_of("effective_cache_size") or wanted):
        tried["effective_cache_size"] = f"{wanted // MB}MB"
    return tried


def _hypopg(bench: Bench, facts: Facts) -> str:
    """The schema of HypoPG's functions, empty where there are none; then why is written down."""
    from psycopg import errors

    [where] = ask(bench.connection, "hypopg")
    if where["schema"]:
        return str(where["schema"])
    why = "the server has no HypoPG, so no index can be tried before it is built"
    remedy = f"install it (Debian: postgresql-{facts.version}-hypopg); it needs no restart"
    if where["available"]:
        try:
            with bench.connection.transaction():
                bench.connection.execute(f"create schema {SCRATCH}".encode())
                bench.connection.execute(f"create extension hypopg schema {SCRATCH}".encode())
        except (errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction) as error:
            why = f"HypoPG is installed, but not created: {str(error).splitlines()[0]}"
            remedy = f"CREATE EXTENSION hypopg, in database {facts.database}, by a superuser"
        else:
            return SCRATCH
    bench.denied.append(Denied("trials", why, remedy))
    return ""


def _tried(bench: Bench, statement: Statement, *, tree: Any, limits: Thresholds) -> Iterator[Trial]:
    from psycopg import sql

    # Nobody recorded the search_path that a statement was run with; extensions are mostly in public.
    path = sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys([*(place[0] for place in bench.columns), "public"])))
    bench.connection.execute(sql.SQL("set local search_path = {}").format(path))
    now = plan(bench.connection, statement.text)
    for scan in now.scans:
        place = (scan.schema, scan.table)
        table = bench.tables.get(place)
        if not scan.filtered or table is None or table.bytes < limits.index_table_bytes:
            continue
        cheaper = list(_with_other_costs(bench, statement, place))
        yield from cheaper
        if not cheaper:
            wanted = [found for *there, found in candidates.candidates(tree, bench.columns) if tuple(there) == place]
            yield from _with_indexes(bench, statement, where=(place, now), wanted=wanted)


def _with_other_costs(bench: Bench, statement: Statement, place: Place) -> Iterator[Trial]:
    for name, value in bench.costs.items():
        with bench.connection.transaction(force_rollback=True):
            bench.connection.execute("select set_config(%s, %s, true)", (name, value))
            other = plan(bench.connection, statement.text)
        if other.scan_of(*place) is None and other.indexes:
            uses = tuple(sorted(other.indexes))
            table = bench.tables[place].name
            yield Trial("setting", statement.query_id, name, (table,), value, cost_after=other.cost, uses=uses)
            return


def _with_indexes(
    bench: Bench, statement: Statement, *, where: tuple[Place, Plan], wanted: list[tuple[str, ...]]
) -> Iterator[Trial]:
    from psycopg import sql

    place, now = where
    table = bench.tables[place]
    scan = now.scan_of(*place)
    removed = max(0.0, table.rows - (scan.rows if scan else 0))
    if not bench.hypopg:
        # The one with most columns compared for equality comes first where nothing can be tried.
        for columns in wanted[:1]:
            quoted = _quoted(columns)
            yield Trial("plan", statement.query_id, table.name, quoted, cost_before=now.cost, rows_removed=removed)
        return
    make = sql.SQL("select indexrelid, indexname from {}.hypopg_create_index(%s)").format(_raw(bench.hypopg))
    measure = sql.SQL("select {}.hypopg_relation_size(%s)").format(_raw(bench.hypopg))
    for columns in wanted:
        quoted = _quoted(columns)
        listed = ", ".join(quoted)
        [(oid, name)] = bench.connection.execute(make, (f"create index on {table.name} ({listed})",)).fetchall()
        [(size,)] = bench.connection.execute(measure, (oid,)).fetchall()
        then = plan(bench.connection, statement.text)
        bench.connection.execute(sql.SQL("select {}.hypopg_reset()").format(_raw(bench.hypopg)))
        if name in then.indexes:
            yield Trial(
                "index",
                statement.query_id,
                table.name,
                quoted,
                cost_before=now.cost,
                cost_after=then.cost,
                rows_removed=removed,
                index_bytes=size,
                uses=(name,),
            )


def _raw(quoted: str) -> Any:
    """A name that the server has quoted already."""
    from psycopg import sql

    return sql.SQL(quoted)


def _quoted(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Columns as quote_ident writes most of them: quoted only where they need it."""
    plain = [each.isidentifier() and each == each.lower() and each.isascii() for each in columns]
    return tuple(each if ok else '"' + each.replace('"', '""') + '"' for each, ok in zip(columns, plain, strict=True))


def _not_allowed(facts: Facts, error: Exception) -> Denied:
    role = '"' + facts.user.replace('"', '""') + '"'
    remedy = f"GRANT pg_read_all_data TO {role} (and pg_write_all_data for the plans of UPDATE and DELETE)"
    return Denied("trials", str(error).splitlines()[0], remedy)
