"""`python -m bench.patching_plan`: the plan and the report of a recorded fleet of 1,000 hosts, from files to words."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import typer

from bench import machine, patch_fleet
from day2 import inventory
from day2.control.plan import Trigger
from day2.hosts.model import Scan
from day2.inventory.model import Environment
from day2.operations.security_patching import briefing, compliance, fleet_csv, planning, report, sla
from day2.operations.security_patching.gates import Proof
from day2.operations.security_patching.planning import Request, Seen
from lab.say import say

GOAL_SECONDS = 5.0
Made = TypeVar("Made")


def main(hosts: int = 1000) -> None:
    """Measure, print, and fail when the plan misses its goal."""
    with tempfile.TemporaryDirectory(prefix="day2-bench-") as folder:
        facts = _record(Path(folder), hosts)
        started = time.perf_counter()
        environment = _timed("environment file", lambda: inventory.load(facts / "production.yaml"))
        scans = _timed("recorded scans", lambda: _read(facts / "scans.json"))
        policy_hash = _timed("policy hash", lambda: inventory.policy_hash(environment))
        planned = _timed("plan", lambda: _plan(environment, scans, policy_hash))
        text = _timed("lines for the approver", lambda: briefing.lines(planned))
        took = time.perf_counter() - started
        fleet = _timed("compliance", lambda: _fleet(environment, scans))
        page = _timed("report page", lambda: report.render(fleet))
        table = _timed("report CSV", lambda: fleet_csv.due(fleet))
        whole = _timed("(whole scans instead)", lambda: _read(facts / "whole.json"))
    packages = sum(len(each.packages) for each in whole.values())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    say(f"{hosts} hosts, {packages} packages installed")
    say(f"plan {len(json.dumps(planned)) // 1000} kB, {len(text)} lines for the approver")
    say(f"page {len(page) // 1000} kB, CSV {len(table) // 1000} kB, peak memory {memory:.0f} MB, load {machine.load()}")
    say(f"from files to the approver's lines: {took:.2f} s (goal: under {GOAL_SECONDS} s)")
    if took >= GOAL_SECONDS:
        raise SystemExit(1)


def _record(folder: Path, hosts: int) -> Path:
    (folder / "production.yaml").write_text(patch_fleet.environment_yaml(hosts))
    made = inventory.load(folder / "production.yaml")
    scans = patch_fleet.scans(made)
    whole = {name: each.as_dict() for name, each in scans.items()}
    (folder / "whole.json").write_text(json.dumps(whole))
    (folder / "scans.json").write_text(
        json.dumps({name: planning.brief(each).as_dict() for name, each in scans.items()})
    )
    return folder


def _read(path: Path) -> dict[str, Scan]:
    return {name: Scan.from_dict(each) for name, each in json.loads(path.read_text()).items()}


def _plan(environment: Environment, scans: dict[str, Scan], policy_hash: str) -> dict[str, object]:
    trigger = Trigger("scheduled", "", "", "")
    request = Request(environment, environment.hosts, trigger, False, policy_hash)
    taken = patch_fleet.NOW - timedelta(hours=3)
    proofs = {each.name: Proof(f"{each.name}-1", taken) for each in environment.databases}
    seen = Seen(scans, {}, proofs, sla.lookup(patch_fleet.sightings()))
    return planning.make(request, seen, patch_fleet.patch_set(), now=patch_fleet.NOW)


def _fleet(environment: Environment, scans: dict[str, Scan]) -> compliance.Fleet:
    return compliance.fleet(environment, scans, sla.lookup(patch_fleet.sightings()), now=patch_fleet.NOW)


def _timed(name: str, make: Callable[[], Made]) -> Made:
    started, burnt = time.perf_counter(), time.process_time()
    made = make()
    say(f"{name:24} {time.perf_counter() - started:6.2f} s, CPU {time.process_time() - burnt:5.2f} s")
    return made


if __name__ == "__main__":
    typer.run(main)
