"""Two decisions about one resource at once: one has the lease; the other decides again from what is there then."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

from day2.errors import LeaseHeld, StepFailed
from day2.ledger import Act, Ledger, attempt, leases
from day2.operations.scale_resource import attempt as scaling
from day2.operations.scale_resource import history, progress
from day2.operations.scale_resource.choose import Choice, Looked, choose
from day2.operations.scale_resource.drivers.driver import Seen
from tests.integration.ledger.conftest import Database
from tests.unit.scaling.making import AT_ONCE, Held, resource

ONE = resource()
LEASE = "production/resource/workers"
TTL = timedelta(minutes=1)


def target() -> dict[str, Any]:
    """What both plans say: they were made from the same three instances."""
    return {"name": "workers", "before": "3", "size": "4", "direction": "more", "ask": False, "blocked": "", "why": ""}


def scale(ledger: Ledger, driver: Held, run: str) -> None:
    """As the task does it: the lease, the intent, the decision once more, the step, the outcome."""
    leases.acquire(ledger, [LEASE], owner=run, ttl=TTL, reason="scale_resource")
    now = datetime.now(UTC)

    def again(seen: Seen) -> Choice:
        changed = history.last_changes(ledger, "production", since=now - ONE.cooldown, but_not_of=run)
        return choose(ONE, Looked(seen, used=90, changed=changed.get(ONE.name)), timezone="UTC", at=now)

    with attempt(ledger, Act(run=run, attempt=1, step="scale", target="workers", try_number=1)) as outcome:
        scaling.scale(driver, target(), AT_ONCE, asked_before=False, decide_again=again, measures=outcome.measures)


def test_of_two_at_once_one_takes_one_step(database: Database) -> None:
    driver, both = Held("3"), Barrier(2)

    def try_it(name: str) -> str:
        with Ledger.connect(database.app) as ledger:
            both.wait(10)
            try:
                scale(ledger, driver, f"scale_resource.production/{name}")
            except LeaseHeld:
                return "refused"
            return "took it"

    with ThreadPoolExecutor(2) as pool:
        found = sorted(pool.map(try_it, ("a", "b")))
    assert found == ["refused", "took it"]
    assert driver.asked == ["4"]


def test_the_one_that_waited_decides_again(ledger: Ledger) -> None:
    driver = Held("3")
    first, second = (f"scale_resource.production/{name}" for name in "ab")
    scale(ledger, driver, first)
    leases.release(ledger, first)
    driver.size = "3"  # as if the first one's step had been taken back by hand
    scale(ledger, driver, second)
    assert driver.asked == ["4"], "it still cools down from the first one's step"
    assert history.last_changes(ledger, "production", since=datetime.now(UTC) - TTL).keys() == {"workers"}


def test_a_worker_that_died_after_its_write_is_followed_by_one_that_only_verifies(ledger: Ledger) -> None:
    run = "scale_resource.production/killed"
    leases.acquire(ledger, [LEASE], owner=run, ttl=TTL, reason="scale_resource")
    intent = {"attempt": 1, "step": "scale", "target": "workers", "try": 1, "host": "h", "pid": 1}
    ledger.append("intent", run=run, body=intent | {"started": datetime.now(UTC).isoformat()})
    driver = Held("4")  # it wrote this, and was killed before it saw it
    before = progress.asked(list(ledger.entries(run=run)), "workers")
    measures: dict[str, Any] = {}
    with attempt(ledger, Act(run=run, attempt=1, step="scale", target="workers", try_number=2)) as outcome:
        scaling.scale(
            driver, target(), AT_ONCE, asked_before=before, decide_again=lambda _: _never(), measures=outcome.measures
        )
        measures |= outcome.measures
    assert (driver.asked, measures["decided"], measures["changed"]) == ([], "4", "changed")


def _never() -> Choice:
    raise StepFailed("a second decision would be a second step")
