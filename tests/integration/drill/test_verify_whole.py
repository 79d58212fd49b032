"""A whole drill with its real steps, beside an application that keeps a list of its own: the figures agree."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from day2 import validation
from day2.inventory.model import DrillPolicy
from day2.ledger import Act, Ledger, attempt, evidence
from day2.operations.dr_drill import clear_up, facts, fence, promote, rejoin, switch_back, verify
from day2.operations.dr_drill.pair import Node
from day2.operations.dr_drill.verify import Question
from lab import postgres as lab_postgres
from tests.integration.drill.making import PASSWORD, Living
from tests.integration.drill.probing import RUN, TARGET, Book, book, cut_replication, probing, wait_for

pytestmark = pytest.mark.integration
POLICY = DrillPolicy(verify_writes=3, verify_timeout="PT30S", rto="PT1M", rpo="PT1M")
# How far apart two clients may see the same moment: each looks every tenth of a second, on a busy machine.
APART = 1.5


@dataclass
class Application:
    """A writer that knows nothing of Day 2: the rows it was told were committed, and when."""

    conninfo: str
    acknowledged: dict[int, datetime] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        number = 0
        while not self.stopped.wait(0.1):
            number += 1
            try:
                with psycopg.connect(self.conninfo, autocommit=True, connect_timeout=2) as connection:
                    connection.execute("insert into application values (%s)", (number,))
                    self.acknowledged[number] = datetime.now(UTC)
            except psycopg.Error:
                continue

    def outage(self, around: datetime) -> float:
        """Seconds between its last commit before a moment and its first one after."""
        times = list(self.acknowledged.values())
        return (min(t for t in times if t >= around) - max(t for t in times if t < around)).total_seconds()


@contextmanager
def application(pair: Living) -> Iterator[Application]:
    pair.sql(pair.pair.primary, "create table application (n bigint primary key)")
    ports = ",".join(str(node.server.port) for node in pair.pair.nodes)
    hosts = f"host=127.0.0.1,127.0.0.1 port={ports} user=postgres password={PASSWORD} dbname=orders"
    made = Application(f"{hosts} target_session_attrs=read-write")
    thread = threading.Thread(target=made.work)
    thread.start()
    try:
        wait_for(lambda: len(made.acknowledged) > 5, "the application's first commits")
        yield made
    finally:
        made.stopped.set()
        thread.join(10)


@dataclass
class Drill:
    """The steps as the graph makes them, written down in the ledger as it does."""

    pair: Living
    ledger: Ledger

    def step(self, name: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        with attempt(self.ledger, Act(run=RUN, attempt=1, step=name, target=TARGET, try_number=1)) as outcome:
            outcome.measures |= json.loads(json.dumps(do()))
        return outcome.measures

    def question(self, expected: Node) -> Question:
        return Question(RUN, TARGET, self.pair.pair.endpoint, expected.server, POLICY)

    def forward(self, mode: Any) -> dict[str, Any]:
        """To the standby. Returns what `verify` measured."""
        pair = self.pair.pair
        self.step("declare", lambda: {"declared_at": datetime.now(UTC).isoformat(), "readiness_red": 0})
        self.step("fence", lambda: fence.fence(pair, mode=mode, crashed_ok=False))
        self.step("replay", lambda: promote.replay(pair, seconds=30))
        self.step("promote", lambda: promote.promote(pair, seconds=30))
        return self.step("verify", lambda: verify.verify(self.ledger, self.question(pair.standby)))

    def back(self) -> dict[str, Any]:
        """To the primary of normal times. Returns what was measured of it."""
        pair = self.pair.pair
        self.step("rejoin", lambda: rejoin.rejoin(pair, seconds=60))
        return self.step("switch_back", self._switch_back)

    def _switch_back(self) -> dict[str, Any]:
        pair = self.pair.pair
        told = switch_back.switch_back(pair, seconds=60, route=lambda node: {"kind": "multi_host"})
        return told | verify.after_failback(self.ledger, self.question(pair.primary))


@pytest.fixture
def made(postgres: lab_postgres.Server) -> Book:
    return book(postgres)


@pytest.fixture
def ledger(made: Book) -> Iterator[Ledger]:
    with Ledger.connect(made.conninfo) as opened:
        yield opened


def present(pair: Living, node: Node) -> set[int]:
    return set(pair.sql(node, "select array_agg(n) from application"))


def test_a_whole_drill_passes_every_check_and_agrees_with_the_applications_own_list(
    pair: Living, made: Book, ledger: Ledger
) -> None:
    drill = Drill(pair, ledger)
    with application(pair) as writer, probing(pair, made, every=0.1) as probe:
        told = drill.forward("fast")
        time.sleep(1)
        back = drill.back()
        time.sleep(1)
    drill.step("watch", lambda: probe.measures or {})
    drill.step("clear_up", lambda: clear_up.clear_up(pair.pair, RUN))

    measured = evidence.gather(list(ledger.entries(run=RUN))).measures[TARGET]
    result = validation.run([facts.row(TARGET, measured, POLICY, mode="drill")], facts.SUITE)
    assert [each.line() for each in result.checks if not each.passed] == []
    assert writer.acknowledged.keys() <= present(pair, pair.pair.primary)
    assert (told["lost"], back["lost_by_failback"]) == (0, 0)
    first, second = measured["watch"]["outages"][:2]
    for gap in (first, second):
        own = writer.outage(datetime.fromisoformat(gap["from"]) + timedelta(seconds=gap["seconds"] / 2))
        assert gap["seconds"] == pytest.approx(own, abs=APART), measured["watch"]["outages"]
    assert told["rto_seconds"] >= first["seconds"] - APART


def test_the_loss_of_a_crash_behind_a_lagging_standby_agrees_with_the_applications_own_list(
    pair: Living, made: Book, ledger: Ledger
) -> None:
    with application(pair) as writer, probing(pair, made, every=0.1):
        cut_replication(pair)
        time.sleep(3)
        told = Drill(pair, ledger).forward("immediate")
        time.sleep(0.5)
    there = present(pair, pair.pair.standby)
    lost = writer.acknowledged.keys() - there
    assert len(lost) > 10
    assert told["lost"] == pytest.approx(len(lost), rel=0.5), "two writers of the same rhythm"
    # What is there with a higher number was written to the promoted server.
    kept = max(n for n in there if n < min(lost))
    seconds = (writer.acknowledged[max(lost)] - writer.acknowledged[kept]).total_seconds()
    assert told["rpo_seconds"] == pytest.approx(seconds, abs=APART)
