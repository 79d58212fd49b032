"""The outside probe on a real pair: what it says happened is what happened."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from day2.ledger.probe import Sample
from day2.operations.dr_drill import attempt, samples
from day2.operations.dr_drill.pair import Node
from lab import postgres as lab_postgres
from lab.faults import Proxy
from tests.integration.drill.making import Living
from tests.integration.drill.probing import RUN, Book, book, probing, process, synchronous, wait_for

pytestmark = pytest.mark.integration
MARKERS = f"select coalesce(array_agg(n order by n), '{{}}') from day2_drill.marker where run = '{RUN}'"


@pytest.fixture
def made(postgres: lab_postgres.Server) -> Book:
    return book(postgres)


def promote(pair: Living) -> None:
    """As somebody does who forgot to fence."""
    pair.sql(pair.pair.standby, "select pg_promote(true, 60)")


def kill(pair: Living) -> None:
    pair.ctl(pair.pair.primary, "stop", "--mode=immediate", "--silent")


def test_every_acknowledged_marker_is_in_the_database_and_no_other_number_is_used(pair: Living, made: Book) -> None:
    with probing(pair, made) as probe:
        wait_for(lambda: len(made.clients()) > 20, "twenty beats")
    assert probe.measures is not None
    tries = made.clients()
    assert [each.n for each in tries] == list(range(1, len(tries) + 1))
    assert pair.sql(pair.pair.primary, MARKERS) == [each.n for each in tries if each.wrote]
    assert probe.measures["acknowledged"] == len(tries)
    assert probe.measures["split_brain"] == 0
    assert probe.measures["beats_checked"] >= len(tries) / 2, "a round takes longer than a beat only now and then"
    assert (probe.measures["refused"], probe.measures["silences"]) == (0, [])
    assert probe.measures["digest"] == samples.digest(made.samples())
    # Each write is read on the next connection, so all but the last are verified.
    assert probe.measures["verified"] == len(tries) - 1


def test_an_unfenced_primary_beside_a_promoted_standby_is_seen_as_split_brain(
    pair: Living, made: Book, caplog: pytest.LogCaptureFixture
) -> None:
    with probing(pair, made) as probe:
        promote(pair)
        at = len(made.clients())
        wait_for(lambda: len(made.clients()) > at + 10, "ten beats more")
    assert probe.measures is not None
    assert probe.measures["split_brain"] >= 4
    assert "orders: SPLIT BRAIN: orders and orders-standby take writes at once" in caplog.text


def test_a_failover_one_after_the_other_is_an_outage_and_no_split_brain(pair: Living, made: Book) -> None:
    with probing(pair, made) as probe:
        begun = time.time()
        kill(pair)
        time.sleep(1)
        promote(pair)
        wait_for(lambda: made.clients()[-1].wrote and made.clients()[-1].sent_at.timestamp() > begun + 1, "writes")
        took = time.time() - begun
    assert probe.measures is not None
    assert probe.measures["split_brain"] == 0
    assert 0.9 <= probe.measures["longest_gap_seconds"] <= took
    assert len(probe.measures["outages"]) == 1
    before, after = (next(each for each in order if each.wrote) for order in (made.clients(), made.clients()[::-1]))
    assert (samples.timeline(before.server), samples.timeline(after.server)) == (1, 2)
    assert not samples.same_server(before.server, after.server)


def test_two_servers_that_took_a_write_one_after_the_other_did_not_do_so_at_once(pair: Living) -> None:
    """A beat may straddle a whole failover: the old primary accepted at its beginning, the new one at its end."""
    together = threading.Barrier(2)

    def ask(node: Node) -> Future[Sample]:
        return pool.submit(attempt.write_directly, node.name, node.server, 1, together=together)

    with ThreadPoolExecutor(2) as pool:
        old = ask(pair.pair.primary)
        open_transactions = "select count(*) from pg_stat_activity where state = 'idle in transaction'"
        wait_for(lambda: pair.sql(pair.pair.primary, open_transactions) == 1, "the first write")
        kill(pair)
        promote(pair)
        new = ask(pair.pair.standby)
        answers = old.result(), new.result()
    assert [each.wrote for each in answers] == [False, True], [each.said for each in answers]


def test_a_probe_that_was_killed_goes_on_with_the_next_number(pair: Living, made: Book) -> None:
    with process(pair, made) as first:
        wait_for(lambda: len(made.clients()) > 20, "twenty beats")
        os.kill(first.pid, signal.SIGKILL)
        first.join(10)
    known = [each.n for each in made.clients()]
    there = pair.sql(pair.pair.primary, MARKERS)
    with probing(pair, made) as probe:
        wait_for(lambda: len(made.clients()) > len(known) + 10, "ten beats more")
    assert probe.measures is not None
    numbers = [each.n for each in made.clients()]
    assert numbers == sorted(set(numbers))
    assert numbers[: len(known)] == known
    # What the killed one wrote and could not tell is never acknowledged by mistake to the next one.
    assert not set(there) - set(known) & set(numbers[len(known) :]), "a number was used twice"
    assert set(samples.acknowledged(made.clients())) <= set(pair.sql(pair.pair.primary, MARKERS))
    assert probe.measures["refused"] == 0
    assert probe.measures["beats"] == len(numbers), "the measures are those of both tries"


def test_a_probe_told_to_terminate_writes_what_it_saw_and_then_ends_by_the_signal(pair: Living, made: Book) -> None:
    with process(pair, made) as probe:
        wait_for(lambda: len(made.clients()) > 20, "twenty beats")
        os.kill(probe.pid, signal.SIGTERM)
        probe.join(10)
        assert probe.exitcode == -signal.SIGTERM
    assert pair.sql(pair.pair.primary, MARKERS) == sorted(samples.acknowledged(made.clients()))


def test_a_ledger_that_is_away_stops_no_beat_and_misses_none(
    pair: Living, made: Book, broken_line: Callable[[int], Proxy], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "day2")
    line = broken_line(made.port)
    with probing(pair, made, conninfo=made.through(line.port)) as probe:
        line.faults.refuse = True
        line.reset()
        away = len(made.clients())
        time.sleep(5)
        assert len(made.clients()) <= away + 10
        line.faults.heal()
        wait_for(lambda: len(made.clients()) > away + 50, "the beats that were kept")
    assert probe.error is None
    assert "the probe goes on and keeps" in caplog.text
    assert "the ledger is back" in caplog.text
    tries = made.clients()
    assert [each.n for each in tries] == list(range(1, len(tries) + 1))
    assert max((b.sent_at - a.sent_at).total_seconds() for a, b in zip(tries, tries[1:], strict=False)) < 1.5
    assert pair.sql(pair.pair.primary, MARKERS) == sorted(samples.acknowledged(tries))


def test_addresses_that_swallow_everything_make_no_beat_longer_than_three_seconds(
    pair: Living, made: Book, broken_line: Callable[[int], Proxy]
) -> None:
    """Each of two hosts is given up after two seconds, the client after three in all."""
    lines = [broken_line(node.server.port) for node in pair.pair.nodes]
    ports = ",".join(str(line.port) for line in lines)
    endpoint = replace(pair.pair.endpoint, options={**pair.pair.endpoint.options, "port": ports})
    with probing(pair, made, endpoint=endpoint) as probe:
        for line in lines:
            line.faults.black_hole = True
            line.reset()
        wait_for(lambda: sum(not each.wrote for each in made.clients()) >= 3, "three refusals")
    assert probe.measures is not None
    refused = [each for each in made.clients() if not each.wrote]
    assert len(refused) >= 3
    assert max((each.answered_at - each.sent_at).total_seconds() for each in refused) < 3.5


def test_a_server_whose_network_is_gone_does_not_slow_the_clients_beats(
    pair: Living, made: Book, broken_line: Callable[[int], Proxy]
) -> None:
    line = broken_line(pair.pair.standby.server.port)
    far = replace(pair.pair.standby.server, port=line.port)
    with probing(pair, made, servers={"orders": pair.pair.primary.server, "orders-standby": far}) as probe:
        line.faults.black_hole = True
        line.reset()
        time.sleep(4)
    assert probe.measures is not None
    tries = made.clients()
    gaps = [(b.sent_at - a.sent_at).total_seconds() for a, b in zip(tries, tries[1:], strict=False)]
    assert max(gaps) < 1.5
    away = [each for each in made.samples() if each.via == "orders-standby" and "timeout" in each.said]
    assert away, "the server that does not answer was asked, and given up"


def test_a_commit_that_waits_for_a_standby_is_given_up_and_is_no_acknowledgement(pair: Living, made: Book) -> None:
    synchronous(pair)
    with probing(pair, made) as probe:
        pair.ctl(pair.pair.standby, "stop", "--mode=fast", "--silent")
        wait_for(lambda: sum(not each.wrote for each in made.clients()) >= 3, "three refusals")
        waiting = pair.sql(pair.pair.primary, "select count(*) from pg_stat_activity where wait_event = 'SyncRep'")
        assert waiting <= 1, "sessions that wait for the standby pile up"
    assert probe.measures is not None
    refused = [each for each in made.clients() if not each.wrote]
    assert len(refused) >= 3
    assert {each.said for each in refused} <= {"no answer within 2.0 s"}, [each.said for each in refused]
    assert max((each.answered_at - each.sent_at).total_seconds() for each in refused) < 3.5


def test_a_commit_that_somebody_cancelled_while_it_waited_is_no_acknowledgement(pair: Living, made: Book) -> None:
    """The server answers with success, and warns that the standby may not have it."""
    synchronous(pair)
    cancel = "select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep'"
    with probing(pair, made):
        pair.ctl(pair.pair.standby, "stop", "--mode=fast", "--silent")
        wait_for(lambda: pair.sql(pair.pair.primary, cancel), "a session to cancel")
        wait_for(lambda: not made.clients()[-1].wrote, "a refusal")
    assert {each.said for each in made.clients() if each.said.startswith("committed, but: canceling wait")}


def test_a_server_that_refuses_writes_to_the_role_is_told_in_its_own_words(pair: Living, made: Book) -> None:
    with probing(pair, made) as probe:
        pair.sql(pair.pair.primary, "revoke insert on day2_drill.marker from day2_drill")
        pair.sql(pair.pair.primary, "alter table day2_drill.marker owner to postgres")
        wait_for(lambda: not made.clients()[-1].wrote, "a refusal")
    assert probe.measures is not None
    last: Any = made.clients()[-1]
    assert "permission denied" in last.said
