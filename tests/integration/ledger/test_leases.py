"""Leases on a real server: all or nothing, one winner, an end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from day2.errors import LeaseHeld
from day2.ledger import Ledger, leases
from tests.integration.ledger.conftest import Database

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)
NOW = timedelta(0)  # a lease that ends as it begins


def take(ledger: Ledger, *targets: str, owner: str, ttl: timedelta = HOUR) -> list[leases.Taken]:
    return leases.acquire(ledger, targets, owner=owner, ttl=ttl, reason="test")


def test_a_lease_is_taken_seen_and_released(ledger: Ledger) -> None:
    taken = take(ledger, "database/orders", "database/billing", "database/orders", owner="a")
    assert [each.lease.target for each in taken] == ["database/billing", "database/orders"]
    assert all(each.taken_over_from is None for each in taken)
    assert leases.held(ledger) == [each.lease for each in taken]
    assert leases.release(ledger, "a") == ["database/billing", "database/orders"]
    assert leases.release(ledger, "a") == []
    assert leases.held(ledger) == []


def test_a_live_lease_of_another_refuses_all_and_says_whose_it_is(ledger: Ledger) -> None:
    take(ledger, "b", owner="dag/first")
    with pytest.raises(
        LeaseHeld, match=r"b is held by dag/first since 20.*Z until 20.*Z \(test\).*Next: wait"
    ) as caught:
        take(ledger, "a", "b", "c", owner="dag/second")
    assert caught.value.target == "b"
    assert [lease.target for lease in leases.held(ledger)] == ["b"]


def test_the_same_owner_extends_what_it_has(ledger: Ledger) -> None:
    (first,) = take(ledger, "a", owner="a", ttl=timedelta(minutes=1))
    (again,) = take(ledger, "a", owner="a", ttl=HOUR)
    assert again.taken_over_from is None
    assert again.lease.taken_at == first.lease.taken_at
    assert again.lease.expires_at > first.lease.expires_at + timedelta(minutes=50)


def test_an_expired_lease_is_taken_over_and_that_is_said(ledger: Ledger) -> None:
    (dead,) = take(ledger, "a", owner="dead", ttl=NOW)
    assert leases.held(ledger)[0].expired
    (taken,) = take(ledger, "a", owner="heir")
    assert taken.taken_over_from is not None
    assert (taken.taken_over_from.owner, taken.taken_over_from.expires_at) == ("dead", dead.lease.expires_at)
    assert taken.lease.taken_at > dead.lease.taken_at


def test_a_renewed_lease_ends_later_and_never_earlier(ledger: Ledger) -> None:
    (taken,) = take(ledger, "a", owner="a")
    leases.renew(ledger, ["a"], owner="a", ttl=timedelta(hours=2))
    (longer,) = leases.held(ledger)
    assert longer.expires_at > taken.lease.expires_at
    leases.renew(ledger, ["a"], owner="a", ttl=NOW)
    assert leases.held(ledger) == [longer]


def test_a_lost_lease_is_noticed_when_it_is_renewed(ledger: Ledger) -> None:
    take(ledger, "a", "b", "c", owner="slow", ttl=NOW)
    take(ledger, "b", owner="heir")
    with pytest.raises(LeaseHeld, match="slow no longer has its lease: b is held by heir"):
        leases.renew(ledger, ["a", "b"], owner="slow", ttl=HOUR)
    assert leases.held(ledger)[0].expired, "a lost lease renews nothing"
    leases.release(ledger, "heir")
    with pytest.raises(LeaseHeld, match="b is free"):
        leases.renew(ledger, ["b"], owner="slow", ttl=HOUR)


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_at_once_exactly_one_wins(database: Database, ledger: Ledger, expired: bool) -> None:
    if expired:
        take(ledger, "x", "y", owner="dead", ttl=NOW)
    together = Barrier(8)

    def race(number: int) -> str:
        with Ledger.connect(database.app) as own:
            together.wait(timeout=30)
            try:
                # Each names the targets in another order, which without one fixed order deadlocks.
                take(own, *(("x", "y", "z") if number % 2 else ("z", "y", "x")), owner=f"run {number}")
            except LeaseHeld:
                return "lost"
            return f"run {number}"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, range(8)))
    (winner,) = set(results) - {"lost"}
    assert results.count("lost") == 7
    assert {lease.owner for lease in leases.held(ledger)} == {winner}
