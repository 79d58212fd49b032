"""The demo of health, alerts, capacity and scaling: a disk fills, somebody is told, and it grows by one step."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.panel import Panel

from day2.ledger.metrics import Metrics, Sample, Series
from lab import demo, patchable
from lab.boot import Lab
from lab.demo_patching import fetch_report, told
from lab.hosts import resident
from lab.hosts.machine import Machine
from lab.receiver import MAIL, WEBHOOK
from lab.say import console, say, timed

HOST, VOLUME, RESOURCE = "app-02", "/srv/data", "app-02-data"
DISK = Series(f"host/{HOST}", "disk_percent", VOLUME)
MEGABYTE = 1 << 20
FILE = f"{VOLUME}/demo"
REPORT = "capacity-report.html"
DAYS = 380
ASKED_SECONDS = 120
NOT_REAL = (
    "What is not real: the twelve months before today, which the demo wrote; that the volume is in memory; and what",
    "sizes cost. The disk, what was read from it, the alerts and their way, and the step that was taken are real.",
)


def run(lab: Lab, dag: str) -> bool:
    """Fill a disk, follow what comes of it, and look from outside. Returns whether everything went as it should."""
    environment = dag.partition(".")[2]
    fleet = resident.find(patchable.folder(lab.places.state))
    if fleet is None:
        say("The disk that fills is on one of the hosts, and this machine cannot make them.", style="bold red")
        return False
    host = fleet[HOST]
    say("Whoever has no recovery point is an alarm, so there is a backup first.")
    if not demo.has_passed(lab, f"database_backup.{environment}") and not demo.run(
        lab, f"database_backup.{environment}"
    ):
        return False
    with timed(f"{DAYS} days of samples, made for the demo"):
        write_history(lab, environment)
    demo.account(lab, "operator").unpause(f"scale_resource.{environment}")
    host.run("data-size", "64")
    seen = [step(lab, environment, host, 45)]
    say("The quarterly review: what does a year of such growth mean?")
    review = demo.run_once(lab, f"capacity_review.{environment}", {"reason": "demonstration"})
    if review is not None and (report := fetch_report(lab, review, REPORT)):
        say(f"The review, a page to open in a browser: {report}", style="bold")
    say("It grows faster than anybody forecast.")
    seen += [step(lab, environment, host, used) for used in (53, 59)]
    say(f"{HOST} was 92 % full: scale_resource was asked by an event. What became of it:")
    scaled = follow_scaling(lab, environment)
    seen.append(step(lab, environment, host, None))
    good = told(expected(lab, host, seen, scaled, review))
    for line in NOT_REAL:
        say(line)
    return good


def step(lab: Lab, environment: str, host: Machine, used: int | None) -> list[dict[str, Any]]:
    """Fill the disk so far, in megabytes, and look; returns the messages that came of it, which are shown."""
    before = len(lab.on_call.messages())
    if used is not None:
        host.run("dd", "if=/dev/zero", f"of={FILE}", "bs=1M", f"count={used}", "status=none")
    say(f"On {HOST}, {VOLUME}: {percent(host):.0f} % of {size(host)} MB.", style="bold")
    demo.run_once(lab, f"health_check.{environment}", {"reason": "demonstration"})
    new = [each for each in lab.on_call.messages()[before:] if f"host/{HOST}" in each["title"]]
    for each in new:
        console.print(Panel(each["body"].strip(), title=f"arrived by {each['via']}", expand=False))
    if not new:
        say("Nothing arrived: nobody had to be told.")
    return new


def follow_scaling(lab: Lab, environment: str) -> dict[str, Any] | None:
    """The run that the event started: its record, shown; none if there is none in time."""
    dag, deadline = f"scale_resource.{environment}", time.monotonic() + ASKED_SECONDS
    client = demo.account(lab, "operator")
    while time.monotonic() < deadline:
        runs = client.get(f"/dags/{dag}/dagRuns", run_type="asset_triggered", order_by="-run_after")["dag_runs"]
        if runs:
            return demo.follow_run(lab, dag, runs[0]["dag_run_id"])
        time.sleep(1)
    say(f"No event started {dag} within {ASKED_SECONDS} s.", style="bold red")
    return None


def expected(
    lab: Lab,
    host: Machine,
    seen: list[list[dict[str, Any]]],
    scaled: dict[str, Any] | None,
    review: dict[str, Any] | None,
) -> dict[str, bool]:
    """What must hold afterwards, by what can be seen from outside: at the receiver, and on the host."""
    calm, warned, woken, over = seen
    critical = [each for each in woken if each["title"].startswith("[CRITICAL]") and each["via"] == WEBHOOK]
    return {
        "at 70 % nobody was alarmed": all(each["title"].startswith("[RESOLVED]") for each in calm),
        "the warning arrived, by mail": [each["via"] for each in warned] == [MAIL],
        "the critical alert arrived, at the webhook": len(critical) == 1,
        "it has target, value, threshold, last good value, owner, next step and link": bool(critical)
        and all(
            word in critical[0]["body"]
            for word in (f"host/{HOST}", "92", "at or above 90", "Last good: 70", "Owner:", "Next:", "http://")
        ),
        f"the volume grew by one step, to 128 MB (it has {size(host)})": size(host) == 128,
        "the step was verified": scaled is not None and scaled["verdict"] == "PASSED",
        "then it was over, and whoever was told before was told": {each["via"] for each in over} == {MAIL, WEBHOOK}
        and all(each["title"].startswith("[RESOLVED]") for each in over),
        "the sign of life came after each look": [each["sign"] for each in lab.on_call.signs()[-4:]] == ["works"] * 4,
        "the review was signed, and PASSED": review is not None and review["verdict"] == "PASSED",
        f"it names the date: {(dates := named_dates(lab, review))}": dates != "",
    }


def named_dates(lab: Lab, review: dict[str, Any] | None) -> str:
    """What the review asks for the disk, as the ledger has it; empty if it asks for nothing."""
    if review is None:
        return ""
    with demo.ledger(lab) as opened:
        run = f"{review['dag_id']}/{review['run_id']}"
        asked = [each for entry in opened.entries(kind="capacity_forecast", run=run) for each in entry.body["requests"]]
    disk = [each for each in asked if each["target"] == DISK.target and VOLUME in each["resource"]]
    return "; ".join(f"{each['what']}, until {each['due']}" for each in disk)


def size(host: Machine) -> int:
    """What the volume really has, in megabytes."""
    return int(host.run("data-size"))


def percent(host: Machine) -> float:
    """How full it really is."""
    blocks, free = (int(each) for each in host.run("stat", "-f", "-c", "%b %f", VOLUME).split())
    return 100 * (blocks - free) / blocks


def write_history(lab: Lab, environment: str) -> None:
    """A year of made samples: a volume that fills, a machine that is too large, one that becomes too small."""
    with demo.ledger(lab) as opened:
        Metrics(opened, environment).write(history(datetime.now(UTC)))


def history(now: datetime) -> Iterator[Sample]:
    """The same every time for the same day: one sample a day at noon (UTC), until yesterday."""
    noise = random.Random(7)  # noqa: S311 - a demonstration, no secret
    today = now.replace(hour=12, minute=0, second=0, microsecond=0)
    for day in range(DAYS, 0, -1):
        at, done = today - timedelta(days=day), 1 - day / DAYS
        week = math.sin(2 * math.pi * at.weekday() / 7)
        filled = 10 + 0.25 * max(DAYS - day - 240, 0) + 0.4 * week + noise.gauss(0, 0.3)
        made = {
            Series(DISK.target, "disk_used", VOLUME): filled * MEGABYTE,
            Series(DISK.target, "disk_total", VOLUME): 64.0 * MEGABYTE,
            Series("host/web-01", "cpu_percent"): 14 + 3 * week + noise.gauss(0, 1.5),
            Series("host/web-01", "memory_percent"): 17 + noise.gauss(0, 0.6),
            Series("host/web-02", "cpu_percent"): 38 + 34 * done**2 + 5 * week + noise.gauss(0, 2),
            Series("host/web-03", "cpu_percent"): 41 + 4 * week + noise.gauss(0, 3),
            Series("host/db-01", "memory_percent"): 58 + 9 * done + noise.gauss(0, 1),
        }
        yield from (Sample(series, at, max(value, 0.0)) for series, value in made.items())
