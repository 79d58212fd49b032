"""A whole drill on real servers, with the real probe, suite and ledger, and what people read of it afterwards."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from day2 import validation
from day2.inventory.model import DrillPolicy
from day2.ledger import Act, Ledger, attempt, evidence
from day2.operations.dr_drill import card, corrective, facts, observe, scorecard, timeline, verify
from day2.operations.dr_drill.pair import going_back_is_free
from day2.operations.dr_drill.verify import Question
from day2.repository.folder import FolderStore
from lab import postgres as lab_postgres
from tests.integration.drill.making import Living
from tests.integration.drill.probing import RUN, TARGET, Book, Probe, book, probing, wait_for
from tests.integration.drill.stepping import steps
from tests.unit.drill.drills import Drill

POLICY = DrillPolicy(
    verify_writes=3,
    rto="PT1M",
    rpo="PT5S",
    assertions=[{"sql": "select count(*) from orders", "expect": "500"}],  # type: ignore[arg-type]
)
SHOTS = os.environ.get("DAY2_SCREENSHOTS")


@pytest.fixture
def made(postgres: lab_postgres.Server) -> Book:
    return book(postgres)


@pytest.fixture
def ledger(made: Book) -> Iterator[Ledger]:
    with Ledger.connect(made.conninfo) as opened:
        yield opened


class Story:
    """Do the steps as the graph does, each with its intent and outcome in the ledger."""

    def __init__(self, living: Living, ledger: Ledger) -> None:
        self.living, self.pair, self.ledger = living, living.pair, ledger
        self.question = Question(RUN, TARGET, self.pair.endpoint, self.pair.standby.server, POLICY)

    def tell(self, drill: Drill) -> None:
        for entry in drill.entries:
            self.ledger.append(entry.kind, run=RUN, body=entry.body)

    def step(self, name: str, measure: Any) -> None:
        with attempt(self.ledger, Act(run=RUN, attempt=1, step=name, target=TARGET, try_number=1)) as outcome:
            outcome.measures |= measure()
            now = observe.now(self.pair)
            outcome.measures |= {"state": observe.describe(self.pair), "safe_to_abort": going_back_is_free(now)}

    def declare(self) -> dict[str, Any]:
        readiness = [{"name": "state", "ok": True, "observed": "normal", "needed": "normal", "severity": "critical"}]
        return {"declared_at": datetime.now(UTC).isoformat(), "readiness": readiness, "readiness_red": 0}

    def go(self, made: Book) -> Probe:
        doing = steps()
        with probing(self.living, made) as probe:
            wait_for(lambda: len(made.clients()) > 20, "twenty beats")
            self.step("declare", self.declare)
            for name in ("fence", "replay", "promote"):
                self.step(name, lambda name=name: doing[name](self.pair))
            self.step("route", lambda: {"kind": "multi_host", "simulated": False, "seconds": 0.0})
            self.step("verify", lambda: verify.verify(self.ledger, self.question))
            self.step("rejoin", lambda: doing["rejoin"](self.pair))
            self.step("switch_back", self.switch_back)
        self.step("watch", lambda: probe.measures)
        self.step("clear_up", lambda: doing["clear_up"](self.pair))
        return probe

    def switch_back(self) -> dict[str, Any]:
        home = Question(RUN, TARGET, self.pair.endpoint, self.pair.primary.server, POLICY)
        return steps()["switch_back"](self.pair) | verify.after_failback(self.ledger, home)

    def judge(self) -> None:
        measured = evidence.gather(list(self.ledger.entries(run=RUN))).measures[TARGET]
        result = validation.run([facts.row(TARGET, measured, POLICY, mode="drill")], facts.SUITE)
        self.ledger.append("checks", run=RUN, body=result.as_dict() | {"attempt": 1})


def test_a_whole_drill_is_told_on_one_page(pair: Living, made: Book, ledger: Ledger, tmp_path: Path) -> None:
    pair.sql(pair.pair.primary, "grant select on orders to day2_drill")
    story = Story(pair, ledger)
    story.tell(Drill(1, environment="test").plan().approval().lock())
    story.go(made)
    story.judge()
    opened = corrective.write(ledger, run=RUN, attempt=1, owner="platform-team", due=timedelta(days=30))
    published = scorecard.publish(ledger, run=RUN, store=FolderStore(tmp_path / "vault"))
    (stored,) = (tmp_path / "vault").rglob("*.html")
    page = stored.read_text(encoding="utf-8")
    if SHOTS:
        (Path(SHOTS) / "real.html").write_text(page)
    told = card.gather(card.read(ledger, RUN), RUN)
    assert published.briefing[0] == "PASSED: 1 of 1 targets verified", published.briefing
    assert opened == []
    assert [each.word for each in scorecard.objectives(told.targets[0], "drill")] == ["✓ met"] * 3
    _check_plot(told.targets[0])
    _check_query(page, made, told.targets[0].measured("verify", "rto_seconds"))


def _check_plot(target: card.TargetCard) -> None:
    """Two outages, at the failover and at the failback, and every step in its lane."""
    line = timeline.build(target)
    assert line is not None
    assert set(line.lanes) >= {"declare", "fence", "replay", "promote", "verify", "rejoin", "switch_back", "clear_up"}
    assert len(line.outages) == 2
    back = next(each for each in line.bars if each.lane == "switch_back")
    assert line.outages[1].start <= back.end
    assert line.outages[1].end >= back.start
    first = next(each.at for each in line.marks if each.name == timeline.FIRST_WRITE)
    assert abs(line.outages[0].end - first) < 0.3


def _check_query(page: str, made: Book, rto: float) -> None:
    """The query printed on the page, run by somebody who has the ledger only."""
    (query,) = re.findall(r"<pre>(with tries.*?)</pre>", page, re.DOTALL)
    with psycopg.connect(made.conninfo) as connection:
        row = connection.execute(html.unescape(query)).fetchone()
    assert row is not None
    assert float(row[0]) == pytest.approx(rto, abs=0.001)
    assert row[1] >= 20
