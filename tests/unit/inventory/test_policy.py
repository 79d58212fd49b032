"""Policies as they apply, who is chosen, and that the policy's hash means the policy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from day2 import inventory
from day2.errors import PlanRefused
from day2.inventory import Environment, policy_hash, select
from tests.unit.inventory.homes import GOOD, Home


def load(home: Home, text: str = GOOD) -> Environment:
    return inventory.load(home.write(text), calendars=home.folder / "calendars")


def test_an_override_changes_its_field_and_no_other(home: Home) -> None:
    environment = load(home)
    orders, billing = (environment.backup_policy(each) for each in environment.databases)
    assert (orders.engine, billing.engine) == ("physical", "logical")
    assert billing == orders.model_copy(update={"engine": "logical"})


def test_an_override_inside_a_group_leaves_the_rest_of_the_group(home: Home) -> None:
    environment = load(home, GOOD.replace("engine: logical", "retention: {weekly: 9}"))
    retention = environment.backup_policy(environment.database("billing")).retention
    assert (retention.daily, retention.weekly) == (14, 9)


def test_an_override_may_drop_encryption_by_saying_so(home: Home) -> None:
    environment = load(home, GOOD.replace("engine: logical", "encryption: none"))
    assert environment.backup_policy(environment.database("billing")).encryption == "none"


def test_a_restore_policy_can_be_overridden(home: Home) -> None:
    text = GOOD.replace(
        "      database_backup:\n        engine: logical", "      database_restore: {response_timeout: PT1H}"
    )
    environment = load(home, text)
    assert [environment.restore_policy(each).response_timeout.total_seconds() for each in environment.databases] == [
        14400,
        3600,
    ]


def test_a_file_written_from_an_environment_reads_the_same(home: Home) -> None:
    environment = load(home)
    # JSON is YAML.
    assert load(home, environment.model_dump_json()) == environment


def test_defaults_are_what_they_say(home: Home) -> None:
    policy = load(home).policies
    assert policy.database_backup.rto == timedelta(hours=1)
    assert policy.database_backup.lease_ttl == timedelta(hours=6)
    assert policy.database_backup.retry_delay == timedelta(minutes=2)
    assert policy.database_restore.response_timeout == timedelta(hours=4)


def test_databases_are_chosen_by_name_in_the_inventorys_order(home: Home) -> None:
    chosen = select(load(home), ["billing", "orders", "billing"])
    assert [each.name for each in chosen] == ["orders", "billing"]


def test_an_unknown_database_is_refused_with_the_nearest_name(home: Home) -> None:
    with pytest.raises(PlanRefused) as caught:
        select(load(home), ["orders", "biling"])
    assert str(caught.value) == (
        "production: 'biling' is no database; did you mean 'billing'? · Next: choose from the inventory as it is now."
    )


def test_choosing_nothing_is_refused(home: Home) -> None:
    with pytest.raises(PlanRefused) as caught:
        select(load(home), [])
    assert str(caught.value) == "production: no database was chosen · Next: choose from: orders, billing."


def test_the_hash_is_of_the_policy_and_not_of_how_it_is_written(home: Home) -> None:
    before = policy_hash(load(home))
    assert before == policy_hash(load(home, "# a comment\n" + GOOD.replace("rpo: PT26H", "rpo: P1DT2H")))
    assert before == policy_hash(load(home, GOOD.replace("daily: 14", "daily: 14\n      weekly: 4  # the default")))
    assert before == policy_hash(load(home, GOOD.replace("owner: platform", "owner: other")))


@pytest.mark.parametrize(
    ("old", "new"),
    [("daily: 14", "daily: 15"), ("engine: logical", "engine: physical"), ("rpo: PT26H", "rpo: PT27H")],
)
def test_the_hash_changes_with_the_policy(home: Home, old: str, new: str) -> None:
    assert policy_hash(load(home)) != policy_hash(load(home, GOOD.replace(old, new)))
