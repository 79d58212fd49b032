"""Look at one PostgreSQL database: some fifteen queries in one short read-only transaction, nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from day2.errors import StepFailed
from day2.operations.performance_tuning import facts as seen
from day2.operations.performance_tuning.facts import Denied, Facts, StandbyUse
from day2.postgres.server import Server

if TYPE_CHECKING:
    import psycopg

OLDEST = 14
# A statement of ours that takes longer than this would be what is slow about the database.
STATEMENT_SECONDS = 60
LOCK_SECONDS = 2
MOST_STATEMENTS = 500
# Beyond this a text says no more to people, and is too long to be parsed.
TEXT = 10_000
# What `server.sql` tells beside counters.
ABOUT = {"database", "role", "role_quoted", "version", "standby", "at", "window", "reads_stats", "reads_files"}
Row = TypeVar("Row")
Look = Callable[..., list[dict[str, Any]]]


def collect(server: Server, standbys: Sequence[Server] = (), *, seconds: int = STATEMENT_SECONDS) -> Facts:
    """What the database looks like now; `standbys` tell how they use its indexes.

    What the role may not see is in `denied`, with what would help. Raises Unavailable or StepFailed.
    """
    with reading(server, seconds) as connection:
        [about] = ask(connection, "server")
        _require_version(server, about["version"])
        denied: list[Denied] = []
        look = _looking(connection, denied)
        parts = _parts(look, about, _widths(connection, look))
        statements = _statements(connection, about, denied)
    denied += _rights(about)
    used, missing = _used_by(standbys, seconds)
    return Facts(
        server=f"{server.host}:{server.port}",
        database=about["database"],
        user=about["role"],
        at=about["at"],
        version=about["version"],
        standby=about["standby"],
        window=about["window"],
        **statements,
        **parts,
        standbys=used,
        denied=(*denied, *missing),
    )


@contextmanager
def reading(server: Server, seconds: int = STATEMENT_SECONDS) -> Iterator[psycopg.Connection[Any]]:
    """A session inside one read-only transaction that gives up soon. Its limits end with the transaction."""
    with server.connect() as connection, connection.transaction():
        connection.execute("set transaction read only")
        connection.execute(f"set local statement_timeout = '{seconds}s'".encode())
        connection.execute(f"set local lock_timeout = '{LOCK_SECONDS}s'".encode())
        connection.execute("set local jit = off")
        yield connection


@cache
def text(name: str) -> str:
    """The statement in `sql/<name>.sql`."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def ask(connection: psycopg.Connection[Any], name: str, /, **values: Any) -> list[dict[str, Any]]:
    """Run a named statement with bound values; each row as a dict by column name."""
    return _fetch(connection, text(name).encode(), values)


def _fetch(connection: psycopg.Connection[Any], statement: Any, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values).fetchall()


def _looking(connection: psycopg.Connection[Any], denied: list[Denied]) -> Look:
    """`ask`, but what fails for want of a right or of time is written down, and the rest goes on."""
    from psycopg import errors

    def look(name: str, /, **values: Any) -> list[dict[str, Any]]:
        try:
            with connection.transaction():
                return ask(connection, name, **values)
        except errors.InsufficientPrivilege as error:
            said = str(error).splitlines()[0]
            user = connection.execute("select quote_ident(current_user)").fetchone()
            denied.append(Denied(name, said, f"GRANT pg_monitor TO {user[0] if user else 'the role'}"))
        except (errors.QueryCanceled, errors.LockNotAvailable) as error:
            said = str(error).splitlines()[0]
            denied.append(Denied(name, said, "run it again at a quieter time, or see who holds the lock in pg_locks"))
        return []

    return look


def _widths(connection: psycopg.Connection[Any], look: Look) -> dict[str, dict[str, Any]]:
    """The columns' widths by table. Hash joins would ask for the rights on every index's columns as well: slow."""
    connection.execute("set local enable_hashjoin = off")
    found = {row["name"]: row for row in look("widths")}
    connection.execute("set local enable_hashjoin = on")
    return found


def _parts(look: Look, about: Mapping[str, Any], widths: Mapping[str, Any]) -> dict[str, Any]:
    version, standby = about["version"], about["standby"]
    counters = {name: float(value) for name, value in about.items() if name not in ABOUT and value is not None}
    for name in ["checkpoints_17" if version >= 17 else "checkpoints"] + ["parallel_18"] * (version >= 18):
        counters |= {key: float(value) for row in look(name) for key, value in row.items()}
    return {
        "tables": tuple(_made(seen.Table, (row | _row_width(row, widths) for row in look("tables")))),
        "indexes": tuple(_made(seen.Index, (row | _key_width(row, widths) for row in look("indexes")))),
        "foreign_keys": tuple(_made(seen.ForeignKey, look("foreign_keys"))),
        "sequences": tuple(_made(seen.Sequence, [] if standby else look("sequences"))),
        "settings": tuple(_made(seen.Setting, look("settings"))),
        "file_errors": tuple(row["error"] for row in (look("file_errors") if about["reads_files"] else [])),
        "transactions": tuple(_made(seen.Transaction, look("transactions"))),
        "slots": tuple(_made(seen.Slot, look("slots"))),
        "counters": counters,
    }


def _row_width(table: Mapping[str, Any], widths: Mapping[str, Any]) -> dict[str, Any]:
    """How wide a row is, if all of its columns may be read and were analyzed."""
    known = widths.get(table["name"])
    whole = known and len(known["columns"]) == table["columns"]
    return {
        "row_bytes": sum(known["columns"].values()) if known and whole else None,
        "nullable": bool(known and known["nullable"]),
    }


def _key_width(index: Mapping[str, Any], widths: Mapping[str, Any]) -> dict[str, Any]:
    """How wide an entry of an index is, if all of its columns are known."""
    columns = widths.get(index["table"], {"columns": {}})["columns"]
    parts = [columns.get(each) for each in (*index["keys"], *index["includes"])]
    return {"key_bytes": None if None in parts else sum(parts)}


def _made(kind: Callable[..., Row], found: Iterable[dict[str, Any]]) -> Iterator[Row]:
    """Rows as dataclasses: columns that they do not have are left out, arrays become tuples."""
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    for row in found:
        yield kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items() if k in names})


def _statements(connection: psycopg.Connection[Any], about: Mapping[str, Any], denied: list[Denied]) -> dict[str, Any]:
    """The statements, or why there are none."""
    from psycopg import errors, sql

    [where] = ask(connection, "statements_where")
    if lacking := _lacking(where, about["database"]):
        denied.append(lacking)
        return {}
    named = sql.SQL(text("statements").replace("{schema}", where["schema"]))
    try:
        with connection.transaction():
            found = _fetch(connection, named, {"cut": TEXT, "most": MOST_STATEMENTS})
    except (errors.ObjectNotInPrerequisiteState, errors.InsufficientPrivilege, errors.QueryCanceled) as error:
        remedy = f"GRANT pg_monitor, USAGE ON SCHEMA {where['schema']} TO {about['role_quoted']}"
        denied.append(Denied("statements", str(error).splitlines()[0], remedy))
        return {}
    return {
        "statements": tuple(_made(seen.Statement, (row for row in found if not row["hidden"]))),
        "statements_seen": found[0]["seen"] if found else 0,
        "statements_ms": float((found[0]["work_ms"] if found else 0) or 0),
    }


def _lacking(where: Mapping[str, Any], database: str) -> Denied | None:
    """What keeps pg_stat_statements from being asked, if anything does."""
    preload = (
        "add pg_stat_statements to shared_preload_libraries (ALTER SYSTEM SET shared_preload_libraries = "
        "'…, pg_stat_statements': keep those that are there) and restart in a window"
    )
    create = f"CREATE EXTENSION pg_stat_statements, in database {database}"
    if where["schema"] and where["loaded"]:
        return None
    if not where["schema"] and not where["available"]:
        return Denied("statements", "the server has no pg_stat_statements", f"install its contrib package; {preload}")
    if where["loaded"]:
        return Denied("statements", "pg_stat_statements is loaded, but not created in this database", create)
    wanted = preload if where["schema"] else f"{preload}; then {create}"
    return Denied("statements", "pg_stat_statements is not loaded by the server", wanted)


def _rights(about: Mapping[str, Any]) -> list[Denied]:
    """What a role sees only half of without an error."""
    role, denied = about["role_quoted"], []
    if not about["reads_stats"]:
        why = f"{about['role']} sees only its own sessions and statements"
        denied.append(Denied("sessions", why, f"GRANT pg_read_all_stats TO {role} (or pg_monitor, which has it)"))
    if not about["reads_files"]:
        remedy = (
            f"GRANT SELECT ON pg_catalog.pg_file_settings TO {role}; "
            f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {role}"
        )
        denied.append(Denied("file_errors", f"{about['role']} may not see the configuration files' errors", remedy))
    return denied


def _used_by(standbys: Sequence[Server], seconds: int) -> tuple[tuple[StandbyUse, ...], list[Denied]]:
    """How the standbys use the indexes. One that does not answer is named: unused cannot be said without it."""
    from day2.errors import Unavailable

    used, denied = [], []
    for each in standbys:
        label = f"{each.host}:{each.port}"
        try:
            with reading(each, seconds) as connection:
                found = ask(connection, "index_use")
        except (Unavailable, StepFailed) as error:
            denied.append(Denied("standby", f"{label}: {error.happened}", "make it answer: its readers count too"))
            continue
        used.append(StandbyUse(label, found[0]["window"], {row["name"]: row["scans"] for row in found if row["name"]}))
    return tuple(used), denied


def _require_version(server: Server, version: int) -> None:
    if version < OLDEST:
        raise StepFailed(
            f"{server.label} is PostgreSQL {version}: tuning knows {OLDEST} and later",
            left="nothing was changed",
            next_step="upgrade it: this version gets no fixes any more",
            runbook="A server is too old to be tuned",
        )
