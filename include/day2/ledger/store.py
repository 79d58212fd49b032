"""Append to the ledger, and read it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from day2.errors import Unavailable
from day2.ledger import entries
from day2.ledger.canonical import canonical, timestamp
from day2.ledger.chain import Link
from day2.ledger.connection import connect, translated
from day2.ledger.redact import redacted

if TYPE_CHECKING:
    from psycopg import Connection

PATIENCE = 60  # seconds to wait for a server that was there before
PAGE = 500  # entries held in memory at once while reading

APPEND = "select seq, recorded_at, kind, run, body, prev_hash, hash from ledger.append(%s, %s, %s)"

# One page of entries in order. Pages by key, not by cursor: no transaction stays open while the reader
# works, and what was read cannot change.
READ = """
    select seq, recorded_at, kind, run, body, prev_hash, hash
      from ledger.entry
     where seq > %(after)s and seq <= %(upto)s
       and (%(kind)s::text is null or kind = %(kind)s)
       and (%(run)s::text is null or run = %(run)s)
       and (%(dag)s::text is null or starts_with(run, %(dag)s || '/'))
       and (%(since)s::text is null or recorded_at >= %(since)s)
       and (%(until)s::text is null or recorded_at < %(until)s)
     order by seq
     limit %(page)s
"""
HEAD = """
    select seq, recorded_at, kind, run, body, prev_hash, hash from ledger.entry
     where %(until)s::text is null or recorded_at < %(until)s order by seq desc limit 1
"""
SAME = """
    select seq, recorded_at, kind, run, body, prev_hash, hash from ledger.entry
     where seq > %s and kind = %s and run = %s and body = %s order by seq limit 1
"""


@dataclass(frozen=True)
class Entry:
    """One fact in the ledger. `recorded_at` is the database's clock in UTC, as it was hashed."""

    seq: int
    recorded_at: str
    kind: str
    run: str
    body: dict[str, Any]
    prev_hash: str
    hash: str

    @classmethod
    def of(cls, link: Link) -> Self:
        """The entry a stored link holds."""
        body = json.loads(link.body)
        return cls(link.seq, link.recorded_at, link.kind, link.run, body, link.prev_hash, link.hash)


class Ledger:
    """One connection to the ledger, with the rights to append and to read. A context manager."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection = connect(conninfo)
        self._seen = 0  # the highest entry known to exist, so that a repeated append finds its first try
        with self._closed_on_error():
            self.head()

    @classmethod
    def connect(cls, conninfo: str) -> Self:
        """Open the ledger from a libpq connection string or URL. Raises Unavailable, StepFailed."""
        return cls(conninfo)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Safe to repeat."""
        self._connection.close()

    @property
    def connection(self) -> Connection[Any]:
        """The connection, in autocommit mode; opened again if the server closed it meanwhile.

        A server that restarts gets a minute: hours of work must not lose their outcome to it.
        """
        deadline = time.monotonic() + PATIENCE
        while self._connection.broken:
            try:
                self._connection = connect(self._conninfo)
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)
        return self._connection

    def append(self, kind: str, *, run: str, body: Mapping[str, Any]) -> Entry:
        """Append one entry and return it as stored, secrets masked.

        A connection that broke while hours of work went by is opened again once, and the entry is not
        written twice when the first try had reached the ledger.
        """
        clean = redacted(body)
        entries.check(kind, clean)
        fields = (kind, run, canonical(clean))
        try:
            entry = self._one(APPEND, fields)
        except Unavailable:
            if not self._connection.broken:
                raise
            entry = self._one(SAME, (self._seen, *fields)) or self._one(APPEND, fields)
        assert entry is not None  # noqa: S101 -- the function returns a row or raises
        return entry

    def head(self, *, until: str | None = None) -> Entry | None:
        """The newest entry, now or as of a time, or None in an empty ledger."""
        return self._one(HEAD, {"until": until})

    def entries(
        self,
        *,
        kind: str | None = None,
        run: str | None = None,
        dag: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Entry]:
        """The entries in order, streamed. `since` is included, `until` is not; `dag` has those of all its runs."""
        since_text, until_text = (timestamp(each) if each else None for each in (since, until))
        return map(Entry.of, self.links(kind=kind, run=run, dag=dag, since=since_text, until=until_text))

    def links(self, **filters: str | None) -> Iterator[Link]:
        """The same as stored text, for checking and export: up to the head at the time of the first read."""
        head = self.head()
        wanted = {"kind": None, "run": None, "dag": None, "since": None, "until": None, "page": PAGE} | filters
        after, upto = 0, head.seq if head else 0
        while page := self._rows(READ, {**wanted, "after": after, "upto": upto}):
            yield from page
            after = page[-1].seq

    def began_at(self) -> datetime | None:
        """When its first entry was written; none in an empty ledger."""
        with translated():
            row = self.connection.execute("select recorded_at from ledger.entry order by seq limit 1").fetchone()
        return datetime.fromisoformat(row[0]) if row else None

    def settled_at(self) -> datetime:
        """The database's time, after every append that had begun is in: a period up to it is complete."""
        connection = self.connection
        with translated(), connection.transaction():
            connection.execute("select pg_advisory_xact_lock_shared(7422001)")
            row = connection.execute("select clock_timestamp()").fetchone()
        moment: datetime = row[0]  # type: ignore[index]
        return moment

    def _one(self, query: str, parameters: Any) -> Entry | None:
        rows = self._rows(query, parameters)
        if not rows:
            return None
        self._seen = max(self._seen, rows[0].seq)
        return Entry.of(rows[0])

    def _rows(self, query: str, parameters: Any) -> list[Link]:
        from psycopg.rows import class_row

        with translated(), self.connection.cursor(row_factory=class_row(Link)) as cursor:
            return cursor.execute(query, parameters).fetchall()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise
