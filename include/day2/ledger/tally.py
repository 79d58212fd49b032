"""How often each operation ended with which verdict, counted on from where the last count ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from day2.ledger.connection import translated
from day2.ledger.store import Ledger

# A look every few minutes is most of all records, and its age is told by its samples.
BUSY = "health_check"
ENDS = """
    select (select max(seq) from ledger.entry), (select recorded_at from ledger.entry order by seq limit 1)
"""
COUNT = r"""
    select body::jsonb ->> 'operation', body::jsonb ->> 'verdict', count(*), max(recorded_at)
      from ledger.entry
     where kind = 'record' and seq > %s and seq <= %s and split_part(run, '.', 1) <> %s
       and body::jsonb ->> 'environment' = %s
     group by 1, 2
"""


@dataclass(frozen=True)
class Tally:
    """Records of an environment by (operation, verdict): how many, and the newest one's time. `upto` is an entry."""

    upto: int = 0
    began: datetime | None = None
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    newest: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


def tally(ledger: Ledger, environment: str, before: Tally | None = None) -> Tally:
    """The verdicts of every operation but health checks, since the ledger began. `before` is what is counted already.

    A ledger that is shorter than that is another one: it is counted from its beginning.
    """
    last, began = _rows(ledger, ENDS)[0]
    start = before if before and before.upto <= (last or 0) and before.began == _moment(began) else Tally()
    counts, newest = dict(start.counts), dict(start.newest)
    for operation, verdict, more, at in _rows(ledger, COUNT, start.upto, last or 0, BUSY, environment):
        counts[operation, verdict] = counts.get((operation, verdict), 0) + more
        newest[operation, verdict] = datetime.fromisoformat(at)
    return Tally(last or 0, _moment(began), counts, newest)


def _rows(ledger: Ledger, query: str, *values: Any) -> list[Any]:
    with translated():
        return ledger.connection.execute(query.encode(), values).fetchall()


def _moment(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
