"""What fails a look, and what only warns: an alert that nobody took fails it, a gap does not."""

from __future__ import annotations

from typing import Any

import pytest

from day2.operations.health_check.checks import of_look

GOOD: dict[str, Any] = {"samples": 9, "gaps": {}, "dropped": {}, "told": {"[CRITICAL] disk": True}}


def wrong(**changed: Any) -> tuple[bool, list[str]]:
    found = of_look("production", **(GOOD | changed))
    return found.passed, [each.id for each in found.checks if not each.passed]


@pytest.mark.parametrize(
    ("changed", "passed", "failed"),
    [
        ({}, True, []),
        ({"told": {}}, True, []),
        ({"samples": 0}, False, ["sampled"]),
        ({"told": {"[CRITICAL] disk": False, "[INFO] other": True}}, False, ["told"]),
        ({"gaps": {"host/a": "it does not answer"}}, True, ["answered"]),
        ({"dropped": {"from the future": 2}}, True, ["believed"]),
    ],
)
def test_only_what_nobody_saw_or_took_fails_a_look(changed: dict[str, Any], passed: bool, failed: list[str]):
    assert wrong(**changed) == (passed, failed)


def test_what_was_not_taken_is_named():
    found = of_look("production", **(GOOD | {"told": {"[CRITICAL] disk": False}}))
    assert [each.observed for each in found.checks if each.id == "told"] == [["[CRITICAL] disk"]]
    assert all(each.target == "production" for each in found.checks), "the run's only target: its status needs them"
