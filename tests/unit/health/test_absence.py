"""What should be there and is not: a value, with a name, also when nothing ever was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.inventory.health import THRESHOLDS, HealthPolicy
from day2.operations.health_check import absence
from day2.operations.health_check.cycle import rule_of
from day2.repository import points
from day2.repository.folder import FolderStore
from tests.unit.health.making import AT
from tests.unit.repository.builders import commit

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
POLICY = HealthPolicy()


def level(metric: str, value: float) -> str:
    limit = THRESHOLDS[metric]
    assert limit is not None
    return rule_of(limit, POLICY).level(value, standing="ok")


def point(age: timedelta, *, verified: bool = True) -> Any:
    return SimpleNamespace(taken_at=AT - age, verified=verified)


def aged(*points: Any, rpo: timedelta = DAY) -> dict[str, float]:
    return {each.metric: each.value for each in absence.aged(points, rpo=rpo, now=AT)}


@pytest.mark.parametrize("points", [(), (point(HOUR, verified=False),)])
def test_without_a_verified_point_there_are_none_and_that_is_critical(points: tuple[Any, ...]):
    assert aged(*points) == {"recovery_points": 0}
    assert level("recovery_points", 0) == "critical"
    assert level("recovery_points", 1) == "ok"


def test_the_newest_verified_one_counts_and_not_a_younger_one_that_is_not():
    found = aged(point(3 * DAY), point(12 * HOUR), point(HOUR, verified=False))
    assert found == {"recovery_points": 2, "recovery_point_age_seconds": 43200, "recovery_point_age_percent": 50}


@pytest.mark.parametrize(
    ("age", "expected"), [(DAY - timedelta(seconds=1), "ok"), (DAY, "warning"), (2 * DAY, "critical")]
)
def test_a_point_as_old_as_its_rpo_is_a_warning_and_twice_that_critical(age: timedelta, expected: str):
    assert level("recovery_point_age_percent", aged(point(age))["recovery_point_age_percent"]) == expected


def test_databases_that_nobody_declared_are_named_and_their_end_is_a_value_too():
    [found] = absence.missing(["orders", "temp_2", "temp_1"], ["orders", "billing"])
    assert (found.value, found.note) == (2, "temp_1, temp_2")
    [none] = absence.missing(["orders"], ["orders"])
    assert (none.value, none.note) == (0, "")
    assert (level("undeclared_databases", 1), level("undeclared_databases", 0)) == ("warning", "ok")


@given(st.sets(st.text(min_size=1, max_size=5)), st.sets(st.text(min_size=1, max_size=5)))
def test_nobody_is_missed_who_is_declared(there: set[str], declared: set[str]):
    [found] = absence.missing(there, declared)
    assert found.value == len(there - declared)


class Ledger:
    """Gives these entries back."""

    def __init__(self, *bodies: dict[str, Any], began: datetime | None = AT - 30 * DAY) -> None:
        self.bodies, self.began = bodies, began
        self.asked: dict[str, Any] = {}

    def entries(self, **asked: Any) -> Iterator[Any]:
        self.asked = asked
        return (SimpleNamespace(body=each) for each in self.bodies)

    def began_at(self) -> datetime | None:
        return self.began


def here(*names: str) -> Any:
    some = tuple(SimpleNamespace(name=name) for name in names)
    return SimpleNamespace(name="production", patched=some, databases=some)


def passed(*names: str, age: timedelta, verdict: str = "PASSED") -> dict[str, Any]:
    return {"verdict": verdict, "targets": {"succeeded": list(names)}, "ended": (AT - age).isoformat()}


def ages(found: dict[str, Any]) -> dict[str, float]:
    return {target: value.value / 86400 for target, (value,) in found.items()}


def test_what_was_never_drilled_counts_since_the_ledger_began():
    ledger = Ledger(
        passed("orders", age=20 * DAY), passed("orders", age=3 * DAY), passed("billing", age=HOUR, verdict="FAILED")
    )
    since = absence.since(ledger, now=AT)
    assert ages(absence.drills(ledger, here("orders", "billing"), since=since, now=AT)) == {
        "database/orders": 3,
        "database/billing": 30,
    }
    assert ledger.asked["dag"] == "dr_drill.production"


def test_a_host_that_a_scan_did_not_reach_was_not_scanned():
    def scan(*unreachable: str, age: timedelta, environment: str = "production") -> dict[str, Any]:
        return {"environment": environment, "at": (AT - age).isoformat(), "unreachable": list(unreachable)}

    ledger = Ledger(scan(age=9 * DAY), scan("web-02", age=DAY), scan(age=HOUR, environment="staging"))
    found = absence.patch_scans(ledger, here("web-01", "web-02"), since=AT - 30 * DAY, now=AT)
    assert ages(found) == {"host/web-01": 1, "host/web-02": 9}
    assert level("patch_scan_age_seconds", found["host/web-02"][0].value) == "warning"


def test_a_ledger_that_is_new_or_very_old_is_asked_for_what_it_has():
    assert absence.since(Ledger(began=None), now=AT) == AT
    assert absence.since(Ledger(began=AT - 4000 * DAY), now=AT) == AT - 732 * DAY


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_a_repository_is_asked_itself_and_a_point_counts_from_its_restore_test_on(store: FolderStore) -> None:
    first = commit(store, at=AT - 2 * DAY)
    points.attest(store, first, passed=True, at=AT - 2 * DAY, content={})
    commit(store, at=AT - HOUR)
    found = {each.metric: each.value for each in absence.recovery_points(store, "orders", rpo=DAY, now=AT)}
    assert (found["recovery_points"], found["recovery_point_age_percent"]) == (1, 200)
    assert [each.value for each in absence.recovery_points(store, "billing", rpo=DAY, now=AT)] == [0]


def test_points_of_databases_that_the_inventory_lost_are_named_and_reports_are_none(store: FolderStore) -> None:
    for database in ("orders", "gone_2", "gone_1"):
        commit(store, database)
    store.put("tuning/a_run/1-report.html", b"a report")
    [found] = absence.unowned(store, here("orders"))
    assert (found.value, found.note) == (2, "gone_1, gone_2")
    assert level("unowned_recovery_points", found.value) == "warning"
