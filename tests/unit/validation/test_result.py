"""How a result reads in a log, and what the ledger gets."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from day2.validation import Check, SuiteResult
from day2.validation.result import LISTED, plain

PASSED = Check(
    id="restore_started",
    name="the newest recovery point was restored and its server started",
    target="orders",
    expected="true",
    observed=True,
    severity="critical",
    passed=True,
)
FAILED = replace(PASSED, target="billing", observed=False, passed=False)
WARNED = replace(FAILED, id="rto", name="the restore was quick", severity="warning", expected="at most 60", observed=61)


def test_the_report_begins_with_the_verdict_and_the_failures():
    assert SuiteResult("database_backup", (PASSED, WARNED, FAILED)).report() == [
        "suite database_backup: FAILED: 1 of 3 checks passed, 1 failed, 1 to look at",
        "FAIL billing: the newest recovery point was restored and its server started (expected true; observed false)",
        "WARN billing: the restore was quick (expected at most 60; observed 61)",
        "ok   the newest recovery point was restored and its server started (1 of 2)",
    ]


def test_a_warning_alone_lets_the_suite_pass():
    result = SuiteResult("database_backup", (PASSED, WARNED))
    assert result.passed
    assert result.report()[0] == "suite database_backup: PASSED: 1 of 2 checks passed, 0 failed, 1 to look at"


def test_a_result_without_checks_has_not_passed():
    assert not SuiteResult("database_backup", ()).passed


def test_failures_of_a_target_are_its_own_and_those_of_all_rows():
    everywhere = replace(FAILED, target="*")
    result = SuiteResult("database_backup", (PASSED, FAILED, WARNED, everywhere))
    assert result.failures("orders") == (everywhere,)
    assert result.failures("billing") == (FAILED, everywhere)
    assert result.failures() == (FAILED, everywhere)


def test_many_failures_of_one_check_are_cut_in_the_log_and_whole_in_the_record():
    result = SuiteResult("database_backup", tuple(replace(FAILED, target=f"db-{n}") for n in range(LISTED + 5)))
    assert len(result.report()) == 1 + LISTED + 1
    assert result.report()[-1] == "     restore_started: 5 more targets; the record names them all"
    assert len(result.as_dict()["checks"]) == LISTED + 5


def test_facts_that_were_measured_are_counted_not_listed():
    measured = replace(PASSED, id="measured.rto_seconds")
    assert SuiteResult("database_backup", (PASSED, measured, measured)).report()[1:] == [
        "ok   the newest recovery point was restored and its server started (1 of 1)",
        "ok   2 facts were measured",
    ]


def test_the_record_is_plain_json_with_null_for_nan():
    (check,) = SuiteResult("s", (replace(FAILED, observed=float("nan"), error="x"),)).as_dict()["checks"]
    assert json.loads(json.dumps(check, allow_nan=False)) == {
        "id": "restore_started",
        "name": "the newest recovery point was restored and its server started",
        "target": "billing",
        "expected": "true",
        "observed": None,
        "severity": "critical",
        "passed": False,
        "error": "x",
    }


@pytest.mark.parametrize(
    ("value", "as_json"),
    [
        (float("inf"), None),
        (Decimal("NaN"), None),
        (Decimal("Infinity"), None),
        (Decimal("3.0"), 3),
        (Decimal("3.5"), 3.5),
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23T00:00:00+00:00"),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64("nan"), None),
        ((1, 2), "(1, 2)"),
    ],
)
def test_every_value_becomes_plain_json(value, as_json):
    assert plain(value) == as_json
    assert type(plain(value)) is type(as_json)
