"""Leases: one run at a time works on a target, across all operations, and never for ever.

The clock is the database's, so workers whose clocks differ agree on when a lease ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from day2.errors import LeaseHeld
from day2.ledger.connection import translated
from day2.ledger.store import Ledger
from day2.units import utc

if TYPE_CHECKING:
    from psycopg import Connection

HELD = """
    select target, owner, reason, taken_at, expires_at, expires_at <= clock_timestamp() as expired
      from ledger.lease where target = any(%s) order by target
"""

# Taking a target over starts its lease anew; the owner's own lease keeps its beginning.
TAKE = """
    insert into ledger.lease as held (target, owner, reason, taken_at, expires_at)
    values (%(target)s, %(owner)s, %(reason)s, clock_timestamp(), clock_timestamp() + %(ttl)s)
    on conflict (target) do update set
        taken_at = case when held.owner = excluded.owner then held.taken_at else excluded.taken_at end,
        owner = excluded.owner, reason = excluded.reason, expires_at = excluded.expires_at
    returning target, owner, reason, taken_at, expires_at, false as expired
"""
RENEW = """
    update ledger.lease set expires_at = greatest(expires_at, clock_timestamp() + %s)
     where target = any(%s) and owner = %s returning target
"""
RELEASE = "delete from ledger.lease where owner = %s returning target"
ALL = """
    select target, owner, reason, taken_at, expires_at, expires_at <= clock_timestamp() as expired
      from ledger.lease order by target
"""


@dataclass(frozen=True)
class Lease:
    """Who works on a target, why, since when and until when. An expired lease may be taken over."""

    target: str
    owner: str
    reason: str
    taken_at: datetime
    expires_at: datetime
    expired: bool


@dataclass(frozen=True)
class Taken:
    """A lease this run now has, and whose expired lease it took over, if there was one."""

    lease: Lease
    taken_over_from: Lease | None = None


def acquire(ledger: Ledger, targets: Iterable[str], *, owner: str, ttl: timedelta, reason: str) -> list[Taken]:
    """Take a lease on every target or on none; the owner's own leases are extended.

    Expired leases of others are taken over and named in the result. Raises LeaseHeld for a live one.
    """
    wanted = sorted(set(targets))
    with _alone(ledger) as connection:
        before = {lease.target: lease for lease in _leases(connection, HELD, (wanted,))}
        others = {target: lease for target, lease in before.items() if lease.owner != owner}
        if live := [lease for lease in others.values() if not lease.expired]:
            raise _refusal(live)
        values = [{"target": target, "owner": owner, "reason": reason, "ttl": ttl} for target in wanted]
        taken = [lease for each in values for lease in _leases(connection, TAKE, each)]
        return [Taken(lease, others.get(lease.target)) for lease in taken]


def renew(ledger: Ledger, targets: Iterable[str], *, owner: str, ttl: timedelta) -> None:
    """Extend the owner's leases. Raises LeaseHeld when one is lost: somebody took it over."""
    wanted = sorted(set(targets))
    with _alone(ledger) as connection:
        kept = {target for (target,) in connection.execute(RENEW, (ttl, wanted, owner)).fetchall()}
        if lost := [target for target in wanted if target not in kept]:
            now = {lease.target: lease for lease in _leases(connection, HELD, (lost,))}
            whose = "; ".join(f"{each} is {_told(now[each])}" if each in now else f"{each} is free" for each in lost)
            raise LeaseHeld(
                f"{owner} no longer has its lease: {whose}",
                target=", ".join(lost),
                left="whatever this step had done before",
                next_step="stop; check that both runs did not change the same target, then run again",
            )


def release(ledger: Ledger, owner: str) -> list[str]:
    """Give back everything the owner holds, expired or not. Returns the targets. Safe to repeat."""
    with _alone(ledger) as connection:
        return sorted(target for (target,) in connection.execute(RELEASE, (owner,)).fetchall())


def held(ledger: Ledger) -> list[Lease]:
    """Every lease there is, by target; those that expired and nobody took over are marked."""
    with translated():
        return _leases(ledger.connection, ALL, ())


@contextmanager
def _alone(ledger: Ledger) -> Iterator[Connection[Any]]:
    # One at a time for the whole table: taking leases is rare and quick, and so no two can deadlock.
    connection = ledger.connection
    with translated(), connection.transaction():
        connection.execute("select pg_advisory_xact_lock(7422003)")
        yield connection


def _leases(connection: Connection[Any], query: str, parameters: Any) -> list[Lease]:
    from psycopg.rows import class_row

    with connection.cursor(row_factory=class_row(Lease)) as cursor:
        return cursor.execute(query, parameters).fetchall()


def _refusal(live: list[Lease]) -> LeaseHeld:
    return LeaseHeld(
        "; ".join(f"{lease.target} is {_told(lease)}" for lease in live),
        target=", ".join(lease.target for lease in live),
        left="no lease was taken and nothing was touched",
        next_step=f"wait for that run to end, or until {utc(max(lease.expires_at for lease in live))}; "
        "if it is dead, its lease is taken over once it has expired",
    )


def _told(lease: Lease) -> str:
    since, until = utc(lease.taken_at), utc(lease.expires_at)
    return f"held by {lease.owner} since {since} until {until} ({lease.reason})"
