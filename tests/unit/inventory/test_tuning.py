"""Tuning policies: what may be changed, to which value, and what could never work as written."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest

from day2 import inventory
from day2.inventory.amounts import amount
from day2.inventory.tuning import BOUNDS, CHANGE_KINDS, Bound, TuningPolicy
from day2.operations.performance_tuning.model import Kind
from tests.unit.inventory.homes import GOOD, Home

POLICY = "  performance_tuning:\n    mode: apply_approved\n"
WINDOW = "operations: [security_patching]"
WITH = GOOD.replace(WINDOW, "operations: [security_patching, performance_tuning]") + POLICY
OF_ORDERS = "      - table: public.archive\n        reason: not used yet\n        until: 2027-06-30\n"


def problems(home: Home, text: str) -> list[str]:
    home.write(text)
    return [each.partition(": ")[2] for each in home.problems()]


def of_orders(override: str) -> str:
    return WITH.replace(OF_ORDERS, f"{OF_ORDERS}    policies:\n      performance_tuning: {override}\n")


def test_a_good_policy_loads_and_a_database_changes_the_fields_it_names(home: Home) -> None:
    home.write(of_orders("{mode: advise, measure: {block: PT2M}}"))
    assert home.problems() == []
    [environment] = inventory.environments(home.folder)
    orders, billing = (environment.tuning_policy(each) for each in environment.databases)
    assert (orders.mode, billing.mode) == ("advise", "apply_approved")
    assert (orders.measure.block, orders.measure.minimum_calls) == (timedelta(minutes=2), 100)


def test_every_kind_that_may_be_changed_is_a_kind_of_finding() -> None:
    assert set(CHANGE_KINDS) < set(get_args(Kind))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("    bounds: {work_mem: {min: 1GB, max: 4MB}}\n", "min 1GB is above max 4MB"),
        ("    bounds: {work_mem: {min: 1, max: 4MB}}\n", "min 1 and max 4MB have different units"),
        ("    bounds: {work_mem: {}}\n", "bounds nothing; give it min, max, or both"),
        ("    bounds: {work_mem: {max: 4mb}}\n", "'4mb' is no amount; write 64MB, 1.1 or 30s"),
        ("    bounds: {work_mem: {max: true}}\n", "True is no amount"),
        ("    bounds: {jit_above_cost: {max: 5}}\n", "bounds of jit_above_cost: allow.settings does not name it"),
        ("    bounds: {'Work Mem': {max: 4MB}}\n", "'Work Mem' is no name of a setting"),
        ("    allow: {kinds: [missing_idx]}\n", "'missing_idx' is not"),
        ("    allow: {kinds: []}\n", "mode 'apply_approved' changes nothing: allow.kinds is empty"),
        ("    measure: {block: PT2H}\n", "is measured three times, which is longer than every window"),
        ("    measure: {block: 600}\n", "600 is not an ISO 8601 duration"),
        ("    measure: {minimum_gain_percent: 0}\n", "minimum_gain_percent must be greater than 0"),
        ("    disk_limit_percent: 101\n", "disk_limit_percent must be less than or equal to 100"),
        ("    schedule: 0 5 * * 1\n", "'0 5 * * 1' starts on Monday 05:00, never inside 'sunday' (0 1 * * 0)"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(home: Home, lines: str, says: str) -> None:
    found = problems(home, WITH + lines)
    assert any(says in each for each in found), found


def test_a_policy_that_only_advises_needs_no_window(home: Home) -> None:
    text = WITH.replace("mode: apply_approved", "mode: advise\n    schedule: 0 5 * * 1")
    assert problems(home, text) == []


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("{schedule: 0 2 * * 0}", "schedule belongs to the run, not to one database"),
        ("{mod: advise}", "unknown field 'mod'; did you mean 'mode'?"),
        ("{bounds: {work_mem: {min: 9GB}}}", None),
        (
            "{bounds: {work_mem: {min: 9GB, max: 1GB}}}",
            "policies.performance_tuning: bounds of work_mem: min 9GB is above max 1GB",
        ),
    ],
)
def test_an_override_is_held_to_the_same_rules(home: Home, override: str, says: str | None) -> None:
    home.write(of_orders(override))
    found = home.problems()
    assert (found == []) if says is None else any(says in each for each in found), found


def test_an_override_of_a_policy_that_is_not_there_is_refused(home: Home) -> None:
    text = of_orders("{mode: advise}").removesuffix(POLICY)
    assert "the environment has no policy of that name to differ from" in problems(home, text)[0]


def test_the_policy_hash_changes_with_a_databases_override(home: Home) -> None:
    home.write(WITH)
    [before] = inventory.environments(home.folder)
    home.write(of_orders("{low_load: 0.2}"))
    [after] = inventory.environments(home.folder)
    assert inventory.policy_hash(before) != inventory.policy_hash(after)


@pytest.mark.parametrize(
    ("text", "same_as"), [("64MB", "65536kB"), ("1min", "60s"), ("90min", "1.5h"), ("0.5", "0.50"), ("-1", "-1.0")]
)
def test_amounts_are_compared_by_what_they_mean(text: str, same_as: str) -> None:
    assert amount(text) == amount(same_as)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("4MB", None),
        ("256MB", None),
        ("1048577kB", "1048577kB is above the bound of 256MB"),
        ("1023kB", "1023kB is below the bound of 1MB"),
        ("65536", "65536 cannot be compared with the bound 1MB: give both with a unit, or none"),
        ("plenty", "'plenty' is no amount; write 64MB, 1.1 or 30s, with the units of PostgreSQL"),
    ],
)
def test_a_value_outside_of_its_bounds_or_not_comparable_is_refused(value: str, says: str | None) -> None:
    assert BOUNDS["work_mem"].refuses(value) == says


def test_what_the_policy_does_not_name_is_not_changed() -> None:
    policy = TuningPolicy(mode="apply_safe", bounds={"work_mem": Bound(max="8MB")})
    assert policy.refuses("missing_index") is None
    assert policy.refuses("unused_index") == "the policy does not allow changes of kind unused_index"
    assert policy.refuses("setting", "fsync", "off") == "the policy does not allow to change fsync"
    assert policy.refuses("setting", "work_mem", "16MB") == "work_mem: 16MB is above the bound of 8MB"
    assert policy.refuses("setting", "work_mem", "8MB") is None
    assert TuningPolicy().refuses("missing_index") == "the policy only advises"


def test_a_setting_without_a_bound_of_the_policy_keeps_the_wide_one() -> None:
    policy = TuningPolicy(mode="apply_safe", bounds={"work_mem": Bound(max="8MB")})
    assert policy.refuses("setting", "random_page_cost", "400") == "random_page_cost: 400 is above the bound of 4"
