"""The old primary comes back as a standby of the new one: by the least means, and proven."""

from __future__ import annotations

import os
import signal

from day2.operations.dr_drill import observe, rejoin
from day2.operations.dr_drill.pair import Node
from tests.integration.drill.making import Living

SECONDS = 60.0


def take_over(pair: Living) -> None:
    """Promote the standby, as the drill does."""
    pair.sql(pair.pair.standby, "select pg_promote(true, 60)")
    pair.sql(pair.pair.standby, "select pg_create_physical_replication_slot('day2_peer', true)")


def crash(pair: Living, node: Node) -> None:
    """SIGKILL the postmaster: nothing is handed over, nothing is written down."""
    pid = int((pair.home(node) / "data" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    observe.until(lambda: observe.observe(node, pair.pair.other(node)).role == "stopped", seconds=10)


def write(pair: Living, node: Node, note: str, rows: int = 1) -> None:
    """Committed rows of a kind."""
    pair.sql(node, f"insert into orders (note) select '{note}' from generate_series(1, {rows})")


def notes(pair: Living, node: Node, note: str) -> int:
    return int(pair.sql(node, f"select count(*) from orders where note = '{note}'"))


def equal(pair: Living) -> bool:
    """Whether both servers hold the same rows, once the standby has replayed them."""
    query = "select count(*) || ' ' || coalesce(sum(hashtext(o::text)), 0) from orders o"
    return observe.until(lambda: len({pair.sql(each, query) for each in pair.pair.nodes}) == 1, seconds=10)


def test_one_that_was_stopped_cleanly_just_starts_as_a_standby(pair: Living) -> None:
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    write(pair, pair.pair.standby, "after")
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert measures["means"] == "start", measures
    assert observe.now(pair.pair) == "failed_over"
    assert equal(pair)


def test_one_that_crashed_with_commits_of_its_own_is_rewound(pair: Living) -> None:
    pair.ctl(pair.pair.standby, "stop", "--mode=fast")
    write(pair, pair.pair.primary, "lost", 7)
    crash(pair, pair.pair.primary)
    pair.start(pair.pair.standby)
    take_over(pair)
    write(pair, pair.pair.standby, "after")
    measures = rejoin.rejoin(pair.pair, seconds=SECONDS)
    assert measures["means"] == "rewind", measures
    assert notes(pair, pair.pair.primary, "lost") == 0
    assert equal(pair)
    print(measures)
