"""`python -m bench.patch_report page.html`: the fleet's report of a generated fleet, to look at. Not real hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import typer

from bench import patch_fleet
from day2.hosts.model import Scan
from day2.inventory.model import Environment
from day2.operations.security_patching import compliance, report, sla, states
from day2.operations.security_patching.compliance import Fleet, Run
from day2.operations.security_patching.states import Course
from lab.say import say

# How many hosts were missed, a report a week: a fleet that is being brought into order.
MISSED = (0.27, 0.24, 0.25, 0.19, 0.16, 0.13, 0.09, 0.07, 0.05, 0.06, 0.04)
ILL = "GET http://10.0.0.1:8080/health: not well within 65 s: connection refused"


def main(page: Path, hosts: int = 240) -> None:
    """Write the page."""
    page.write_bytes(report.render(fleet(hosts)))
    say(f"wrote {page}")


def fleet(hosts: int) -> Fleet:
    """A fleet with a history, whose last run stopped at its canary."""
    made = Environment.model_validate(patch_fleet.environment(hosts))
    first = sla.lookup(patch_fleet.sightings())
    scans = patch_fleet.scans(made, missed=MISSED[-1])
    trend = []
    for number, missed in enumerate(MISSED):
        earlier = patch_fleet.scans(made, seed=number, missed=missed)
        at = patch_fleet.NOW - timedelta(weeks=len(MISSED) - number)
        # Judged as of today, and dated then: a generated fleet has no older updates to be late with.
        trend.append(replace(compliance.fleet(made, earlier, first, now=patch_fleet.NOW).summary, at=at.isoformat()))
    now = compliance.fleet(made, scans, first, now=patch_fleet.NOW, run=_run(made, scans))
    return replace(now, trend=(*trend, now.summary))


def _run(made: Environment, scans: dict[str, Scan]) -> Run:
    """Last week: the canary became ill and was rolled back, so no other host was touched."""
    courses = list(_courses(scans))
    policies = {each.name: made.patch_policy(each) for each in made.hosts}
    patch_set = patch_fleet.patch_set()
    began = patch_fleet.NOW - timedelta(days=7)
    return Run(
        name="security_patching.production/scheduled__2026-11-15T01:00:00+00:00",
        verdict="FAILED",
        reason=f"canary: 1 failed ({courses[0].host}), more than 0; its earlier versions are back and it is healthy",
        started=began,
        ended=began + timedelta(minutes=14),
        digest=patch_set.digest,
        hosts={each.host: each.outcome for each in courses},
        states=tuple(states.of_run(courses, patch_set, policies)),
    )


def _courses(scans: dict[str, Scan]) -> Iterator[Course]:
    for number, scan in enumerate(scans.values()):
        if number == 0:
            yield Course(scan.host, scan, scan, "rolled_back", ILL)
        else:
            yield Course(scan.host, scan, None, "not_attempted", "the wave canary failed")


if __name__ == "__main__":
    typer.run(main)
