"""A PostgreSQL server as a target: how to connect, and how to hand it to a program without its password."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.errors import Day2Error, StepFailed, Unavailable

if TYPE_CHECKING:
    import psycopg

# Pinned for every session, so that a value's text is the same on both sides of a comparison.
SESSION = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "statement_timeout": "0",
    # As long as pg_dump waits for a table that somebody else has locked.
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "0",
    "search_path": "",
    # A row hidden by a policy must be an error, not a smaller table.
    "row_security": "off",
}
CONNECT_TIMEOUT = 10
# Our open files by number, under the name that a program which inherits them gives them.
INHERITED = "/proc/self/fd/"


@dataclass(frozen=True)
class Server:
    """Where a database is and who we are there. The password never appears in `repr`."""

    host: str
    port: int
    user: str
    dbname: str
    password: str = field(repr=False, default="")
    options: Mapping[str, str] = field(default_factory=dict)

    def at(self, dbname: str) -> Server:
        """The same server, another database."""
        return replace(self, dbname=dbname)

    @property
    def label(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.dbname}"

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[Any]]:
        """A session with the pinned settings, autocommit. Raises Unavailable or StepFailed."""
        import psycopg

        settings = " ".join(f"-c {name}={_escaped(value)}" for name, value in SESSION.items())
        try:
            connection = psycopg.connect(self._conninfo(options=settings), autocommit=True, prepare_threshold=None)
        except psycopg.OperationalError as error:
            raise self._cannot_connect(error) from error
        try:
            yield connection
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable(
                f"{self.label}: somebody else holds a lock: {str(error).strip()}",
                left="the server rolled the open transaction back",
                next_step="find the session that holds it in pg_locks, or wait; the task retries by itself",
                runbook="A table is locked",
            ) from error
        except psycopg.OperationalError as error:
            raise Unavailable(
                f"the connection to {self.label} broke: {str(error).strip()}",
                left="the server rolled the open transaction back",
                next_step="check the server's log around this time; the task retries by itself",
                runbook="Source server stopped or unreachable",
            ) from error
        finally:
            connection.close()

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Environment for PostgreSQL's own programs: the password is in a private file, not in it.

        The file is in memory and ends with this process, also if that is killed. A program must inherit it
        (`programs.running` sees to that): Airflow shuts a task's /proc, even to the task's own user.
        """
        with os.fdopen(os.memfd_create("day2-pgpass"), "w") as file:
            os.fchmod(file.fileno(), 0o600)
            fields = (self.host, str(self.port), "*", self.user, self.password)
            file.write(":".join(_pgpass(each) for each in fields) + "\n")
            file.flush()
            inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "AIRFLOW"))}
            named = {f"PG{key.upper()}": value for key, value in self.options.items()}
            yield (
                inherited
                | named
                | {
                    "PGHOST": self.host,
                    "PGPORT": str(self.port),
                    "PGUSER": self.user,
                    "PGDATABASE": self.dbname,
                    "PGPASSFILE": f"{INHERITED}{file.fileno()}",
                    "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT),
                    "PGAPPNAME": "day2",
                    "LC_ALL": "C",
                }
            )

    def _conninfo(self, **more: str) -> str:
        from psycopg.conninfo import make_conninfo

        fields: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password or None,
            "dbname": self.dbname,
            "connect_timeout": CONNECT_TIMEOUT,
            "application_name": "day2",
        }
        return make_conninfo(**fields | dict(self.options) | more)

    def _cannot_connect(self, error: psycopg.OperationalError) -> Day2Error:
        said = str(error).strip().splitlines()[-1]
        happened = f"cannot connect to {self.label}: {said}"
        if "does not exist" in said and "database" in said:
            return StepFailed(
                happened,
                left="nothing was changed",
                next_step="the database was dropped or renamed: correct the inventory, or recreate the database",
                runbook="A database vanished",
            )
        if "authentication failed" in said or "no pg_hba.conf entry" in said or "no password supplied" in said:
            return StepFailed(
                happened,
                left="nothing was changed",
                next_step="check login and password of the Airflow connection, and pg_hba.conf on the server",
                runbook="Credentials refused",
            )
        return Unavailable(
            happened,
            left="nothing was changed by this step",
            next_step="check that the server runs and is reachable from the worker",
            runbook="Source server stopped or unreachable",
        )


@cache
def sql(name: str) -> str:
    """The statement in `sql/<name>.sql`."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()


def rows(connection: psycopg.Connection[Any], name: str, /, **values: Any) -> list[dict[str, Any]]:
    """Run a named statement with bound values; each row as a dict by column name."""
    from psycopg.rows import dict_row

    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql(name), values).fetchall()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _pgpass(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")
