"""Strategy `failover`: the streaming standby is promoted, and later the old primary takes over again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from day2.inventory.model import DrillPolicy
from day2.operations.dr_drill import (
    by_hand,
    clear_up,
    fence,
    gates,
    observe,
    promote,
    readiness,
    rejoin,
    route,
    switch_back,
)
from day2.operations.dr_drill.finding import Finding
from day2.operations.dr_drill.pair import Node, Pair, going_back_is_free
from day2.operations.dr_drill.route import Tools
from day2.operations.dr_drill.strategy import Measures, Mode
from day2.postgres.server import Server
from day2.repository.store import Store

STEP_SECONDS = 1800.0


@dataclass(frozen=True)
class Failover:
    """A pair, its policy, and the tools that move clients. `max_age` is the recovery point objective of its backups.

    `attested` is who says that the old primary was taken out of service by hand, for a host that does not answer.
    """

    pair: Pair
    policy: DrillPolicy
    mode: Mode
    store: Store
    max_age: timedelta
    run: str
    tools: Tools
    attested: str = ""

    @property
    def endpoint(self) -> Server:
        """Where clients connect."""
        return self.pair.endpoint

    @property
    def servers(self) -> dict[str, Server]:
        """Both: only one may take writes."""
        return {each.name: each.server for each in self.pair.nodes}

    def acting(self) -> Server:
        """The standby that is promoted."""
        return self.pair.standby.server

    def home(self) -> Server:
        """The primary of normal times."""
        return self.pair.primary.server

    def readiness(self) -> list[Finding]:
        """The servers, their hosts, the rights, and the recovery points."""
        kept = gates.findings(
            self.store,
            self.pair.name,
            now=datetime.now(UTC),
            max_age=self.max_age,
            max_test_age=self.policy.max_restore_test_age,
        )
        way = route.findings(self.policy.route, self.pair, tools=self.tools)
        return [*readiness.check(self.pair, self.policy), *way, *kept]

    def planned(self) -> Measures:
        """Nothing: the servers' configuration says all of it."""
        return {}

    def where(self) -> str:
        """Both servers, and the state they are in."""
        return observe.describe(self.pair)

    def safe_to_abort(self) -> bool:
        """Until the standby is promoted."""
        return going_back_is_free(observe.now(self.pair))

    def by_hand(self) -> list[str]:
        """Commands that finish the job from here."""
        return by_hand.commands(self.pair, observe.now(self.pair))

    def fence(self) -> Measures:
        """Stop the primary and prove it."""
        return fence.fence(self.pair, mode=self.policy.fence, crashed_ok=self.mode == "live", attested=self.attested)

    def replay(self) -> Measures:
        """Wait until the standby has replayed all it received."""
        return promote.replay(self.pair, seconds=self.policy.promote_timeout.total_seconds())

    def promote(self) -> Measures:
        """The point of no return."""
        return promote.promote(self.pair, seconds=self.policy.promote_timeout.total_seconds(), attested=self.attested)

    def route(self) -> Measures:
        """Clients go to the standby's server."""
        return self._move(self.pair.standby)

    def rejoin(self) -> Measures:
        """The old primary follows the new one."""
        return rejoin.rejoin(self.pair, seconds=STEP_SECONDS)

    def switch_back(self) -> Measures:
        """Planned, without loss: back to the primary of normal times."""
        return switch_back.switch_back(self.pair, seconds=STEP_SECONDS, route=self._move)

    def settle(self) -> Measures:
        """Before the promotion the old primary takes writes again; after it, back only where the policy says so.

        Never in an emergency: there a person decides which server lives.
        """
        now = observe.now(self.pair)
        # `down`: a worker may have been killed while it did just this; it refuses where that is not safe.
        if now in ("fenced", "down") and self.mode == "drill":
            return {"settled": "the old primary takes writes again"} | fence.unfence(self.pair)
        if now in ("promoted", "failed_over") and self.policy.on_failure == "roll_back" and self.mode == "drill":
            self.rejoin()
            return {"settled": "failed back"} | self.switch_back()
        return {"settled": "nothing to do" if now == "normal" else f"stays as it is: {self.where()}"}

    def clear_up(self) -> Measures:
        """Remove what the drill made, and look again."""
        return clear_up.clear_up(self.pair, self.run, keep_evidence=self.mode != "drill")

    def _move(self, to: Node) -> Measures:
        return route.move(self.policy.route, self.pair, to, tools=self.tools)
