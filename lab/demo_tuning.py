"""The demo of performance tuning: a marketplace under load, its planted faults, and what is left of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from lab import demo
from lab.boot import Lab
from lab.demo_patching import fetch_report, told
from lab.fleet import BILLING
from lab.say import console, say, timed
from lab.tunable import BAD_SETTINGS, DATABASE, FAULTS, Bazaar

REPORT = "tuning-report.html"
# So that every statement was called often enough, and the forgotten transaction is old enough, to be told.
WARM_SECONDS = 65
WATCHED = ("customer", "day", "ranking", "clicks", "popular", "order")
NOT_REAL = (
    "What is not real: the marketplace, its faults, and how short the measurements are. The server, the load, the",
    "statistics, the changes and what they gained are real; the times above are pgbench's own (docs/lab.md).",
)


@dataclass(frozen=True)
class Look:
    """The database as it shows itself from outside: pgbench's clock, its indexes, and two settings."""

    latency: dict[str, float]
    indexes: dict[str, bool]
    settings: dict[str, str]


def run(lab: Lab, dag: str) -> bool:
    """Plant, load, tune, and look from outside. Returns whether everything went as it should."""
    bazaar = Bazaar(lab.fleet[BILLING], lab.fleet.secrets)
    with timed(f"A marketplace in {DATABASE}, with its faults"):
        bazaar.plant()
    _say_faults()
    backup = f"database_backup.{dag.partition('.')[2]}"
    say(f"What is risky is first tried on a restored copy, so there has to be a recovery point: {backup} first.")
    record = demo.run_once(lab, backup, {"reason": "demonstration: before it is tuned", "targets": [DATABASE]})
    if record is None or record["verdict"] != "PASSED":
        return False
    bazaar.start()
    try:
        say(f"Its load runs for {WARM_SECONDS} s before anybody looks.")
        time.sleep(WARM_SECONDS)
        before = look(bazaar)
        say("")
        say("First a dry run: it looks, advises, and touches nothing. A report holds a transaction open meanwhile.")
        demo.run_once(lab, dag, _conf("what is wrong with it?", dry_run=True))
        say("")
        say(
            "Then somebody ends the forgotten report, as advised, and what was approved is tried, one change at a time."
        )
        bazaar.release()
        record = demo.run_once(lab, dag, _conf("make it faster", dry_run=False))
        after = look(bazaar)
    finally:
        bazaar.stop()
    say_looks(before, after)
    good = told(expected(before, after, record))
    if record is not None and (report := fetch_report(lab, record, REPORT)):
        say(f"What was found, tried, kept and reverted, a page to open in a browser: {report}", style="bold")
    for line in NOT_REAL:
        say(line)
    return good


def _conf(reason: str, *, dry_run: bool) -> dict[str, Any]:
    return {"reason": f"demonstration: {reason}", "targets": [DATABASE], "dry_run": dry_run}


def look(bazaar: Bazaar) -> Look:
    """Ask the database from outside, while its load goes on."""
    return Look({each: bazaar.latency(each) for each in WATCHED}, bazaar.indexes(), bazaar.settings())


def expected(before: Look, after: Look, record: dict[str, Any] | None) -> dict[str, bool]:
    """What must hold afterwards, by what can be seen from outside: not the run says what it did."""
    new = after.indexes.keys() - before.indexes.keys()
    return {
        "the run left a record with a verdict": record is not None and record["verdict"] in ("PASSED", "PARTIAL"),
        "a customer's page is at least three times as fast, by pgbench's clock": after.latency["customer"]
        < before.latency["customer"] / 3,
        "of two equal indexes at least one is still there": bool(
            {"orders_created", "orders_created_again"} & after.indexes.keys()
        ),
        "a bad setting is better than it was": any(after.settings[each] != bad for each, bad in BAD_SETTINGS.items()),
        "no index that makes writing dearer was kept on clicks": not any("clicks" in each for each in new),
        "no index is left half made": all(after.indexes.values()),
    }


def say_looks(before: Look, after: Look) -> None:
    """A table: what each kind of call took before and takes now."""
    table = Table(title="Asked from outside, by a pgbench of its own beside the load")
    for column in ("Script", "before", "now", ""):
        table.add_column(column, justify="left" if column == "Script" else "right")
    for name, was in before.latency.items():
        now = after.latency[name]
        table.add_row(name, f"{was:.2f} ms", f"{now:.2f} ms", f"{now / was:.2f} ×")
    console.print(table)
    for name, value in after.settings.items():
        say(f"  {name}: {before.settings[name]} before, {value} now")
    say("  (popular reads every click, and the load adds clicks all the time)")
    for name in sorted(after.indexes.keys() ^ before.indexes.keys()):
        say(f"  index {name} {'was made' if name in after.indexes else 'was dropped'}")


def _say_faults() -> None:
    table = Table(title="Planted")
    for column in ("Finding it should become", "Object", "What is wrong"):
        table.add_column(column)
    for each in FAULTS:
        table.add_row(each.kind.replace("_", " "), each.object, each.says)
    console.print(table)
