"""Nobody is told while an operation works, or the policy says so; every silence ends by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from day2.inventory.health import HealthPolicy, Silence
from day2.ledger import leases
from day2.ledger.leases import Lease
from day2.operations.health_check import silence
from tests.unit.health.making import AT, MINUTE

POLICY = HealthPolicy(
    silences=(
        Silence(
            targets=("host/web-01", "service/shop"), since=AT, until=AT + 60 * MINUTE, reason="moved to another rack"
        ),
    )
)


def why(target: str, *, policy: HealthPolicy = POLICY, now: datetime = AT, **working: str) -> str:
    return silence.of(policy, {name.replace("_", "/"): what for name, what in working.items()}, now=now)(target)


@pytest.mark.parametrize(
    ("minutes", "silent"), [(-1, False), (0, True), (59, True), (60, False), (61, False)], ids=lambda each: str(each)
)
def test_a_silence_begins_and_ends_to_the_minute(minutes: int, silent: bool):
    said = why("host/web-01", now=AT + minutes * MINUTE)
    assert bool(said) == silent
    assert not said or said == f"moved to another rack (until {(AT + 60 * MINUTE).isoformat()})"


def test_only_what_is_named_is_silent():
    assert why("service/shop") != ""
    assert why("host/web-02") == ""


def test_a_standby_is_silent_with_its_database():
    assert why("standby/orders", database_orders="dr_drill") == "dr_drill is at work on it"
    assert why("database/orders", database_orders="dr_drill") == "dr_drill is at work on it"
    assert why("host/orders", database_orders="dr_drill") == ""


def test_who_is_at_work_is_told_before_a_planned_silence():
    assert why("host/web-01", **{"host_web-01": "security_patching"}) == "security_patching is at work on it"


def held(*leased: tuple[str, bool]) -> list[Lease]:
    return [Lease(target, "run", "security_patching 12ab", AT, AT, expired) for target, expired in leased]


def test_a_lease_of_another_environment_or_one_that_expired_silences_nothing(monkeypatch: pytest.MonkeyPatch):
    found = held(
        ("production/host/web-01", False), ("production/host/web-02", True), ("production-eu/host/web-03", False)
    )
    monkeypatch.setattr(leases, "held", lambda _ledger: found)
    assert silence.at_work(None, "production") == {"host/web-01": "security_patching"}


@given(st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)))
def test_no_silence_is_for_ever(later: timedelta):
    assert bool(why("host/web-01", now=AT + later)) == (timedelta(0) <= later < 60 * MINUTE)
