"""A connection to the ledger's database, and its errors in our words, never with the password in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from day2.errors import PlanRefused, StepFailed, Unavailable

if TYPE_CHECKING:
    from psycopg import Connection

# A server that vanished is noticed in half a minute, not after the kernel's two hours.
DEFAULTS = {
    "application_name": "day2",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",
}
TRY_AGAIN = "check that the ledger's server runs and that the connection names it, then try again"


def connect(conninfo: str, *, autocommit: bool = True) -> Connection[Any]:
    """Open a connection from a libpq connection string or URL. Raises Unavailable, without the password."""
    import psycopg

    settings = DEFAULTS | _parse(conninfo)
    where = f"{settings.get('host', 'the default host')}:{settings.get('port', '5432')}/{settings.get('dbname', '')}"
    try:
        # Plain statements, so that a pooler between us and the server changes nothing.
        return psycopg.connect(**settings, autocommit=autocommit, prepare_threshold=None)
    except psycopg.OperationalError as error:
        reason = _scrubbed(str(error), settings.get("password"))
    # Outside of the except block: the driver's own error is not even chained.
    raise Unavailable(f"the ledger cannot be reached: {reason}", target=where, next_step=TRY_AGAIN)


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the ledger's server as errors of ours."""
    from psycopg import Error, OperationalError, errors

    missing = (errors.InvalidSchemaName, errors.UndefinedTable, errors.UndefinedFunction)
    try:
        yield
    except missing as error:
        raise StepFailed(
            f"the ledger's database is not prepared: {_first_line(error)}",
            left="nothing was written to the ledger",
            next_step="run `day2.ledger.migrate` as the ledger's owner",
        ) from error
    except errors.InsufficientPrivilege as error:
        raise StepFailed(
            f"the ledger refused: {_first_line(error)}",
            left="the ledger is unchanged",
            next_step="connect as the application's role, which may append and read",
        ) from error
    except OperationalError as error:
        raise Unavailable(
            f"the ledger stopped answering: {_first_line(error)}",
            left="the last entry may or may not be in the ledger",
            next_step=TRY_AGAIN,
        ) from error
    except Error as error:
        raise StepFailed(f"the ledger refused: {_first_line(error)}", left="the ledger is unchanged") from error


def _parse(conninfo: str) -> dict[str, Any]:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        settings = conninfo_to_dict(conninfo)
    except ProgrammingError:
        settings = None  # libpq's message quotes the string, the password with it
    if settings is None or "@" in str(settings.get("host", "")):
        raise PlanRefused(
            "the ledger's connection string cannot be read (it is not shown: it may hold a password)",
            left="nothing was touched",
            next_step="in a URL write @ as %40, / as %2F, % as %25; in `key=value` quote a value with spaces",
        )
    return settings


def _scrubbed(message: str, password: str | None) -> str:
    line = " ".join(message.split())
    return line.replace(password, "***") if password else line


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
