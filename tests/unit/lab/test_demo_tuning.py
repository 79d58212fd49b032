"""The demo of tuning believes what it sees from outside, not what the run says of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from day2.operations.performance_tuning.model import Kind
from lab.demo_tuning import WATCHED, Look, expected
from lab.tunable import BAD_SETTINGS, FAULTS, SCRIPTS, VISIT

BEFORE = Look(
    dict.fromkeys(WATCHED, 30.0),
    {"orders_pkey": True, "orders_created": True, "orders_created_again": True},
    BAD_SETTINGS,
)
AFTER = Look(
    BEFORE.latency | {"customer": 1.0},
    {"orders_pkey": True, "orders_created_again": True, "day2_orders_customer_id": True},
    BAD_SETTINGS | {"random_page_cost": "1.1"},
)
RECORD = {"verdict": "PASSED"}


def test_a_run_that_did_what_it_should_is_good():
    assert all(expected(BEFORE, AFTER, RECORD).values())


@pytest.mark.parametrize(
    ("after", "record"),
    [
        (AFTER, None),
        (AFTER, {"verdict": "FAILED"}),
        (replace(AFTER, latency=BEFORE.latency), RECORD),
        (replace(AFTER, indexes={"orders_pkey": True}), RECORD),
        (replace(AFTER, indexes=AFTER.indexes | {"day2_clicks_page_id": True}), RECORD),
        (replace(AFTER, indexes=AFTER.indexes | {"day2_orders_customer_id": False}), RECORD),
        (replace(AFTER, settings=BAD_SETTINGS), RECORD),
    ],
)
def test_each_thing_that_went_wrong_is_told_alone(after, record):
    assert list(expected(BEFORE, after, record).values()).count(False) == 1


def test_every_planted_fault_is_a_kind_of_finding():
    assert {each.kind for each in FAULTS} <= set(get_args(Kind))


def test_every_script_of_the_load_is_there_and_what_is_watched_is_called():
    assert all((SCRIPTS / f"{name}.sql").is_file() for name in (*VISIT, "hold"))
    assert set(WATCHED) <= set(VISIT)
