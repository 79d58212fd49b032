"""The roles a restored database needs, where the target lacks them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from day2.operations.database_restore import statements
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.supply import Supply
from day2.operations.database_restore.telling import explained
from day2.postgres import inspection
from day2.postgres.server import Server

log = logging.getLogger("day2")


@contextmanager
def present(order: Order, supplied: Supply, server: Server) -> Iterator[list[str]]:
    """Create what the target lacks; roles that are there stay as they are. Removed again if the block fails."""
    created = inspection.roles_missing(server, order.origin.described.roles)
    _create(server, _from_dump(supplied, created) if order.logins and created else _bare(created))
    if created:
        how = "as in the dump" if order.logins else "without login, only to own things"
        log.info("%s: created %d roles %s: %s", server.label, len(created), how, ", ".join(created))
    try:
        yield created
    except BaseException:
        _drop(server, created)
        raise


def _from_dump(supplied: Supply, missing: Sequence[str]) -> list[bytes]:
    return statements.roles_to_create(supplied.roles(), frozenset(missing))


def _bare(missing: Sequence[str]) -> list[bytes]:
    return [b"create role " + statements.identifier(each) + b" nologin" for each in missing]


def _create(server: Server, wanted: Sequence[bytes]) -> None:
    """All of them or none."""
    left = "no role was created, nothing was restored"
    with server.connect() as connection, explained(server.label, left=left), connection.transaction():
        for each in wanted:
            connection.execute(each)


def _drop(server: Server, created: Sequence[str]) -> None:
    """The restore failed, so what it created goes. Roles that something depends on by now stay, and say so."""
    import psycopg

    with server.connect() as connection:
        for each in created:
            try:
                connection.execute(b"drop role if exists " + statements.identifier(each))
            except psycopg.Error as error:
                log.warning("%s: the role %s stays: %s", server.label, each, str(error).splitlines()[0])
