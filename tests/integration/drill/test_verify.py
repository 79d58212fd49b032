"""A recovery judged from outside, on a real pair: the figures are those that a test computes for itself."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from day2.errors import StepFailed, Unavailable
from day2.inventory.model import DrillPolicy, HealthCheck, Service
from day2.ledger import Act, Ledger, attempt
from day2.operations.dr_drill import story, verify
from day2.operations.dr_drill.verify import NotVerified, Question
from lab import postgres as lab_postgres
from tests.integration.drill.making import Living
from tests.integration.drill.probing import RUN, TARGET, Book, book, cut_replication, probing, synchronous, wait_for

pytestmark = pytest.mark.integration
POLICY = DrillPolicy(verify_writes=3, verify_timeout="PT15S", rto="PT1M", rpo="PT5S")
MARKERS = f"select coalesce(array_agg(n order by n), '{{}}') from day2_drill.marker where run = '{RUN}'"


@pytest.fixture
def made(postgres: lab_postgres.Server) -> Book:
    return book(postgres)


@pytest.fixture
def ledger(made: Book) -> Iterator[Ledger]:
    with Ledger.connect(made.conninfo) as opened:
        yield opened


@contextmanager
def step(ledger: Ledger, name: str) -> Iterator[dict[str, Any]]:
    """A step as the drill writes it down."""
    with attempt(ledger, Act(run=RUN, attempt=1, step=name, target=TARGET, try_number=1)) as outcome:
        yield outcome.measures


def declare(ledger: Ledger) -> datetime:
    with step(ledger, "declare") as measures:
        at = datetime.now(UTC)
        measures["declared_at"] = at.isoformat()
    return at


def question(pair: Living, **more: Any) -> Question:
    return Question(RUN, TARGET, pair.pair.endpoint, pair.pair.standby.server, more.pop("policy", POLICY), **more)


def fail_over(pair: Living, ledger: Ledger, *, after: float = 0.5) -> datetime:
    """Declare, crash the primary, promote the standby: without Day 2's own steps."""
    at = declare(ledger)
    with step(ledger, "fence"):
        pair.ctl(pair.pair.primary, "stop", "--mode=immediate", "--silent")
    time.sleep(after)
    with step(ledger, "promote"):
        pair.sql(pair.pair.standby, "select pg_promote(true, 60)")
    return at


def acknowledged(made: Book) -> dict[int, datetime]:
    """The probe's own list, read without the code under test."""
    with psycopg.connect(made.conninfo) as connection:
        query = "select n, answered_at from ledger.probe_sample where via = 'endpoint' and wrote and run = %s"
        return dict(connection.execute(query, (RUN,)).fetchall())


def beats(made: Book, more: int = 15) -> None:
    at = len(made.clients())
    wait_for(lambda: len(made.clients()) > at + more, f"{more} beats more")


def test_with_a_synchronous_standby_a_crash_loses_nothing(pair: Living, made: Book, ledger: Ledger) -> None:
    synchronous(pair)
    with probing(pair, made):
        beats(made)
        declared = fail_over(pair, ledger)
        began = time.time()
        told = verify.verify(ledger, question(pair))
    before = {n for n, at in acknowledged(made).items() if at < declared}
    assert len(before) > 10
    assert before <= set(pair.sql(pair.pair.standby, MARKERS))
    assert (told["lost"], told["rpo_seconds"], told["rpo_method"]) == (0, 0.0, "markers")
    assert told["acknowledged"] >= len(before)
    assert (told["timeline"], told["previous_timeline"]) == (2, 1)
    assert told["outside_writes"] >= 3
    assert 0.5 <= told["rto_seconds"] <= began - declared.timestamp() + 2


def test_the_loss_behind_a_lagging_standby_is_counted_exactly(pair: Living, made: Book, ledger: Ledger) -> None:
    with probing(pair, made):
        beats(made)
        cut_replication(pair)
        beats(made, 30)
        fail_over(pair, ledger)
        told = verify.verify(ledger, question(pair))
        there = set(pair.sql(pair.pair.standby, MARKERS))
    known = acknowledged(made)
    first = datetime.fromisoformat(told["first_write_at"])
    before = {n: at for n, at in known.items() if at < first}
    lost = sorted(n for n in before if n not in there)
    assert len(lost) >= 30
    assert told["lost"] == len(lost)
    kept = max(at for n, at in before.items() if n in there)
    assert told["rpo_seconds"] == pytest.approx((max(before.values()) - kept).total_seconds(), abs=0.001)
    assert told["rpo_seconds"] > 1
    assert told["lost_markers"] == [lost[0], lost[-1]]


def test_a_paused_replay_is_no_loss(pair: Living, made: Book, ledger: Ledger) -> None:
    with probing(pair, made):
        pair.sql(pair.pair.standby, "select pg_wal_replay_pause()")
        beats(made)
        pair.ctl(pair.pair.primary, "stop", "--mode=fast", "--silent")
        pair.sql(pair.pair.standby, "select pg_wal_replay_resume()")
        fail_over_without_fence(pair, ledger)
        told = verify.verify(ledger, question(pair))
    assert (told["lost"], told["rpo_seconds"]) == (0, 0.0)


def fail_over_without_fence(pair: Living, ledger: Ledger) -> None:
    declare(ledger)
    pair.sql(pair.pair.standby, "select pg_promote(true, 60)")


def test_the_rto_is_what_its_parts_add_up_to(pair: Living, made: Book, ledger: Ledger) -> None:
    with probing(pair, made):
        beats(made)
        declared = fail_over(pair, ledger, after=1.0)
        told = verify.verify(ledger, question(pair))
    first = min(each.answered_at for each in made.clients() if each.wrote and ", timeline 2," in each.server)
    assert told["rto_seconds"] == pytest.approx((first - declared).total_seconds(), abs=0.001)
    rows = {row["step"]: row for row in told["breakdown"]}
    assert sum(row["seconds"] for row in told["breakdown"]) == pytest.approx(told["rto_seconds"], abs=0.01)
    assert (
        {"fence", "promote"}
        <= rows.keys()
        <= {"declare", "fence", "promote", "between the steps", "until a client's write succeeded"}
    )
    assert told["orchestration_seconds"] >= 1.0, "the second between fence and promote was nobody's work"


def test_without_markers_the_loss_is_told_from_the_last_replayed_commit_or_the_recovery_point(
    pair: Living, made: Book, ledger: Ledger
) -> None:
    """An emergency: the probe begins when the primary is gone already."""
    declared = fail_over(pair, ledger, after=0)
    with step(ledger, "replay") as measures:
        measures["last_commit"] = (declared - timedelta(seconds=2.5)).isoformat()
    with probing(pair, made):
        told = verify.verify(ledger, question(pair))
        with step(ledger, "promote") as measures:
            measures["snapshot_at"] = (declared - timedelta(hours=1)).isoformat()
        rebuilt = verify.verify(ledger, question(pair, policy=POLICY.model_copy(update={"strategy": "restore"})))
    assert (told["rpo_method"], told["rpo_seconds"], told["lost"]) == ("last replayed commit", 2.5, None)
    assert (rebuilt["rpo_method"], rebuilt["rpo_seconds"], rebuilt["lost"]) == ("recovery point", 3600.0, None)
    assert told["previous_timeline"] is None


def test_a_probe_that_was_killed_is_said_to_be_not_running(
    pair: Living, made: Book, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "STALE_SECONDS", 2.0)
    with probing(pair, made):
        beats(made)
    fail_over(pair, ledger)
    with pytest.raises(Unavailable, match="the outside probe is not running: no sample for 2 s") as caught:
        verify.verify(ledger, question(pair))
    assert caught.value.transient
    assert caught.value.runbook == "The outside probe does not run"


def test_writes_that_still_go_to_the_old_server_verify_nothing(pair: Living, made: Book, ledger: Ledger) -> None:
    endpoint = replace(
        pair.pair.endpoint,
        options={"target_session_attrs": "any", "port": str(pair.pair.primary.server.port)},
        host="127.0.0.1",
    )
    policy = DrillPolicy(verify_writes=3, verify_timeout="PT3S")
    with probing(pair, made, endpoint=endpoint):
        fail_over_without_fence(pair, ledger)
        with pytest.raises(StepFailed, match=r"0 of 3 writes in a row reached .*timeline 2.* within 3.0 s") as caught:
            verify.verify(ledger, replace(question(pair), policy=policy, endpoint=endpoint))
    assert "the probe's last write went to 127.0.0.1" in caught.value.happened
    assert ", timeline 1," in caught.value.happened


def test_without_a_declaration_there_is_no_rto(pair: Living, ledger: Ledger) -> None:
    with pytest.raises(StepFailed, match="does not say when this drill was declared"):
        verify.verify(ledger, question(pair))


def test_an_assertion_that_does_not_hold_fails_and_keeps_what_was_measured(
    pair: Living, made: Book, ledger: Ledger
) -> None:
    pair.sql(pair.pair.primary, "grant select on orders to day2_drill")
    asked = [
        {"sql": "select count(*) from orders", "expect": "500"},
        {"sql": "select count(*) from orders", "expect": "501"},
        {"sql": "delete from orders", "expect": "0"},
        {"sql": "select note from orders where id = -1", "expect": "no row"},
    ]
    policy = POLICY.model_copy(update={"assertions": DrillPolicy(assertions=asked).assertions})
    with probing(pair, made):
        beats(made, 3)
        fail_over(pair, ledger)
        with pytest.raises(NotVerified, match=r"is 500, not 501; delete from orders is error: .*read-only") as caught:
            verify.verify(ledger, question(pair, policy=policy))
    assert [each["ok"] for each in caught.value.measures["assertions"]] == [True, False, False, True]
    assert caught.value.measures["lost"] == 0
    assert caught.value.measures["rto_seconds"] > 0
    assert pair.sql(pair.pair.standby, "select count(*) from orders") == 500


@contextmanager
def web(answer: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_services_are_asked_after_the_recovery_and_an_unhealthy_one_is_named(
    pair: Living, made: Book, ledger: Ledger
) -> None:
    with web(b"all is well") as address, probing(pair, made):
        good = (
            HealthCheck(kind="http", address=f"http://{address}/health", expect="well"),
            HealthCheck(kind="http", address=f"http://{address}/health", expect="200"),
            HealthCheck(kind="tcp", address=address),
            HealthCheck(kind="sql", address="orders_endpoint", expect="false"),
        )
        bad = (
            HealthCheck(kind="http", address=f"http://{address}/health", expect="503"),
            HealthCheck(kind="tcp", address="127.0.0.1:1"),
        )
        services = (Service(name="cart", health_checks=good), Service(name="search", health_checks=bad))
        fail_over(pair, ledger)
        asked = question(pair, services=services, connect=lambda connection: pair.pair.endpoint)
        with pytest.raises(
            NotVerified, match=r"search at http.*status 200.*search at 127.0.0.1:1: .*refused"
        ) as caught:
            verify.verify(ledger, asked)
    assert [(each["service"], each["ok"]) for each in caught.value.measures["health"]] == [
        *[("cart", True)] * 4, *[("search", False)] * 2,
    ]  # fmt: skip


def test_after_the_failback_every_commit_of_the_recovery_region_is_looked_for(
    pair: Living, made: Book, ledger: Ledger
) -> None:
    """One marker is taken away, as a failback that loses commits would: it must be missed."""
    with probing(pair, made):
        beats(made)
        fail_over(pair, ledger)
        with step(ledger, "verify") as measures:
            measures |= verify.verify(ledger, question(pair))
        back = replace(question(pair), expected=pair.pair.standby.server)
        assert verify.after_failback(ledger, back)["lost_by_failback"] == 0
        beats(made, 5)
        newest = max(acknowledged(made))
        pair.sql(pair.pair.standby, f"delete from day2_drill.marker where n = {newest - 2}")
        beats(made, 5)
        told = verify.after_failback(ledger, back)
    assert told["lost_by_failback"] == 1
    assert told["outside_writes_after_failback"] >= 3
