"""What must hold before a host is touched: recovery points, snapshots. A gate that is missing blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from day2.errors import PlanRefused
from day2.units import duration

RUNBOOK = "A gate is closed"


@dataclass(frozen=True)
class Gate:
    """One condition about one target, as it was found."""

    name: str
    target: str
    ok: bool
    observed: str
    needed: str

    def as_dict(self) -> dict[str, Any]:
        """For a plan."""
        return asdict(self)


@dataclass(frozen=True)
class Proof:
    """The newest recovery point of a database that passed a restore test."""

    point: str
    taken_at: datetime


@dataclass(frozen=True)
class Taken:
    """What became of a host's snapshot."""

    ok: bool
    said: str


def recovery_points(
    names: Sequence[str], proofs: Mapping[str, Proof | None], *, now: datetime, max_age: timedelta
) -> Iterator[Gate]:
    """A verified recovery point of each database, younger than the policy says. None, or no answer, blocks."""
    for name in names:
        proof = proofs.get(name)
        age = now - proof.taken_at if proof else None
        seen = f"{proof.point}, {duration(age.total_seconds())} old" if proof and age is not None else "there is none"
        # A point from the future is a broken clock: its age says nothing.
        ok = age is not None and timedelta(minutes=-5) <= age <= max_age
        limit = duration(max_age.total_seconds())
        yield Gate("verified recovery point", f"database/{name}", ok, seen, f"not older than {limit}")


def snapshots(hosts: Sequence[str], taken: Mapping[str, Taken]) -> Iterator[Gate]:
    """A snapshot of each of these hosts. One that nobody reports blocks like one that failed."""
    for host in hosts:
        result = taken.get(host)
        yield Gate("snapshot", host, bool(result and result.ok), result.said if result else "nothing reported", "taken")


def require(found: Iterable[Gate]) -> tuple[Gate, ...]:
    """The gates, all open. Raises PlanRefused with every closed one."""
    gates = tuple(found)
    closed = [each for each in gates if not each.ok]
    if closed:
        raise PlanRefused(
            "; ".join(f"{each.target}: {each.name}: {each.observed} (needed: {each.needed})" for each in closed),
            left="nothing was touched",
            next_step="take and prove what is missing (a backup run proves its recovery points), then trigger again",
            runbook=RUNBOOK,
        )
    return gates
