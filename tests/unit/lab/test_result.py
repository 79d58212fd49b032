"""What the demo shows of a record, on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from lab.approver import in_short
from lab.result import targets

FAILOVER = {
    "promote": {"timeline": 2},
    "verify": {"rto_seconds": 14.2, "rpo_seconds": 0.4, "lost": 2},
    "rejoin": {"means": "rewind"},
    "switch_back": {"outage_seconds": 0.61, "redundant": True},
}
REBUILD = {
    "promote": {"point": "20261123T021500Z"},
    "verify": {"rto_seconds": 61.0, "rpo_seconds": 7200.0},
    "switch_back": {"outage_seconds": 0.0, "needed": False},
}


def shown(operation: str, measures: dict[str, Any]) -> str:
    names = list(measures)
    record = {
        "operation": operation,
        "dag_id": f"{operation}.production",
        "run_id": "manual__1",
        "targets": {"resolved": names, "succeeded": names, "failed": [], "not_attempted": [], "not_applicable": []},
        "measures": measures,
        "checks": [{"target": f"{names[0]} → recovery", "passed": True}, {"target": names[0], "passed": False}],
    }
    console = Console(width=200)
    with console.capture() as capture:
        console.print(targets(record))
    return capture.get()


def row(text: str, target: str) -> list[str]:
    line = next(line for line in text.splitlines() if f"│ {target} " in line)
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_drill_shows_its_objectives_and_how_it_went_home() -> None:
    text = shown("dr_drill", {"orders": FAILOVER, "billing": REBUILD})
    assert row(text, "orders") == [
        *("orders", "succeeded", "failover", "14.2 s", "400 ms", "2", "610 ms (rewind)", "restored", "1 of 2")
    ]
    assert row(text, "billing")[2:8] == [
        *("rebuild of 20261123T021500Z", "1 min 01 s", "2 h 00 min", "–", "not needed", "–")
    ]


def test_a_drill_that_stopped_early_shows_what_it_does_not_know() -> None:
    assert row(shown("dr_drill", {"orders": {"fence": {}}}), "orders")[2:8] == ["–"] * 6


def test_a_backup_keeps_its_own_columns() -> None:
    text = shown("database_backup", {"orders": {"back_up": {"point": "p1", "engine": "physical"}}})
    assert row(text, "orders")[2:4] == ["p1", "physical"]
    assert "RTO" not in text


def test_patching_shows_what_became_of_each_host() -> None:
    patched = {"patch": {"packages": 3, "seconds": {"install": 4.0, "reboot": 6.5}, "rebooted": True, "healthy": True}}
    back = {
        "patch": {"packages": 3, "seconds": {"install": 4.0}, "rebooted": True},
        "roll_back": {"rolled_back": True, "healthy": True},
    }
    ill = {"patch": {"packages": 3}, "roll_back": {"rolled_back": False, "healthy": False}}
    text = shown("security_patching", {"web-01": patched, "web-02": back, "web-03": ill, "app-01": {}})
    assert row(text, "web-01")[2:7] == ["3", "10.5 s", "yes", "–", "yes"]
    assert row(text, "web-02")[2:7] == ["3", "4.0 s", "yes", "yes", "yes"]
    assert row(text, "web-03")[2:7] == ["3", "–", "–", "no", "NO"]
    assert row(text, "app-01")[2:7] == ["–"] * 5


def test_what_the_approver_reads_is_cut_to_the_terminal() -> None:
    lines = in_short("\n\n".join(["x" * 200, *(f"line {n}" for n in range(20))]))
    assert len(lines[0]) == 140
    assert lines[-1] == "… and 9 lines more, under Required Actions"
