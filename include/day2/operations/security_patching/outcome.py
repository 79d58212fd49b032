"""What a patch run made of its hosts: from the ledger and two scans to what is judged and reported. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from day2.hosts.model import Scan
from day2.inventory.model import Environment
from day2.ledger import record
from day2.ledger.store import Entry
from day2.operations.security_patching import facts, progress, states
from day2.operations.security_patching.compliance import Fleet, Run
from day2.operations.security_patching.facts import Measured
from day2.operations.security_patching.progress import Tries
from day2.operations.security_patching.states import Became, Course


@dataclass(frozen=True)
class Told:
    """A run's plan and tries, what its hosts looked like before and after, and what became of each package."""

    planned: Mapping[str, Any]
    tries: Tries
    after: Mapping[str, Scan]
    courses: tuple[Course, ...]
    became: tuple[Became, ...]


def tell(
    environment: Environment,
    planned: Mapping[str, Any],
    tries: Tries,
    *,
    before: Mapping[str, Scan],
    after: Mapping[str, Scan],
) -> Told:
    """Put together what is known."""
    courses = progress.courses(planned, tries, before, after)
    policies = {each.host: environment.patch_policy(environment.host(each.host)) for each in courses}
    became = tuple(states.of_run(courses, progress.patch_set(planned), policies))
    return Told(planned, tries, after, courses, became)


def rows(told: Told, fleet: Fleet) -> list[dict[str, Any]]:
    """What the suite judges: a row for each host that was touched."""
    late = {row.host.name: row.late for row in fleet.rows if row.scan is not None}
    by_host: dict[str, list[Became]] = {each.host: [] for each in told.courses}
    for each in told.became:
        by_host[each.host].append(each)
    measured = {each.host: _measured(told, each.host, late.get(each.host)) for each in told.courses}
    digest = told.planned["patch_set"]["digest"]
    return facts.rows(told.courses, measured=measured, became=by_host, frozen_digest=digest)


def run(told: Told, own: Sequence[Entry]) -> Run:
    """The run as the report tells it. `own` are its ledger entries."""
    plan = [each.body for each in own if each.kind == "plan"][-1]  # with its run's names, unlike the plan in `told`
    made, _ = record.so_far(own, {**plan, "act_steps": (progress.PATCH,)})
    return Run(
        name=f"{made['dag_id']}/{made['run_id']}",
        verdict=made["verdict"],
        reason=made["reason"],
        started=datetime.fromisoformat(made["started"]),
        ended=datetime.fromisoformat(made["ended"]),
        digest=told.planned["patch_set"]["digest"],
        hosts={each.host: each.outcome for each in told.courses},
        states=told.became,
    )


def _measured(told: Told, host: str, late: int | None) -> Measured:
    """Of the newest tries; what the host looks like now counts more than what a try saw."""
    tried = progress.last_tried(told.tries, host, progress.PATCH)
    last = progress.last_tried(told.tries, host, progress.PATCH, progress.ROLL_BACK, progress.UNDO)
    after = told.after.get(host)
    return Measured(
        installed_digest=tried.get("installed_digest"),
        stale_services=len(after.stale_services) if after else None,
        reboot_expected=tried.get("reboot_expected"),
        rebooted=tried.get("rebooted"),
        healthy=last.get("healthy"),
        in_service=last.get("in_service"),
        late_updates=late,
        postgres_servers=tried.get("postgres_servers"),
        postgres_as_before=tried.get("postgres_as_before"),
        postgres_databases_unseen=tried.get("postgres_databases_unseen"),
        postgres_collations_changed=tried.get("postgres_collations_changed"),
        postgres_extensions_failed=tried.get("postgres_extensions_failed"),
        postgres_extensions_left=tried.get("postgres_extensions_left"),
    )
