"""Bring a ledger's database to this version's schema. Runs as the owner, never as the application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.errors import PlanRefused
from day2.ledger.connection import connect, translated

if TYPE_CHECKING:
    from psycopg import Connection
    from sqlalchemy import Connection as Bound

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7422002  # one migration at a time, by however many workers start together
UNTOUCHED = "the ledger's database is unchanged"


def migrate(conninfo: str, *, app_role: str) -> str:
    """Create or upgrade the schema and give the application's role its rights. Returns the revision.

    `conninfo` logs in as the ledger's owner; `app_role` must exist, be another role, and have no power
    over the owner. All or nothing, and safe to repeat. Raises PlanRefused when roles or database do not fit.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    # A creator instead of a URL: no password is quoted, escaped or shown anywhere.
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(conninfo, autocommit=False), poolclass=NullPool
    )
    with translated(), engine.begin() as bound:
        connection: Connection[Any] = bound.connection.driver_connection  # type: ignore[assignment]
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        _require_utf8(connection)
        _require_separate(connection, app_role)
        connection.execute("create schema if not exists ledger")
        revision = _upgrade(bound)
        _grant(connection, app_role)
    return revision


def _upgrade(bound: Bound) -> str:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = bound
    command.upgrade(config, "head")
    return str(ScriptDirectory.from_config(config).get_current_head())


def _grant(connection: Connection[Any], app_role: str) -> None:
    from psycopg import sql

    # The text is a file of this package, and the role goes in as a quoted identifier.
    grants = sql.SQL((MIGRATIONS / "grants.sql").read_text(encoding="utf-8"))
    connection.execute(grants.format(app_role=sql.Identifier(app_role)))


def _require_utf8(connection: Connection[Any]) -> None:
    # Hashes are over UTF-8, and another encoding could not keep every name.
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise PlanRefused(
            f"the ledger's database is encoded in {encoding}",
            target=connection.info.dbname,
            left=UNTOUCHED,
            next_step="create it with `create database … encoding 'UTF8' template template0`",
        )


def _require_separate(connection: Connection[Any], app_role: str) -> None:
    row = connection.execute(
        """
        select rolsuper, rolname = current_user, pg_has_role(rolname, current_user, 'MEMBER')
          from pg_roles where rolname = %s
        """,
        (app_role,),
    ).fetchone()
    if row is None:
        problem, fix = "does not exist", "create it with LOGIN and a password, without any other attribute"
    elif row[0]:
        problem, fix = "is a superuser, whom no ledger can stop", "name an ordinary role"
    elif row[1] or row[2]:
        problem, fix = "is the ledger's owner or may become it", "migrate as another role, which owns the ledger"
    else:
        return
    raise PlanRefused(f"the application's role {problem}", target=app_role, left=UNTOUCHED, next_step=fix)
