"""Strategy `restore`: a database comes back in the recovery region from the repository alone.

As if the primary region, the ledger and Airflow's history were gone: nothing here reads any of them. In
a drill production goes on untouched, and what was rebuilt is dropped at the end.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from day2.errors import Corrupt, Day2Error, StepFailed
from day2.inventory.model import DrillPolicy
from day2.operations import materialize
from day2.operations.database_restore import destinations, order, preflight, staged, statements
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.staged import Target
from day2.operations.dr_drill import gates
from day2.operations.dr_drill.finding import Finding
from day2.operations.dr_drill.strategy import Measures, Mode
from day2.postgres import inspection
from day2.postgres.server import Server
from day2.repository import points
from day2.repository.points import Point
from day2.repository.store import Store

log = logging.getLogger("day2")
UNTOUCHED = "a drill of this strategy leaves production alone"
BY_HAND = "move the database back with a restore in place, once the primary region is there again"


@dataclass(frozen=True)
class Rebuild:
    """One database, the repository that survives, and the server where it comes back.

    `max_age` is the recovery point objective of its backups. `missing_roles` are those the recovery
    server lacked when the plan was made: a drill drops them again. `move` takes clients there.
    """

    name: str
    policy: DrillPolicy
    mode: Mode
    store: Store
    identity: str | None
    target: Target
    max_age: timedelta
    run: str
    scratch: Path | None
    missing_roles: tuple[str, ...]
    move: Callable[[Server], Measures]

    @property
    def endpoint(self) -> Server:
        """Of a drill, the rebuilt database itself: production's clients stay where they are."""
        return self.target.server.at(self.target.name)

    @property
    def servers(self) -> dict[str, Server]:
        """Only the rebuilt one: production goes on taking writes, and should."""
        return {f"{self.name}-rebuilt": self.endpoint}

    def acting(self) -> Server:
        """The rebuilt database."""
        return self.endpoint

    def home(self) -> None:
        """Production was not touched, or is gone."""

    def readiness(self) -> list[Finding]:
        """The repository's points, the key, the room, and the recovery server."""
        found = list(
            gates.findings(
                self.store,
                self.name,
                now=datetime.now(UTC),
                max_age=self.max_age,
                max_test_age=self.policy.max_restore_test_age,
            )
        )
        try:
            chosen = self._order(self._usable()[0])
            problems = list(preflight.inspect(chosen, destination="new_database", target=self.target).problems)
        except Day2Error as error:
            return [*found, Finding(name="rebuild possible", ok=False, observed=str(error), needed="it could start")]
        told = "; ".join(problems) or f"{chosen.origin.point.id} can be restored to {self.target.label}"
        return [*found, Finding(name="rebuild possible", ok=not problems, observed=told, needed="it could start")]

    def planned(self) -> Measures:
        """The roles the recovery server lacks: a drill drops them again."""
        described = points.manifest(self.store, self._usable()[0])
        return {"missing_roles": inspection.roles_missing(self.target.server, described.roles)}

    def where(self) -> str:
        """Whether the rebuilt database is there."""
        there = "there" if self._exists() else "not there"
        return f"{self.target.label} is {there}; production is untouched"

    def safe_to_abort(self) -> bool:
        """In a drill always; otherwise until clients are moved."""
        return self.mode == "drill" or not self._exists()

    def by_hand(self) -> list[str]:
        """Restore it with the command line, which needs neither Airflow nor the ledger."""
        return [
            f"to go on: day2 restore --database {self.name} --repository {self.store.url} --to-server …",
            f"to go back: drop database {self.target.name} on {self.target.server.label}",
        ]

    def fence(self) -> Measures:
        """Nothing to stop in a drill. In an emergency the region is gone, and a person has seen to that."""
        return {"proven": True, "seconds": 0.0, "needed": False, "why": UNTOUCHED}

    def replay(self) -> Measures:
        """Nothing to wait for: a recovery point is complete, or it is not one."""
        return {"seconds": 0.0, "lag_bytes": 0, "last_commit_at": None, "needed": False}

    def promote(self) -> Measures:
        """Restore the newest verified point that is whole; a damaged one is said and passed over.

        Raises StepFailed when none is left.
        """
        if self.mode == "drill" and self._exists():
            # The name is this run's own: a killed try is done again, so that what is measured is a whole one.
            materialize.drop(self.target.server, self.target.name)
        begun, passed_over = time.monotonic(), []
        for point in self._usable():
            try:
                measures = self._restore(point)
            except (Corrupt, StepFailed) as error:
                if not self._damaged(point):
                    raise
                log.error("%s: %s is damaged and passed over: %s", self.name, point.id, error.happened)
                passed_over.append({"point": point.id, "why": error.happened})
                continue
            seconds = round(time.monotonic() - begun, 3)
            return measures | {"passed_over": passed_over, "seconds": seconds, "timeline": None, "writable": True}
        raise StepFailed(
            f"no recovery point in {self.store.url} could be restored: {passed_over}",
            target=self.name,
            left=self.where(),
            next_step="check the other repositories: day2 backup list",
            runbook="No recovery point can be restored",
        )

    def route(self) -> Measures:
        """Clients move in an emergency only."""
        if self.mode == "drill":
            return {"kind": "none", "seconds": 0.0, "simulated": False, "needed": False, "why": UNTOUCHED}
        return self.move(self.endpoint)

    def rejoin(self) -> Measures:
        """There is no old primary to take back."""
        return {"means": "none", "seconds": 0.0, "streams": True, "needed": False, "why": UNTOUCHED}

    def switch_back(self) -> Measures:
        """In a drill production never left. After an emergency the way back is a restore in place, by hand."""
        if self.mode != "drill" and self._exists():
            raise StepFailed("is not failed back by this graph", target=self.name, left=self.where(), next_step=BY_HAND)
        return {"outage_seconds": 0.0, "seconds": 0.0, "redundant": True, "needed": False, "why": UNTOUCHED}

    def settle(self) -> Measures:
        """Half-made databases of killed restores are dropped; nothing else was touched."""
        return {"dropped": staged.sweep(self.target.server), "state": self.where()}

    def clear_up(self) -> Measures:
        """Drop what a drill rebuilt, and the roles it made; an emergency keeps both."""
        dropped = list(staged.sweep(self.target.server))
        if self.mode == "drill":
            if self._exists():
                materialize.drop(self.target.server, self.target.name)
                dropped.append(self.target.name)
            self._drop_roles()
        log.info("%s: dropped %s", self.name, ", ".join(dropped) or "nothing")
        return {"dropped": dropped, "leftovers": self._leftovers()}

    def _leftovers(self) -> list[str]:
        if self.mode != "drill":
            return []
        left = [f"database {self.target.label}"] if self._exists() else []
        missing = inspection.roles_missing(self.target.server, self.missing_roles)
        return left + [f"role {each}" for each in self.missing_roles if each not in missing]

    def _drop_roles(self) -> None:
        with self.target.server.connect() as connection:
            for each in self.missing_roles:
                connection.execute(b"drop role if exists " + statements.identifier(each))

    def _usable(self) -> list[Point]:
        """Verified points, newest first. Raises StepFailed if there is none."""
        found = [each for each in points.points(self.store, self.name) if each.verified]
        if not found:
            raise StepFailed(
                f"{self.store.url} has no verified recovery point of it",
                target=self.name,
                left="nothing was touched",
                next_step="run database_backup with a copy to that repository",
                runbook="No recovery point can be restored",
            )
        return found[::-1]

    def _order(self, point: Point) -> Order:
        origin = order.origin(self.store, point, identity=self.identity)
        return Order(origin=origin, run=self.run, scratch=self.scratch)

    def _restore(self, point: Point) -> Measures:
        wanted = self._order(point)
        measures: dict[str, Any] = order.blank(wanted, target=self.name, destination="new_database")
        destinations.new_database(wanted, self.target, measures=measures)
        restored = {f"restore_{key}": measures[key] for key in ("tables_expected", "tables_equal", "seconds", "notes")}
        return restored | self._as_of(point) | {"bytes": wanted.origin.described.source.bytes}

    def _as_of(self, point: Point) -> Measures:
        described = points.manifest(self.store, point)
        return {"point": point.id, "snapshot_at": described.snapshot_at.isoformat(), "repository": self.store.url}

    def _damaged(self, point: Point) -> bool:
        """Whether it is the point's own bytes that are wrong, and not the server or the network."""
        try:
            return bool(points.verify_objects(self.store, point, points.manifest(self.store, point)))
        except Corrupt:
            return True

    def _exists(self) -> bool:
        with self.target.server.connect() as connection:
            query = "select exists (select from pg_catalog.pg_database where datname operator(pg_catalog.=) %s)"
            row = connection.execute(query, (self.target.name,)).fetchone()
            return bool(row and row[0])
