"""What a restore works with, and the measures every destination fills."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from day2.errors import StepFailed
from day2.operations.materialize import Origin
from day2.postgres.content import DatabaseContent
from day2.repository import points
from day2.repository.points import Point
from day2.repository.store import Store

NOT_APPLICABLE = True


@dataclass(frozen=True)
class Order:
    """A point to restore, for whom, and how.

    `run` names who restores: it marks what a killed restore leaves. With `logins` the roles a target
    lacks come from the dump, with their rights and passwords; without, they are made only to own
    things: they cannot log in.
    """

    origin: Origin
    run: str
    scratch: Path | None = None
    logins: bool = False

    @property
    def content(self) -> DatabaseContent:
        """What the manifest says of the database itself; a physical point holds others beside it."""
        described = self.origin.described
        return next(each for each in described.databases if each.name == described.dbname)


def origin(store: Store, point: Point, *, identity: str | None) -> Origin:
    """Read a point's manifest. Raises StepFailed at once for a key that cannot open it."""
    described = points.manifest(store, point)
    if any(each.encryption == "age" for each in described.objects):
        _require_recipient(identity, described.recipients, target=point.database)
    return Origin(store, point, described, identity)


def blank(order: Order, *, target: str, destination: str) -> dict[str, Any]:
    """The measures of a restore that has not begun: what is not measured yet is None, which no check passes."""
    return {
        "target": target,
        "destination": destination,
        "point": order.origin.point.id,
        "engine": order.origin.described.engine,
        "snapshot_at": order.origin.described.snapshot_at.isoformat(),
        "bytes": order.origin.described.stored_bytes,
        "restore_finished": False,
        "tables_expected": None,
        "tables_compared": None,
        "tables_equal": None,
        "schema_equal": None,
        "sequences_equal": None,
        "old_data_kept": None,
        "safety_point_verified": None,
        "server_writable": None,
        "seconds": None,
        "notes": [],
    }


def _require_recipient(identity: str | None, recipients: tuple[str, ...], *, target: str) -> None:
    import pyrage

    if identity is None:
        raise StepFailed(
            "the recovery point is encrypted and no identity was given",
            target=target,
            left="nothing was touched",
            next_step=f"give the age identity of {', '.join(recipients)} (--identity, or DAY2_AGE_IDENTITY_FILE)",
            runbook="Wrong key or damaged object",
        )
    try:
        public = str(pyrage.x25519.Identity.from_str(identity.strip()).to_public())
    except pyrage.IdentityError as error:
        raise StepFailed(
            "the age identity is not an AGE-SECRET-KEY-1… line",
            target=target,
            left="nothing was touched",
            next_step="check the identity file, or the password field of the identity's connection",
            runbook="Wrong key or damaged object",
        ) from error
    if public not in recipients:
        raise StepFailed(
            f"the identity belongs to {public}, and the point was encrypted to {', '.join(recipients)}",
            target=target,
            left="nothing was touched",
            next_step="use the identity that belongs to one of those recipients",
            runbook="Wrong key or damaged object",
        )
