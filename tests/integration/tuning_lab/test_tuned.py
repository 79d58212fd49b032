"""The whole way, on the lab's database under its load: found, tried, kept or reverted, judged, and told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from day2 import inventory, validation
from day2.inventory import TuningPolicy
from day2.operations.performance_tuning import afterwards, facts_frame, report, story, tuning_csv
from day2.operations.performance_tuning.advise import advise
from day2.operations.performance_tuning.afterwards import Standing
from day2.operations.performance_tuning.attempt import attempt
from day2.operations.performance_tuning.collect import collect
from day2.operations.performance_tuning.configured import thresholds
from day2.operations.performance_tuning.facts_frame import Afterwards
from day2.operations.performance_tuning.hypothetical import weigh
from day2.operations.performance_tuning.model import Advice
from day2.operations.performance_tuning.ready import Disk, Host
from day2.operations.performance_tuning.story import Tried
from day2.postgres.server import Server
from lab.ports import LOOPBACK
from lab.tunable import DATABASE, Bazaar

from .conftest import PASSWORD

LOADED_SECONDS = 15
HELPS, HARMS = "missing_index:bazaar.orders (customer_id)", "missing_index:bazaar.clicks (page_id)"
GB = 1024**3


@dataclass(frozen=True)
class Tuned:
    """What two attempts left, and how long a customer's page took before and after, by pgbench's own clock."""

    policy: TuningPolicy
    advice: Advice
    tried: dict[str, Tried]
    before: float
    after: float
    records: list[dict[str, Any]]
    standing: Standing
    afterwards: Afterwards
    indexes: dict[str, bool]


@pytest.fixture(scope="module")
def tuned(bazaar: Bazaar) -> Iterator[Tuned]:
    policy = _policy()
    bazaar.start()
    bazaar.release()
    time.sleep(LOADED_SECONDS)
    server = Server(LOOPBACK, bazaar.server.port, "day2_tuning", DATABASE, PASSWORD)
    limits = thresholds(policy.find)
    advice = advise(weigh(server, collect(server), limits), limits)
    chosen = [each for each in advice.recommendations if each.key in (HELPS, HARMS)]
    before, standing = bazaar.latency("customer", calls=50), afterwards.standing(server)
    host = Host(cpus=2, disk=lambda: Disk(100 * GB, 50 * GB))
    made = [attempt(server, each, policy, host=host, note=_unnoted) for each in chosen]
    # As the ledger would give them back.
    records = json.loads(json.dumps(made))
    after, seen = bazaar.latency("customer", calls=50), afterwards.look(server, records, before=standing, settled=[])
    tried = {each["key"]: story.tried(DATABASE, datetime.now(UTC).isoformat(), each) for each in records}
    yield Tuned(policy, advice, tried, before, after, records, standing, seen, bazaar.indexes())
    bazaar.stop()


def _policy() -> TuningPolicy:
    environment = next(each for each in inventory.environments() if each.name == "production")
    policy = environment.tuning_policy(environment.database(DATABASE))
    measure = policy.measure.model_copy(update={"block": timedelta(seconds=8)})
    # The machine of a test may be busy with other tests.
    return policy.model_copy(update={"measure": measure, "low_load": 100.0})


def _unnoted(_step: str, _details: Any) -> None:
    """A run notes each step in the ledger; here nobody takes up what is left."""


def test_the_index_that_helps_is_kept_and_a_clock_of_its_own_says_the_same(tuned: Tuned) -> None:
    helped = tuned.tried[HELPS]
    assert helped.outcome == "kept", helped.decision
    blocks = helped.effect("blocks")
    assert blocks is not None
    assert blocks.share is not None
    assert blocks.share < -0.9
    assert tuned.after < tuned.before / 3
    assert tuned.indexes["day2_orders_customer_id"]


def test_the_index_that_makes_writing_dearer_is_reverted_and_gone(tuned: Tuned) -> None:
    harmed = tuned.tried[HARMS]
    assert harmed.outcome == "reverted", harmed.decision
    assert [each.says for each in harmed.guards if each.worse and "WAL" in each.says], harmed.guards
    assert not any("clicks" in name for name in tuned.indexes)


def test_both_are_judged_good_by_the_suites(tuned: Tuned) -> None:
    assert tuned.afterwards == Afterwards(0, False, 0, 0, 0, {HELPS: True, HARMS: True})
    tried = list(tuned.tried.values())
    database = facts_frame.database_row(DATABASE, tuned.advice, tried, afterwards=tuned.afterwards, policy=tuned.policy)
    changes = facts_frame.change_rows(
        tried, afterwards=tuned.afterwards, policy=tuned.policy, allowed=dict.fromkeys(tuned.tried, True)
    )
    for rows, suite in (([database], facts_frame.SUITE), (changes, facts_frame.CHANGE_SUITE)):
        result = validation.run(rows, suite)
        assert result.passed, result.report()


def test_a_change_that_somebody_took_back_meanwhile_is_noticed(bazaar: Bazaar, tuned: Tuned) -> None:
    server = Server(LOOPBACK, bazaar.server.port, "day2_tuning", DATABASE, PASSWORD)
    with bazaar.server.connect(DATABASE) as connection:
        connection.execute("DROP INDEX bazaar.day2_orders_customer_id")
        connection.execute("ALTER SYSTEM SET max_connections = 90")
        connection.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 10
    while afterwards.standing(server).pending == tuned.standing.pending and time.monotonic() < deadline:
        time.sleep(0.1)
    seen = afterwards.look(server, tuned.records, before=tuned.standing, settled=[True, False])
    assert seen.as_meant == {HELPS: False, HARMS: True}
    assert (seen.pending_restart, seen.interrupted, seen.put_in_order, seen.restarted) == (1, 2, 1, False)


def test_the_page_tells_both_with_their_plots_and_what_is_left(tuned: Tuned) -> None:
    told = story.Story(
        "production", "platform", tuned.policy.mode, "performance_tuning.production/test", datetime.now(UTC),
        (tuned.advice,), tuple(tuned.tried.values()),
    )  # fmt: skip
    page = report.render(told).decode()
    assert "1 of 2 changes tried was kept" in page
    assert page.count('<svg class="plot"') == 3
    assert len(tuning_csv.rows(told).splitlines()) == 1 + len(tuned.advice.recommendations)
    assert all(each.object not in HELPS for _, each in told.left if each.kind == "missing_index")
