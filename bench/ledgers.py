"""A migrated ledger of a bench's own, on a server of its own."""

from __future__ import annotations

from psycopg import sql

from day2.ledger import migrate
from lab.postgres import Server

DATABASE, OWNER, APP = "bench_ledger", "ledger_owner", "ledger_app"


def make(server: Server) -> str:
    """Make it; returns how the application logs in."""
    with server.connect() as connection:
        for role in (OWNER, APP):
            named = (sql.Identifier(role), sql.Literal(server.password))
            connection.execute(sql.SQL("create role {} login password {}").format(*named))
        connection.execute(sql.SQL("create database {} owner {}").format(*map(sql.Identifier, (DATABASE, OWNER))))
    migrate(server.conninfo(DATABASE, user=OWNER, password=server.password), app_role=APP)
    return server.conninfo(DATABASE, user=APP, password=server.password)
