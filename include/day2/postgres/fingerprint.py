"""What a database holds, in numbers that can be compared after a restore.

A table's fingerprint is its exact row count and the sum of 64-bit hashes of its rows' text: equal for
equal multisets of rows in any order. Sum, not xor, because equal pairs cancel in an xor. It catches
accidents, not an attacker. Row text depends on settings; `server.SESSION` pins them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from day2.postgres.content import DatabaseContent, Extension, Sequence, Table
from day2.postgres.server import Server, rows

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

LARGE_OBJECTS = "(large objects)"
# The alias of a whole row. No column has this name, so it can only mean the row.
ROW = "day2: the row"


@contextmanager
def snapshot(server: Server) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """A read-only repeatable-read transaction and the snapshot id it exports; both end with the block."""
    with server.connect() as connection:
        connection.execute("begin isolation level repeatable read read only")
        row = connection.execute("select pg_catalog.pg_export_snapshot()").fetchone()
        yield connection, str(row[0]) if row else ""


def content(
    connection: psycopg.Connection[Any],
    *,
    schema_sha256: str,
    watch: Callable[[str], None] = lambda _: None,
    skip: Callable[[dict[str, Any]], str | None] = lambda _: None,
) -> DatabaseContent:
    """Everything of one database that a restore is compared with, as this connection sees it.

    `skip` may give a reason not to fingerprint a table (its row of sql/tables.sql); it is then listed
    unpinned with that reason.
    """
    database = rows(connection, "databases")
    this = connection.info.dbname
    described = next(each for each in database if each["name"] == this)
    tables = []
    for each in rows(connection, "tables"):
        watch(f"{each['schema_name']}.{each['name']}")
        if table := _table(connection, each, skip(each)):
            tables.append(table)
    if large := _large_objects(connection):
        tables.append(large)
    return DatabaseContent(
        name=this,
        encoding=described["encoding"],
        collate=described["collate"],
        ctype=described["ctype"],
        tables=tuple(tables),
        sequences=tuple(sequences(connection)),
        extensions=tuple(Extension(**each) for each in rows(connection, "extensions")),
        schema_sha256=schema_sha256,
    )


def sequences(connection: psycopg.Connection[Any]) -> Iterator[Sequence]:
    """Every sequence and its last value; `before` and `after` are both this reading."""
    from psycopg import sql

    for each in rows(connection, "sequences"):
        name = sql.Identifier(each["schema_name"], each["name"])
        row = _read(connection, sql.SQL("select last_value from {}").format(name), each)
        if row is None:
            continue
        value = int(row[0])
        yield Sequence(
            schema_name=each["schema_name"], name=each["name"], before=value, after=value, increment=each["increment"]
        )


def merged(first: DatabaseContent, second: DatabaseContent) -> DatabaseContent:
    """Content read before and after a copy: what is equal in both is pinned, the rest says why not.

    A table dropped in between is left out: the copy may hold it or not.
    """
    later = {(each.schema_name, each.name): each for each in second.tables}
    tables = []
    for each in first.tables:
        again = later.get((each.schema_name, each.name))
        if again is None:
            continue
        if not each.pinned:
            tables.append(each)
        elif (again.rows, again.fingerprint) != (each.rows, each.fingerprint):
            tables.append(each.model_copy(update={"pinned": False, "reason": "written to while the copy ran"}))
        else:
            tables.append(each)
    after = {(each.schema_name, each.name): each.after for each in second.sequences}
    moved = [
        each.model_copy(update={"after": after[each.schema_name, each.name]})
        for each in first.sequences
        if (each.schema_name, each.name) in after
    ]
    return first.model_copy(
        update={
            "tables": tuple(tables),
            "sequences": tuple(moved),
            "schema_pinned": first.schema_sha256 == second.schema_sha256,
        }
    )


def _table(connection: psycopg.Connection[Any], table: dict[str, Any], skipped: str | None) -> Table | None:
    """The table's content; None if it was dropped since it was listed."""
    from psycopg import sql

    named = {"schema_name": table["schema_name"], "name": table["name"], "partition": table["partition"]}
    if skipped:
        return Table(**named, rows=-1, fingerprint="", pinned=False, reason=skipped)
    query = sql.SQL(
        "select pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended({row}::pg_catalog.text, 0)"
        "::pg_catalog.numeric), 0)::pg_catalog.text from only {table} {row}"
    ).format(row=sql.Identifier(ROW), table=sql.Identifier(table["schema_name"], table["name"]))
    row = _read(connection, query, named)
    return Table(**named, rows=row[0], fingerprint=row[1]) if row else None


def _read(connection: psycopg.Connection[Any], query: sql.Composed, named: dict[str, Any]) -> tuple[Any, ...] | None:
    """The query's one row; None if its table was dropped meanwhile. Raises StepFailed if it cannot be read."""
    import psycopg

    try:
        with connection.transaction():  # a savepoint: an error must not end the snapshot
            row: tuple[Any, ...] | None = connection.execute(query).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise StepFailed(
            f"{connection.info.dbname}: {named['schema_name']}.{named['name']} cannot be read: {str(error).strip()}",
            left="what was stored so far is not a recovery point and is removed",
            next_step="act on the server's message above",
            runbook="A PostgreSQL program failed",
        ) from error
    return row


def _large_objects(connection: psycopg.Connection[Any]) -> Table | None:
    """Large objects as one pseudo-table; None if there are none we may read."""
    facts = rows(connection, "large_objects")[0]
    if not facts["total"]:
        return None
    if facts["unreadable"]:
        return Table(
            schema_name="", name=LARGE_OBJECTS, rows=-1, fingerprint="", pinned=False, reason="no right to read them"
        )
    row = connection.execute(
        "select pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended("
        "m.oid::pg_catalog.text || ':' || pg_catalog.md5(pg_catalog.lo_get(m.oid)), 0)::pg_catalog.numeric)"
        "::pg_catalog.text from pg_catalog.pg_largeobject_metadata m"
    ).fetchone()
    count, total = row if row else (0, "0")
    return Table(schema_name="", name=LARGE_OBJECTS, rows=count, fingerprint=total)
