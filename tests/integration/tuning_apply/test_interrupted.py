"""Whatever ends a run in the middle, the next one finds what was before, or a kept change that is complete."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from day2.operations.performance_tuning import leftovers
from day2.operations.performance_tuning.attempt import attempt
from day2.operations.performance_tuning.model import Recommendation
from day2.operations.performance_tuning.settle import settle, unfinished
from day2.postgres.server import Server
from tests.integration.tuning_apply.conftest import BY_CUSTOMER, BY_ID, HOST, POLICY, Shop, recommended

CREATE = "CREATE INDEX CONCURRENTLY day2_customer ON public.orders (customer)"
DROP = "DROP INDEX CONCURRENTLY public.day2_customer"
QUICK = POLICY.model_copy(
    update={"measure": POLICY.measure.model_copy(update={"block": timedelta(seconds=0.75), "minimum_calls": 5})}
)


def item(shop: Shop) -> Recommendation:
    shop.run("select count(*), max(note) from orders where customer = 7")
    return recommended(CREATE, DROP, takes_space=2_000_000, measured_by=shop.queryids("%where customer = %"))


def notes_of(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return [tuple(json.loads(line)) for line in path.read_text().splitlines()]  # type: ignore[misc]


@pytest.fixture(scope="session")
def worker(servers_folder: Path) -> Iterator[Any]:
    """Runs one attempt in a process of its own, which is killed at the note of that name."""
    begun: list[subprocess.Popen[bytes]] = []

    def run(shop: Shop, what: Recommendation, notes: Path, *, dies_at: str) -> subprocess.Popen[bytes]:
        server = shop.server
        told = [server.host, server.port, server.user, server.dbname, server.password]
        command = (sys.executable, str(Path(__file__).with_name("worker.py")), str(notes), dies_at)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "include:."})
        assert process.stdin
        assert what.change
        process.stdin.write(json.dumps([told, what.change.measured_by]).encode())
        process.stdin.close()
        begun.append(process)
        return process

    yield run
    for each in begun:
        each.kill()
        each.wait()


@pytest.mark.parametrize(
    ("dies_at", "left", "ends_as"),
    [
        ("apply", None, None),
        ("applied", (True,), None),
        ("revert", (True,), None),
        ("keep", None, (True,)),
        ("kept", (True,), (True,)),
    ],
)
def test_a_worker_killed_at_any_point_leaves_what_the_next_run_puts_in_order(
    shop: Shop, worker: Any, tmp_path: Path, dies_at: str, left: Any, ends_as: Any
) -> None:
    what, notes = item(shop), tmp_path / "notes"
    with shop.load(BY_CUSTOMER, rate=50):
        assert worker(shop, what, notes, dies_at=dies_at).wait(timeout=60) == -signal.SIGKILL
    assert shop.index("day2_customer") == left
    noted = notes_of(notes)
    done = settle(shop.server, what, noted, QUICK)
    assert shop.index("day2_customer") == ends_as
    assert leftovers.find(shop.server) == []
    if dies_at == "kept":
        assert done is None, "it had ended"
    else:
        assert done
        assert done["outcome"] == ("kept" if dies_at == "keep" else "interrupted")
    again = settle(shop.server, what, noted, QUICK)
    assert (again is None, shop.index("day2_customer")) == (dies_at == "kept", ends_as)


def test_a_worker_killed_while_its_index_is_built_leaves_nothing_behind(
    shop: Shop, worker: Any, tmp_path: Path
) -> None:
    what, notes = item(shop), tmp_path / "notes"
    with shop.runs.connect(shop.dbname) as holder, shop.load(BY_CUSTOMER, rate=50):
        process = worker(shop, what, notes, dies_at="the build")
        while not notes.exists() or not notes_of(notes):
            time.sleep(0.01)
            holder.execute("rollback")
            holder.execute("begin isolation level repeatable read")
            holder.execute("select count(*) from orders")
        while shop.index("day2_customer") is None and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
        holder.execute("rollback")
    assert [phase for phase, _ in notes_of(notes)] == ["apply"]
    done = settle(shop.server, what, notes_of(notes), QUICK)
    assert done
    assert done["outcome"] == "interrupted"
    assert shop.index("day2_customer") is None
    assert shop.run("select count(*) from pg_stat_activity where application_name = 'day2 tuning'") == [(0,)]


def test_a_kept_index_that_was_half_built_again_is_completed(shop: Shop) -> None:
    result = {"outcome": "kept", "decision": "it helped"}
    shop.run("create index day2_customer on orders (customer)")
    shop.run("update pg_index set indisvalid = false where indexrelid = 'day2_customer'::regclass")
    notes = [("apply", {"before": {}}), ("keep", {"before": {}, "result": result})]
    done = settle(shop.server, recommended(CREATE, DROP), notes, QUICK)
    assert done
    assert (done["outcome"], done["decision"]) == ("kept", "it helped (completed after an interruption)")
    assert shop.index("day2_customer") == (True,)


def test_counters_reset_in_the_middle_are_no_measurement(shop: Shop) -> None:
    def note(phase: str, facts: Any) -> None:
        shop.note(phase, facts)
        if phase == "applied":
            threading.Timer(0.8, lambda: shop.run("select pg_stat_statements_reset()")).start()

    with shop.load(BY_CUSTOMER, rate=50):
        done = attempt(shop.server, item(shop), POLICY, host=HOST, note=note)
    assert done["outcome"] == "unmeasured"
    assert "with the change pg_stat_statements was reset" in done["decision"]
    assert shop.index("day2_customer") is None
    assert not unfinished(shop.notes)


def test_a_server_restarted_in_the_middle_is_no_measurement_and_the_change_is_taken_back(shop: Shop) -> None:
    def restart() -> None:
        shop.runs.stop("fast")
        shop.runs.start()

    restarting = threading.Timer(0.8, restart)

    def note(phase: str, facts: Any) -> None:
        shop.note(phase, facts)
        if phase == "applied":
            restarting.start()

    with shop.load(BY_CUSTOMER, BY_ID, rate=80, survives=False):
        done = attempt(shop.server, item(shop), POLICY, host=HOST, note=note)
    restarting.join()
    assert done["outcome"] == "unmeasured", done["decision"]
    assert "the server went away in the middle" in done["decision"]
    assert shop.index("day2_customer") is None


def test_a_standby_takes_no_changes(shop: Shop, servers_folder: Path) -> None:
    from lab import postgres as lab_postgres
    from tests.integration.conftest import PASSWORD

    standby = lab_postgres.free_standing(
        "tuned-standby",
        servers_folder,
        password=PASSWORD,
        settings={**shop.runs.settings, "primary_conninfo": shop.runs.conninfo().replace("\\", "\\\\")},
    )
    standby.create_standby(shop.runs.conninfo())
    try:
        standby.start()
        server = Server(shop.server.host, standby.port, "postgres", shop.dbname, PASSWORD)
        done = attempt(server, recommended(CREATE, DROP), POLICY, host=HOST, note=shop.note)
    finally:
        standby.kill()
    assert done["outcome"] == "deferred"
    assert "it is a standby" in done["decision"]
    assert shop.notes == []
