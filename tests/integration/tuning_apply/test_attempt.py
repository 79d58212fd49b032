"""A change on a living database is kept when it was measured to help, and is taken back when it was not."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from day2.operations.performance_tuning.attempt import attempt
from day2.operations.performance_tuning.ready import Disk, Host
from tests.integration.tuning_apply.conftest import (
    BY_CUSTOMER,
    BY_ID,
    BY_TOUCHED,
    HOST,
    POLICY,
    TOUCH,
    Shop,
    recommended,
)

CREATE = "CREATE INDEX CONCURRENTLY day2_orders_customer ON public.orders USING btree (customer)"
DROP = "DROP INDEX CONCURRENTLY public.day2_orders_customer"


def test_a_missing_index_is_built_measured_and_kept_and_pgbench_agrees(shop: Shop) -> None:
    slow = shop.latency_ms(BY_CUSTOMER)
    item = recommended(CREATE, DROP, takes_space=2_000_000, measured_by=shop.queryids("%customer = %"))
    with shop.load(BY_CUSTOMER, BY_ID, rate=80):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    fast = shop.latency_ms(BY_CUSTOMER)
    print(f"{done['decision']}; pgbench: {slow} ms, then {fast} ms")
    assert done["outcome"] == "kept", done["decision"]
    assert shop.index("day2_orders_customer") == (True,)
    blocks, ms = done["effects"]
    assert ms["share"] == pytest.approx(fast / slow - 1, abs=0.1)
    assert (blocks["before"], blocks["high"] < -0.9) == (pytest.approx(682, abs=40), True)
    assert [each["name"] for each in done["seen"]] == ["before", "with", "after"]
    assert [phase for phase, _ in shop.notes] == ["apply", "applied", "revert", "keep", "kept"]
    assert json.loads(json.dumps(done, allow_nan=False))["outcome"] == "kept"


def test_an_index_that_hurts_writes_is_taken_back_although_it_helps_a_query(shop: Shop) -> None:
    shop.run("select count(*), min(id) from orders where touched = 7")
    item = recommended(
        "CREATE INDEX CONCURRENTLY day2_touched ON public.orders (touched, note, md5(note), sha256(note::bytea))",
        "DROP INDEX CONCURRENTLY public.day2_touched",
        measured_by=shop.queryids("%where touched = %"),
        takes_space=10_000_000,
    )
    with shop.load(BY_TOUCHED, *[TOUCH] * 7, rate=280):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    print(done["decision"])
    assert done["outcome"] == "reverted", done["decision"]
    assert "made something else worse: “update orders set touched" in done["decision"]
    assert done["effects"][0]["share"] < -0.5, "the query itself gained"
    assert shop.index("day2_touched") is None


def test_a_setting_that_slows_the_top_statement_is_taken_back_with_its_file(shop: Shop) -> None:
    shop.run("ALTER SYSTEM SET cpu_index_tuple_cost = '0.004'")
    shop.run("select pg_reload_conf()")
    shop.run("select note from orders where id = 7")
    item = recommended(
        "ALTER SYSTEM SET cpu_index_tuple_cost = '1000000'",
        "ALTER SYSTEM SET cpu_index_tuple_cost = '0.004'",
        kind="setting",
        context="user",
        measured_by=shop.queryids("select note from orders where id = %"),
    )
    with shop.load(BY_ID, rate=50):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    print(done["decision"])
    assert done["outcome"] == "reverted", done["decision"]
    assert "slower" in done["decision"]
    assert shop.setting("cpu_index_tuple_cost") == ("0.004", "postgresql.auto.conf")
    assert done["state_with"]["value"] == "1e+06"


def test_nobody_calls_the_statement_so_nothing_is_changed(shop: Shop) -> None:
    shop.run("select count(*), max(note) from orders where customer = 7")
    item = recommended(CREATE, DROP, measured_by=shop.queryids("%where customer = %"))
    assert item.change
    assert len(item.change.measured_by) == 1
    done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    assert done["outcome"] == "unmeasured"
    assert "nothing measurable" in done["decision"]
    assert "nothing was changed" in done["decision"]
    assert (shop.notes, shop.index("day2_orders_customer")) == ([], None)


def test_without_pg_stat_statements_nothing_is_changed_and_the_remedy_is_told(shop: Shop) -> None:
    shop.run("drop extension pg_stat_statements")
    done = attempt(shop.server, recommended(CREATE, DROP), POLICY, host=HOST, note=shop.note)
    assert done["outcome"] == "unmeasured"
    assert "CREATE EXTENSION pg_stat_statements" in done["error"]["next_step"]
    assert shop.notes == []


def test_when_nothing_is_counted_any_more_the_change_is_taken_back(shop: Shop) -> None:
    def note(phase: str, facts: Any) -> None:
        shop.note(phase, facts)
        if phase == "applied":
            shop.run("drop extension pg_stat_statements")

    shop.run("select count(*), max(note) from orders where customer = 7")
    item = recommended(CREATE, DROP, measured_by=shop.queryids("%where customer = %"))
    with shop.load(BY_CUSTOMER, rate=50):
        done = attempt(shop.server, item, POLICY, host=HOST, note=note)
    assert (done["outcome"], shop.index("day2_orders_customer")) == ("unmeasured", None)
    assert [phase for phase, _ in shop.notes] == ["apply", "applied", "revert", "reverted"]


@pytest.mark.parametrize(("more", "outcome"), [((), "unmeasured"), (("-C",), "kept")])
def test_what_a_database_sets_is_only_measured_in_sessions_that_began_after_it(
    shop: Shop, more: tuple[str, ...], outcome: str
) -> None:
    verb = 'ALTER DATABASE "the ""shop"" \'x\'"'
    shop.run(f"{verb} SET cpu_index_tuple_cost = '1000000'")
    shop.run(f"{verb} SET work_mem = '8MB'")
    shop.run("select note from orders where id = 7")
    item = recommended(
        f"{verb} SET cpu_index_tuple_cost = '0.005'",
        f"{verb} SET cpu_index_tuple_cost = '1e6'",
        kind="setting",
        measured_by=shop.queryids("select note from orders where id = %"),
    )
    # A connection for each call is slow.
    rare = {"block": timedelta(seconds=3), "minimum_calls": 5}
    policy = POLICY.model_copy(update={"measure": POLICY.measure.model_copy(update=rare)}) if more else POLICY
    with shop.load(BY_ID, rate=25 if more else 60, more=more):
        time.sleep(0.5)
        done = attempt(shop.server, item, policy, host=HOST, note=shop.note)
    for name in ("cpu_index_tuple_cost", "work_mem"):
        shop.run(f"{verb} RESET {name}")
    assert done["outcome"] == outcome, done["decision"]
    assert outcome == "kept" or "began before it" in done["decision"]


def test_statistics_that_nobody_can_take_back_are_said_to_stay(shop: Shop) -> None:
    item = recommended("ANALYZE public.orders", "-- nothing to reverse", kind="stale_statistics", risk="safe")

    def note(phase: str, facts: Any) -> None:
        shop.note(phase, facts)
        if phase == "applied":
            threading.Timer(0.8, lambda: shop.run("select pg_stat_statements_reset()")).start()

    with shop.load(BY_ID, rate=60):
        done = attempt(shop.server, item, POLICY, host=HOST, note=note)
    assert done["outcome"] == "unmeasured", done["decision"]
    assert done["decision"].endswith("it was done, and there is nothing that undoes it")


def test_statistics_taken_anew_are_kept_when_no_statement_got_worse(shop: Shop) -> None:
    item = recommended("ANALYZE public.orders", "-- nothing to reverse", kind="stale_statistics", risk="safe")
    with shop.load(BY_ID, rate=60):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    assert done["outcome"] == "kept", done["decision"]
    assert "it was analyzed" in done["decision"]


def test_a_nearly_full_disk_puts_the_change_off(shop: Shop) -> None:
    nearly_full = Host(cpus=2, disk=lambda: Disk(1_000_000_000, 899_000_000))
    item = recommended(CREATE, DROP, takes_space=1_000_000)
    done = attempt(shop.server, item, POLICY, host=nearly_full, note=shop.note)
    assert done["outcome"] == "deferred"
    assert "more than 90 %" in done["decision"]
    assert (shop.notes, shop.index("day2_orders_customer")) == ([], None)


def test_a_disk_that_filled_while_the_baseline_was_watched_puts_the_change_off(shop: Shop) -> None:
    used = iter((100_000_000, 899_000_000))
    filling = Host(cpus=2, disk=lambda: Disk(1_000_000_000, next(used)))
    with shop.load(BY_ID, rate=60):
        done = attempt(
            shop.server, recommended(CREATE, DROP, takes_space=1_000_000), POLICY, host=filling, note=shop.note
        )
    assert (done["outcome"], shop.notes, shop.index("day2_orders_customer")) == ("deferred", [], None)


def test_a_busy_server_puts_the_change_off(shop: Shop) -> None:
    policy = POLICY.model_copy(update={"low_load": 0.01})
    with shop.load(BY_CUSTOMER, rate=1000, clients=2):
        done = attempt(shop.server, recommended(CREATE, DROP), policy, host=HOST, note=shop.note)
    assert done["outcome"] == "deferred"
    assert "it is busy" in done["decision"]


def test_an_index_that_nobody_uses_is_dropped_when_no_statement_got_worse(shop: Shop) -> None:
    shop.run("create index unused on orders (note)")
    item = recommended(
        "DROP INDEX CONCURRENTLY public.unused",
        "CREATE INDEX CONCURRENTLY unused ON public.orders USING btree (note)",
        kind="unused_index",
    )
    with shop.load(BY_ID, TOUCH, rate=60):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    print(done["decision"])
    assert done["outcome"] == "kept", done["decision"]
    assert "freed" in done["decision"]
    assert shop.index("unused") is None


def test_an_index_that_somebody_does_use_comes_back_when_it_was_dropped(shop: Shop) -> None:
    shop.run("create index used on orders (customer)")
    item = recommended(
        "DROP INDEX CONCURRENTLY public.used",
        "CREATE INDEX CONCURRENTLY used ON public.orders USING btree (customer)",
        kind="unused_index",
    )
    with shop.load(BY_CUSTOMER, rate=50):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    assert done["outcome"] == "reverted", done["decision"]
    assert shop.index("used") == (True,)


def test_a_bloated_index_is_rebuilt_without_traffic_and_its_space_is_told(shop: Shop) -> None:
    shop.run("delete from orders where id % 10 <> 0")
    shop.run("vacuum orders")
    item = recommended("REINDEX INDEX CONCURRENTLY public.orders_pkey", "-- nothing to reverse", kind="index_bloat")
    done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    assert done["outcome"] == "kept", done["decision"]
    assert done["state_with"]["bytes"] < done["state_before"]["bytes"] / 4


def test_what_is_for_people_is_only_advised(shop: Shop) -> None:
    high = recommended(DROP, CREATE, kind="unused_index", risk="high")
    careful = POLICY.model_copy(update={"mode": "apply_safe"})
    odd = recommended("DROP TABLE orders", "-- nothing")
    for item, policy in (
        (high, POLICY),
        (recommended(CREATE, DROP), careful),
        (odd, POLICY),
        (replace(high, change=None, risk="safe"), POLICY),
    ):
        assert attempt(shop.server, item, policy, host=HOST, note=shop.note)["outcome"] == "advised"
    assert (shop.notes, shop.run("select count(*) from orders")) == ([], [(60_000,)])
