"""Roles of the lab's databases: their passwords, and what each may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

# https://www.postgresql.org/docs/current/app-pgrewind.html, "Notes"
REWIND = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)

# What tuning may set where it is allowed to, as production's policy says.
TUNED_SETTINGS = (
    "work_mem",
    "maintenance_work_mem",
    "effective_cache_size",
    "random_page_cost",
    "effective_io_concurrency",
    "max_parallel_workers_per_gather",
    "default_statistics_target",
    "max_wal_size",
    "checkpoint_timeout",
    "checkpoint_completion_target",
)


@dataclass(frozen=True)
class Role:
    """A login role. `attributes` are SQL keywords of ours, never input."""

    name: str
    password: str = field(repr=False)
    attributes: str = ""
    member_of: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


def ensure_role(connection: psycopg.Connection[Any], role: Role) -> None:
    """Make the role, or bring an existing one to this password and these rights."""
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role.name,)).fetchone()
    name = sql.Identifier(role.name)
    verb = sql.SQL("ALTER" if known else "CREATE")
    # The verifier, not the password: a failing statement is written to the server's log.
    verifier = connection.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256")
    options = sql.SQL(f"LOGIN {role.attributes} PASSWORD ")
    connection.execute(sql.SQL("{} ROLE {} {}{}").format(verb, name, options, sql.Literal(verifier.decode())))
    for group in role.member_of:
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), name))
    for key, value in role.settings.items():
        statement = sql.SQL("ALTER ROLE {} SET {} = {}")
        connection.execute(statement.format(name, sql.Identifier(key), sql.Literal(value)))


def ensure_database(connection: psycopg.Connection[Any], name: str, owner: str) -> None:
    """Make a database that only its owner may connect to, unless there is one."""
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
        return
    database = sql.Identifier(name)
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(owner)))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


def backup_role(password: str) -> Role:
    """What a backup needs, and no more.

    `pg_read_all_data` reads tables but not large objects, and is stopped by row security: hence
    `lo_compat_privileges` and BYPASSRLS, which together stay well short of a superuser.
    """
    return Role(
        "day2_backup",
        password,
        attributes="REPLICATION BYPASSRLS",
        member_of=("pg_read_all_data", "pg_monitor"),
        settings={"lo_compat_privileges": "on"},
    )


def replicator_role(password: str) -> Role:
    """What the standby of the day follows its primary with, and pg_rewind reads the other server with."""
    return Role("replicator", password, attributes="REPLICATION")


def drill_role(password: str) -> Role:
    """What a drill asks and does by SQL: look, checkpoint, promote, leave and read back marker rows."""
    return Role("day2_drill", password, attributes="REPLICATION", member_of=("pg_monitor", "pg_checkpoint"))


def grant_drills(connection: psycopg.Connection[Any]) -> None:
    """Let the drill promote, and pg_rewind read files. Rights on functions belong to one database."""
    connection.execute("GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer) TO day2_drill")
    for function in REWIND:
        connection.execute(f"GRANT EXECUTE ON FUNCTION {function} TO replicator".encode())


def grant_reading(connection: psycopg.Connection[Any]) -> None:
    """Let the drill's probe write marker rows to a schema of its own and look at the orders."""
    connection.execute("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE orders TO day2_drill")
    connection.execute("GRANT USAGE ON SCHEMA shop TO day2_drill")
    connection.execute("GRANT SELECT ON shop.orders, shop.order_items TO day2_drill")


def tuning_role(password: str) -> Role:
    """Looks at all statistics. What it may change, a database gives it where it is to be tuned."""
    return Role("day2_tuning", password, member_of=("pg_monitor",))


def restore_role(password: str) -> Role:
    """Restores make extensions, languages and objects of any owner: that takes a superuser."""
    return Role("day2_restore", password, attributes="SUPERUSER")
