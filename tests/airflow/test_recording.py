"""A record names each mapped task by its target, as the verdict reads it."""

from __future__ import annotations

from typing import Any

import pytest

from day2.airflow import recording

TARGETS = [
    {"name": "web-01", "wave": "canary", "blocked": None},
    {"name": "web-02", "wave": "broad", "blocked": "no answer"},
    {"name": "web-03", "wave": "broad", "blocked": None},
    {"name": "web-04", "wave": "early", "blocked": None},
    {"name": "web-05", "wave": "broad", "blocked": None},
]
PLAN = {"targets": TARGETS}


def crumb(task_id: str, index: int = -1, state: str = "success") -> dict[str, Any]:
    return {"task_id": task_id, "map_index": index, "state": state, "operator": "@task"}


def test_a_task_that_is_not_mapped_keeps_its_name():
    crumbs = [crumb("plan"), crumb("canary.open_wave"), {"task_id": "lock", "state": "failed"}]
    assert recording.states(crumbs, PLAN) == {"plan": "success", "canary.open_wave": "success", "lock": "failed"}


def test_the_tasks_of_a_wave_are_its_own_hosts_and_no_blocked_one():
    crumbs = [
        crumb("canary.patch", 0),
        crumb("broad.patch", 0, "failed"),
        crumb("broad.patch", 1, "skipped"),
        crumb("broad.roll_back", 0),
    ]
    assert recording.states(crumbs, PLAN) == {
        "canary.patch[web-01]": "success",
        "broad.patch[web-03]": "failed",
        "broad.patch[web-05]": "skipped",
        "broad.roll_back[web-03]": "success",
    }


def test_outside_of_a_group_tasks_are_mapped_over_every_target():
    plan = {"targets": [{"name": "orders"}, {"name": "billing"}]}
    found = recording.states([crumb("backup", 0), crumb("backup", 1, "failed")], plan)
    assert found == {"backup[orders]": "success", "backup[billing]": "failed"}


@pytest.mark.parametrize("plan", [{}, {"targets": []}])
def test_without_a_plan_a_task_is_told_without_a_target(plan):
    assert recording.states([crumb("backup", 0, "upstream_failed")], plan) == {"backup": "upstream_failed"}
