"""Put in order what a run left that ended in the middle: before-state again, or a change that was kept, complete."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from day2.errors import StepFailed
from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning import leftovers, target
from day2.operations.performance_tuning.apply import apply, revert, state
from day2.operations.performance_tuning.looking import same, valid
from day2.operations.performance_tuning.model import Change, Recommendation
from day2.operations.performance_tuning.session import APPLICATION, session, steadily
from day2.operations.performance_tuning.tried import tried
from day2.postgres.server import Server, rows

log = logging.getLogger("day2")

ENDED = ("kept", "reverted")
ORPHAN_SECONDS = 30.0

Notes = Sequence[tuple[str, Mapping[str, Any]]]


def unfinished(notes: Notes) -> bool:
    """Whether a run began to change something and did not say how that ended. Pure."""
    return bool(notes) and notes[-1][0] not in ENDED


def settle(server: Server, recommendation: Recommendation, notes: Notes, policy: TuningPolicy) -> dict[str, Any] | None:
    """Finish what the notes of an earlier attempt began; its measures for the record, none if it had ended.

    Raises NotUndone.
    """
    if not unfinished(notes) or recommendation.change is None:
        return None
    change, about = recommendation.change, target.of(recommendation.change)
    steadily(lambda: end_orphans(server))
    before = notes[0][1]["before"]
    keep = next((facts for phase, facts in notes if phase == "keep"), None)
    if keep is None:
        revert(server, change, policy, before=before)
        done = tried(recommendation, "interrupted", "an earlier run ended in the middle: what was before is back")
    else:
        _complete(server, change, policy, before)
        done = {**keep["result"], "decision": f"{keep['result']['decision']} (completed after an interruption)"}
    dropped = leftovers.sweep(server, policy, rebuilt=[(about.schema, about.name)])
    return {**done, "leftovers_dropped": [each["name"] for each in dropped]}


def end_orphans(server: Server) -> int:
    """End what a killed worker's session still does on the server; returns how many there were."""
    with session(server) as connection:
        found = rows(connection, "tuning_orphans", name=APPLICATION)
        for each in found:
            log.warning("%s: ending what an earlier run left: %s", server.dbname, each["query"][:200])
            connection.execute("select pg_catalog.pg_terminate_backend(%s)", (each["pid"],))
        until = time.monotonic() + ORPHAN_SECONDS
        while rows(connection, "tuning_orphans", name=APPLICATION):
            if time.monotonic() > until:
                raise StepFailed(
                    "a session of an earlier run does not end",
                    target=server.dbname,
                    left="it may still build or drop an index",
                    next_step=f"look for application_name '{APPLICATION}' in pg_stat_activity",
                    runbook="A change could not be undone",
                )
            time.sleep(0.2)
    return len(found)


def _complete(server: Server, change: Change, policy: TuningPolicy, before: dict[str, Any]) -> None:
    now = state(server, change)
    half_done = target.of(change).subject == "index" and now and not valid(now)
    if half_done or same(now, before):
        apply(server, change, policy, before=before)
