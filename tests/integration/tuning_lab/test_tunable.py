"""The lab's database to tune: its faults are there, its load is real, and it can be made anew."""

from __future__ import annotations

import time

from lab.tunable import BAD_SETTINGS, DATABASE, HOLDER, LOAD, VISIT, Bazaar

CALLS = "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%bazaar.%' AND calls >= 20 AND queryid IS NOT NULL"


def test_the_load_calls_every_statement_and_keeps_a_transaction_open(bazaar: Bazaar) -> None:
    bazaar.start()
    with bazaar.server.connect(DATABASE) as connection:
        deadline = time.monotonic() + 60
        while True:
            [seen] = connection.execute(CALLS).fetchone() or (0,)
            if seen >= len(VISIT) or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        held = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE application_name = 'bazaar-report' AND xact_start IS NOT NULL"
        ).fetchall()
    assert seen >= len(VISIT)
    assert held == [("idle in transaction",)]
    assert bazaar.server.processes.pid(LOAD)


def test_an_index_makes_the_customers_page_faster_by_a_clock_of_its_own(bazaar: Bazaar) -> None:
    bazaar.stop()
    before = bazaar.latency("customer", calls=50)
    with bazaar.server.connect(DATABASE) as connection:
        connection.execute("CREATE INDEX day2_test ON bazaar.orders (customer_id, created_at)")
    assert bazaar.latency("customer", calls=50) < before / 3


def test_made_anew_it_has_its_faults_again_and_no_index_of_ours(bazaar: Bazaar) -> None:
    bazaar.start()
    bazaar.plant()
    assert not bazaar.server.processes.pid(LOAD)
    assert not bazaar.server.processes.pid(HOLDER)
    assert {"orders_created", "orders_created_again", "orders_note"} < set(bazaar.indexes())
    assert not any(each.startswith("day2_") for each in bazaar.indexes())
    assert bazaar.settings() == BAD_SETTINGS
