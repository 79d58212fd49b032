"""The plan's impact preview, and how it reads."""

from __future__ import annotations

from datetime import timedelta

from day2.inventory.model import Database, Environment, Host, Service
from day2.operations.database_backup import planning
from day2.repository import points
from tests.unit.operations.jobs import job
from tests.unit.repository.builders import NOW, commit


def environment(*, services=(), hosts=(), databases=()) -> Environment:
    return Environment(
        name="production",
        tier="production",
        regions={"primary": "eu-west-1", "recovery": "eu-central-1"},
        owner="platform",
        services=services,
        hosts=hosts,
        databases=databases,
        policies={"database_backup": {"encryption": "none"}},
    )


def service(name: str, *needs: str) -> Service:
    return Service(name=name, depends_on=needs)


def test_dependents_are_found_through_each_other_nearest_first():
    here = environment(
        services=(service("shop", "service/cart"), service("cart", "host/web"), service("mail", "host/other")),
        hosts=(Host(name="web", address="x", connection="c", region="r", depends_on=("database/orders",)),),
        databases=(Database(name="reports", connection="c", region="r", depends_on=("database/orders",)),),
    )
    assert planning.dependents(here, "database/orders") == [
        "database/reports", "host/web", "service/cart", "service/shop",
    ]  # fmt: skip
    assert planning.dependents(here, "service/shop") == []


def test_what_depends_on_each_other_does_not_go_round_for_ever():
    here = environment(services=(service("a", "service/b", "database/x"), service("b", "service/a")))
    assert planning.dependents(here, "database/x") == ["service/a", "service/b"]


def test_the_newest_verified_point_is_told_with_its_age(store):
    made, here = job(store), environment()
    assert planning.around(here, made, now=NOW)["last_verified_point"] is None
    old, new = commit(store, at=NOW - timedelta(hours=30)), commit(store, at=NOW - timedelta(hours=2))
    points.attest(store, old, passed=True, at=NOW, content={})
    points.attest(store, new, passed=False, at=NOW, content={})
    seen = planning.around(here, made, now=NOW)
    assert (seen["last_verified_point"], seen["last_verified_age_seconds"]) == (old.id, 30 * 3600)


def test_a_plan_reads_as_an_operator_would_say_it(store):
    made = job(store)
    facts = {"version": "17.10", "cluster_bytes": 5_000_000_000, "database_bytes": 1, "scratch_bytes": 1}
    planned = {
        "digest": "0123456789abcdef",
        "environment": "production",
        "trigger": {"type": "manual", "user": "ann", "reason": "new release", "ticket": ""},
        "targets": [planning.target(made, facts)],
        "impact": {"orders": planning.around(environment(), made, now=NOW)},
        "dry_run": True,
    }
    assert planning.lines(planned) == [
        "plan 0123456789ab: back up 1 databases of production",
        "asked for: manual by ann; reason: new release; ticket: -",
        "orders: physical copy of 5.0 GB from 127.0.0.1:5432 (PostgreSQL 17.10) to "
        f"{store.url}, copies: none, NOT encrypted",
        "orders: depended on by nothing; newest verified recovery point: none yet",
        "dry run: nothing will be touched",
    ]
    assert "secret" not in str(planned)
