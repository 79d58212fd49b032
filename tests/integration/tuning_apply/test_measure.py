"""What is watched: every statement of the database, cheaply; and what may not be seen is said with its GRANT."""

from __future__ import annotations

import itertools
import threading
import time
from datetime import timedelta

import pytest

from day2.operations.performance_tuning.effect import BEFORE, WITH, Trial, decide
from day2.operations.performance_tuning.measure import NotMeasurable, measure, texts
from day2.postgres.server import Server
from tests.integration.tuning_apply.conftest import BY_CUSTOMER, BY_ID, POLICY, Shop

COLUMNS = ("id", "customer", "touched", '"note"')
SECOND = timedelta(seconds=1)


def test_a_block_counts_what_was_called_and_not_our_own_looks(shop: Shop) -> None:
    with shop.load(BY_CUSTOMER, BY_ID, rate=100):
        seen = measure(shop.server, BEFORE, timedelta(seconds=2))
    told = texts(shop.server, list(seen.statements))
    assert seen.problems == ()
    assert seen.seconds == pytest.approx(2, abs=0.5)
    assert len(seen.slices) == 8
    by_text = {told[queryid]: cost for queryid, cost in seen.statements.items()}
    [customer] = [cost for text, cost in by_text.items() if "customer =" in text]
    assert customer.per_call("blocks") == 682
    assert customer.calls == pytest.approx(100, rel=0.6)
    assert not [text for text in told.values() if "pg_stat_statements" in text]


def test_thousands_of_statements_with_quotes_and_long_texts_cost_little_to_watch(shop: Shop) -> None:
    with shop.runs.connect(shop.dbname) as connection:
        for columns in itertools.islice(itertools.product(COLUMNS, repeat=6), 3_000):
            connection.execute(f"""select '{"'" * 2}$1', {", ".join(columns)} from orders where id = 7""")
        connection.execute(f"select /* {'long ' * 25_000} */ note from orders where id = 1")
    [(known,)] = shop.run("select count(*) from pg_stat_statements where query like '%from orders where id%'")
    assert known > 3_000
    begun = time.monotonic()
    with shop.load(BY_CUSTOMER, BY_ID, rate=50):
        time.sleep(0.5)
        own = shop.queryids("%customer = %")
        blocks = [measure(shop.server, name, SECOND, own=own) for name in (BEFORE, WITH)]
    watched = time.monotonic() - begun
    begun = time.monotonic()
    found = decide(Trial(blocks[0], blocks[1], own=own), POLICY.measure)
    decided = time.monotonic() - begun
    [(calls, mean_ms)] = shop.run(
        "select calls, mean_exec_time from pg_stat_statements where query like '%jsonb_build_array%' and calls > 5"
    )
    print(f"a look at 3,000 statements takes {mean_ms:.1f} ms of the server; {calls} looks; decided in {decided:.2f} s")
    assert found.own, "the one statement among thousands was compared"
    assert mean_ms < 250
    assert watched < 10
    assert decided < 5


def test_a_role_that_may_not_see_others_statements_is_told_the_grant(shop: Shop) -> None:
    shop.run("drop role if exists day2_blind")
    shop.run("create role day2_blind login password 'blind'")
    blind = Server(shop.server.host, shop.server.port, "day2_blind", shop.dbname, "blind")
    with pytest.raises(NotMeasurable, match="hidden from this role") as told:
        measure(blind, BEFORE, SECOND)
    assert told.value.next_step == "GRANT pg_read_all_stats TO the role"
    shop.run("grant pg_read_all_stats to day2_blind")
    assert measure(blind, BEFORE, SECOND).problems == ()


def test_the_extension_is_found_in_any_schema_and_commands_are_told_without_their_constants(shop: Shop) -> None:
    shop.run('create schema "Odd ""ext"""')
    shop.run('alter extension pg_stat_statements set schema "Odd ""ext"""')
    try:
        shop.run("create role day2_secret password 'top secret'")
        shop.run("drop role day2_secret")
        with shop.load(BY_ID, rate=50):
            seen = measure(shop.server, BEFORE, SECOND)
        ids = [each for (each,) in shop.run('select queryid from "Odd ""ext""".pg_stat_statements')]
        told = texts(shop.server, ids).values()
    finally:
        shop.run("alter extension pg_stat_statements set schema public")
        shop.run('drop schema "Odd ""ext"""')
    assert seen.calls_per_second > 20
    assert [each for each in told if each.lower().startswith("create …")]
    assert not [each for each in told if "secret" in each]


def test_a_statement_that_is_forgotten_in_the_middle_is_no_measurement(shop: Shop) -> None:
    with shop.load(BY_CUSTOMER, rate=50):
        time.sleep(0.5)
        own = shop.queryids("%customer = %")
        forget = "select pg_stat_statements_reset(0, 0, %s)"
        threading.Timer(0.5, lambda: shop.run(forget, own[0])).start()
        seen = measure(shop.server, BEFORE, timedelta(seconds=1.5), own=own)
    assert seen.problems == ("somebody reset the counters of a statement that is measured",)
