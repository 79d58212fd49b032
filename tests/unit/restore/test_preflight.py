"""What stands in the way of a restore, decided from what was seen."""

from __future__ import annotations

from typing import Any

import pytest

from day2.operations.database_restore.preflight import replaced_problems, scratch_bytes, target_problems
from day2.operations.database_restore.staged import Target, derived
from day2.postgres.server import Server
from tests.unit.repository.builders import manifest, stored_object

ID = "20261123T021500Z-1f0c9a3e"
REPLACED = {
    "bytes": 1,
    "owned": True,
    "is_template": False,
    "sessions": 4,
    "prepared_transactions": 0,
    "logical_slots": 0,
    "subscriptions": 0,
}


def seen(**more: Any) -> dict[str, Any]:
    return {
        "version": "17.10",
        "version_num": 170010,
        "in_recovery": False,
        "connected_to": "postgres",
        "may_create_databases": True,
        "may_create_roles": True,
        "may_end_sessions": True,
        "roles_missing": [],
        "extensions_missing": [],
        "replaced": None,
    } | more


def target(name: str = "orders") -> Target:
    return Target(Server("db", 5432, "postgres", "postgres"), name)


def test_a_server_that_has_all_it_takes_is_no_problem():
    assert target_problems(manifest(ID), seen()) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"version": "16.4", "version_num": 160004}, "same version or a newer one"),
        ({"in_recovery": True}, "standby"),
        ({"may_create_databases": False}, "createdb"),
        ({"roles_missing": ["a", "b"], "may_create_roles": False}, "lacks the roles a, b"),
        ({"extensions_missing": ["postgis"]}, "no extension postgis"),
    ],
)
def test_what_a_server_lacks_is_said(what, said):
    problems = target_problems(manifest(ID), seen(**what))
    assert len(problems) == 1
    assert said in problems[0]


def test_missing_roles_that_may_be_created_are_no_problem():
    assert target_problems(manifest(ID), seen(roles_missing=["a"])) == []


@pytest.mark.parametrize(
    ("replaced", "look", "said"),
    [
        (None, {}, "no database 'orders' to replace"),
        ({}, {"connected_to": "orders"}, "connect to `postgres` instead"),
        ({"is_template": True}, {}, "template"),
        ({"owned": False}, {}, "cannot rename it"),
        ({}, {"may_end_sessions": False}, "pg_signal_backend"),
        ({"prepared_transactions": 2}, {}, "2 prepared transactions"),
        ({"logical_slots": 1}, {}, "1 logical replication slots"),
        ({"subscriptions": 3}, {}, "3 subscriptions"),
    ],
)
def test_what_stands_in_the_way_in_place_is_said(replaced, look, said):
    here = None if replaced is None else REPLACED | replaced
    problems = replaced_problems(seen(replaced=here, **look), target(), destination="in_place")
    assert len(problems) == 1
    assert said in problems[0]


def test_in_place_over_a_living_database_is_no_problem():
    assert replaced_problems(seen(replaced=REPLACED), target(), destination="in_place") == []


def test_a_new_database_never_takes_a_name_that_is_taken():
    problems = replaced_problems(seen(replaced=REPLACED), target(), destination="new_database")
    assert problems == ["there is a database 'orders' already: choose another name, or restore in place"]


def test_a_name_the_server_would_cut_is_refused():
    assert replaced_problems(seen(), target("ö" * 31), destination="new_database") == []
    problems = replaced_problems(seen(), target("ö" * 32), destination="new_database")
    assert "longer than 63 bytes" in problems[0]


def test_a_derived_name_keeps_its_end_and_whole_characters():
    name = derived("ö" * 31, "before", "20261123T021500Z")
    assert name.endswith("ö_before_20261123T021500Z")
    assert len(name.encode()) <= 63
    assert derived("orders", "before", "20261123T021500Z") == "orders_before_20261123T021500Z"


def test_a_copy_that_runs_on_the_worker_needs_more_than_what_is_stored():
    assert scratch_bytes(manifest(ID)) > 8_000_000
    big = stored_object("base.tar.zst.age", b"x", plain_bytes=10**12)
    assert scratch_bytes(manifest(ID, objects=(big,))) > 10**12
