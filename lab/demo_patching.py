"""The demo of security patching: a broken release is caught on the canary, its correction reaches every host."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from rich.table import Table

from day2 import inventory
from day2.inventory.model import Environment
from day2.operations.security_patching import surroundings
from lab import demo, patchable
from lab.boot import Lab
from lab.connections import write_connections
from lab.hosts import fleet
from lab.hosts.fleet import Fleet
from lab.hosts.releases import AGENT_PORT, SECURITY
from lab.say import console, say

PACKAGE, BROKEN, MENDED = "acme-agent", "1.2-1", "1.3-1"
BEFORE = "acme-agent 1.0-1 acme-lib 2.0-1"
AFTER = "acme-agent 1.3-1 acme-lib 2.1-1"
REPORT, REPORT_OF_BROKEN = "patching-report.html", "patching-report-broken.html"
# A recovery point is a while older than the record of the run that took it.
MARGIN = timedelta(hours=1)
NOT_REAL = (
    "What is not real: the kernel is this machine's, so no kernel was updated; services are kept by a stand-in for",
    "systemctl; the vendor, its packages and their faults are made for the lab. dpkg, apt, its signatures, SSH, the",
    "reboots, the failing health check and the rollback are real (docs/lab.md).",
)


@dataclass(frozen=True)
class Look:
    """A host as it shows itself from outside: what its service answers, and which boot it is in."""

    status: str
    says: str
    boot: str


def run(lab: Lab, dag: str) -> bool:
    """Both runs, each with a look from outside. Returns whether everything went as it should."""
    environment = next(each for each in inventory.environments() if each.name == dag.partition(".")[2])
    if reason := fleet.why_not():
        say(f"Nothing was patched: this machine cannot run hosts: {reason}.", style="bold yellow")
        say("What the hosts need: lab/hosts/README.md. The rest of the lab runs; the other demos work.")
        return False
    if not _recoverable(lab, environment):
        return False
    hosts = patchable.renew(lab.places.state)
    write_connections(lab)
    say(f"{len(hosts.names)} new hosts, and a repository with security updates of three of their packages.")
    return _broken(lab, dag, hosts) and _mended(lab, dag, hosts)


def _recoverable(lab: Lab, environment: Environment) -> bool:
    """A backup first, if the gate would ask for one."""
    policy = environment.policies.security_patching
    behind = surroundings.databases(environment, [each.name for each in environment.patched])
    backup = f"database_backup.{environment.name}"
    since = datetime.now(UTC) - policy.recovery_point_max_age + MARGIN if policy else None
    if not behind or demo.has_passed(lab, backup, since=since):
        return True
    say(f"No host is patched without young recovery points of what is behind it: {', '.join(behind)}. {backup} first.")
    return demo.run(lab, backup)


def _broken(lab: Lab, dag: str, hosts: Fleet) -> bool:
    say("")
    say(f"First: the vendor publishes {PACKAGE} {BROKEN}, a security release that answers every request with 500.")
    hosts.repository.publish(SECURITY, PACKAGE, BROKEN)
    before = look(hosts)
    record = demo.run_once(lab, dag, _conf(hosts, f"{PACKAGE} {BROKEN} is out"))
    after = look(hosts)
    say_hosts(hosts, before, after, record)
    canary, *others = hosts.names
    expected = {
        "the run did not pass": record is not None and record["verdict"] in ("FAILED", "PARTIAL"),
        f"{canary} has its earlier versions back, and is well": (after[canary].status, after[canary].says)
        == ("200", BEFORE),
        "no other host was touched": all(after[each] == before[each] for each in others),
    }
    good = told(expected)
    _say_report(lab, record, REPORT_OF_BROKEN)
    return good


def _mended(lab: Lab, dag: str, hosts: Fleet) -> bool:
    say("")
    say(f"Then: the vendor publishes {PACKAGE} {MENDED}, the correction.")
    hosts.repository.publish(SECURITY, PACKAGE, MENDED)
    before = look(hosts)
    record = demo.run_once(lab, dag, _conf(hosts, f"{PACKAGE} {MENDED} corrects {BROKEN}"))
    after = look(hosts)
    say_hosts(hosts, before, after, record)
    expected = {
        "the run passed": record is not None and record["verdict"] == "PASSED",
        "every host runs the new versions, asked from outside": {each.says for each in after.values()} == {AFTER},
        "every host was rebooted, as acme-core asks": all(
            after[name].boot != each.boot for name, each in before.items()
        ),
    }
    good = told(expected)
    _say_report(lab, record, REPORT)
    for line in NOT_REAL:
        say(line)
    return good


def _conf(hosts: Fleet, reason: str) -> dict[str, Any]:
    return {"reason": f"demonstration: {reason}", "targets": list(hosts.names)}


def look(hosts: Fleet) -> dict[str, Look]:
    """Ask every host's service from this machine: not what patched it says what runs, the service does."""
    return {name: _look(hosts, name) for name in hosts.names}


def _look(hosts: Fleet, name: str) -> Look:
    boot = (hosts.folder / "hosts" / name / "boot_id").read_text().strip()
    try:
        answer = httpx.get(f"http://{hosts.address(name)}:{AGENT_PORT}/", timeout=5, trust_env=False)
    except httpx.TransportError as error:
        return Look("no answer", str(error), boot)
    return Look(str(answer.status_code), answer.text.strip(), boot)


def say_hosts(hosts: Fleet, before: dict[str, Look], after: dict[str, Look], record: dict[str, Any] | None) -> None:
    """A table: what the run says of each host, and what the host itself says."""
    table = Table(title="Asked from outside, after the run")
    for column in ("Host", "The run says", "Answered before", "Answers now", "Rebooted"):
        table.add_column(column)
    for name in hosts.names:
        rebooted = "yes" if before[name].boot != after[name].boot else "no"
        was, now = (f"{each.status} {each.says}" for each in (before[name], after[name]))
        table.add_row(name, outcome(record, name), was, now, rebooted)
    console.print(table)


def outcome(record: dict[str, Any] | None, name: str) -> str:
    """What a record says of a host, in words."""
    targets = record["targets"] if record else {}
    for each in ("succeeded", "failed", "not_attempted", "not_applicable"):
        if name in targets.get(each, ()):
            rolled_back = record is not None and any(
                step.get("rolled_back") for step in record["measures"].get(name, {}).values()
            )
            return f"{each.replace('_', ' ')}{', rolled back' if rolled_back else ''}"
    return "nothing"


def _say_report(lab: Lab, record: dict[str, Any] | None, name: str) -> None:
    if record is not None and (report := fetch_report(lab, record, name)):
        say(f"How the fleet stands now, a page to open in a browser: {report}", style="bold")


def fetch_report(lab: Lab, record: dict[str, Any], name: str) -> Path | None:
    """The run's page out of the object store, into the lab's state; none if the run kept none."""
    kept = [each for each in record["artefacts"] if each["uri"].endswith("report.html")]
    if not kept:
        return None
    bucket, _, key = kept[-1]["uri"].removeprefix("s3://").partition("/")
    store = next(each for each in lab.stores if each.region in bucket)
    page = store.client().get_object(Bucket=bucket, Key=key)["Body"].read()
    if hashlib.sha256(page).hexdigest() != kept[-1]["sha256"]:
        say(f"The page in {kept[-1]['uri']} is not the one that the record names.", style="bold red")
        return None
    path = lab.places.state / name
    path.write_bytes(page)
    return path


def told(expected: dict[str, bool]) -> bool:
    """Say what must hold and whether it does; returns whether all of it does."""
    for what, good in expected.items():
        say(f"  {'✓' if good else '✗'} {what}", style="green" if good else "bold red")
    return all(expected.values())
