"""The PostgreSQL servers of a host: which the inventory puts there, and what the suite is told of them."""

from __future__ import annotations

from typing import Any

from day2.operations.security_patching import postgresql_host
from day2.operations.security_patching.postgresql_host import Reference, Served
from day2.postgres.server import Server
from tests.unit.patching.making import environment

PROVEN: dict[str, Any] = {"databases_unseen": {}, "collation_mismatches_new": 0}
NOTHING: dict[str, Any] = {"failed": [], "left": [], "updated": []}


def pair(**more: Any) -> list[dict[str, Any]]:
    standby = {"connection": "pg_orders_b", "region": "us", "host": "web-03"}
    orders = {"name": "orders", "connection": "pg_orders", "region": "eu", "host": "web-02", "standby": standby}
    return [orders | more, {"name": "billing", "connection": "pg_billing", "region": "eu", "host": "web-02"}]


def test_the_servers_of_a_host_are_primaries_and_standbys_with_the_other_one_of_the_pair():
    made = environment(databases=pair(dbname="shop"))
    assert list(postgresql_host.references(made, "web-02")) == [
        Reference("orders", "pg_orders", "shop", "pg_orders_b"),
        Reference("billing", "pg_billing", None, None),
    ]
    assert list(postgresql_host.references(made, "web-03")) == [
        Reference("orders-standby", "pg_orders_b", "shop", "pg_orders")
    ]
    assert list(postgresql_host.references(made, "web-04")) == []


def test_a_server_with_several_databases_is_looked_at_once():
    one, two = Server("10.0.0.2", 5432, "day2", "orders"), Server("10.0.0.2", 5433, "day2", "other")
    served = [Served("orders", one), Served("billing", one.at("billing")), Served("other", two)]
    assert [each.name for each in postgresql_host.distinct(served)] == ["orders", "other"]


def test_a_host_without_postgresql_has_nothing_to_answer_for():
    assert set(postgresql_host.facts(0, {}, {}).values()) == {0}


def test_a_server_that_was_not_proven_is_told_apart_and_never_zero():
    told = postgresql_host.facts(2, {"orders": PROVEN}, {"orders": NOTHING})
    assert (told["postgres_servers"], told["postgres_as_before"]) == (2, 1)
    assert [name for name, value in told.items() if value is None] == [
        "postgres_databases_unseen",
        "postgres_collations_changed",
        "postgres_extensions_failed",
        "postgres_extensions_left",
    ]


def test_what_is_left_to_do_is_counted_over_all_servers_of_the_host():
    measured = {
        "orders": PROVEN | {"collation_mismatches_new": 2},
        "other": PROVEN | {"databases_unseen": {"x": "refused"}},
    }
    made = {"orders": NOTHING | {"failed": [1], "left": [1, 2]}, "other": NOTHING | {"left": [3]}}
    assert postgresql_host.facts(2, measured, made) == {
        "postgres_servers": 2,
        "postgres_as_before": 2,
        "postgres_databases_unseen": 1,
        "postgres_collations_changed": 2,
        "postgres_extensions_failed": 1,
        "postgres_extensions_left": 3,
    }
