"""A small application that keeps committing orders, and remembers outside the database what it was told.

`python -m lab.writer <state folder>` reads where to connect from <state>/writer.json (both servers of the
pair: it takes the one that accepts writes, and looks again within half a second) and appends each
acknowledged commit to <state>/acknowledged.jsonl: a drill compares that file with what a server still has.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import scalar_row

from lab.files import read_json
from lab.say import say

PAUSE = 0.3
KEEP_BYTES = 20_000_000
PLACE = """
WITH placed AS (
  INSERT INTO shop.orders (customer, status, placed_at, payload)
  VALUES (%(customer)s, 'new', clock_timestamp(), jsonb_build_object('channel', 'live', 'n', %(n)s::int))
  RETURNING id, placed_at
), items AS (
  INSERT INTO shop.order_items
  SELECT id, placed_at, line, 'PR-' || (id * line %% 2000 + 1), 1, 9.99 FROM placed, generate_series(1, 2) AS line
)
SELECT id FROM placed
"""
# So that a lab left running for weeks does not fill the disk.
FORGET_EVERY = 5000
FORGET = """
WITH old AS (DELETE FROM shop.changes WHERE at < now() - interval '3 days')
DELETE FROM shop.orders WHERE payload ->> 'channel' = 'live' AND placed_at < now() - interval '3 days'
"""
RECOUNT = "UPDATE shop.customers SET tags = array_append(tags[1:3], %(tag)s) WHERE id = %(customer)s"


def main(state: Path) -> None:
    """Write until stopped; a server that is away is waited for."""
    while True:
        conninfo = read_json(state / "writer.json")["conninfo"]  # anew: the server may have moved
        try:
            with psycopg.connect(conninfo) as connection:
                say(f"connected to {connection.info.host}:{connection.info.port}")
                _write(connection, state / "acknowledged.jsonl")
        except psycopg.OperationalError as error:
            say(f"waiting for the server: {str(error).splitlines()[0]}")
            time.sleep(PAUSE)


def _write(connection: psycopg.Connection[Any], log: Path) -> None:
    for n in range(1_000_000_000):
        customer = n * 7919 % 12000 + 1
        with connection.transaction(), connection.cursor(row_factory=scalar_row) as cursor:
            order = cursor.execute(PLACE, {"customer": customer, "n": n}).fetchone()
            cursor.execute(RECOUNT, {"customer": customer, "tag": f"live-{n % 7}"})
        _acknowledge(log, order)
        if n % FORGET_EVERY == 0:
            connection.execute(FORGET)
            connection.commit()
        time.sleep(PAUSE)


def _acknowledge(log: Path, order: int | None) -> None:
    """Only after the commit came back. The file starts anew when it is big: the newest commits matter."""
    if log.exists() and log.stat().st_size > KEEP_BYTES:
        log.replace(log.with_suffix(".old.jsonl"))
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"order": order, "at": datetime.now(UTC).isoformat()}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
