"""A change on a living database is kept when it was measured to help, and is taken back when it was not."""

from __future__ import annotations

from day2.operations.performance_tuning.attempt import attempt
from tests.integration.tuning_apply.conftest import BY_CUSTOMER, BY_ID, HOST, POLICY, Shop, recommended

CREATE = "CREATE INDEX CONCURRENTLY day2_orders_customer ON public.orders USING btree (customer)"
DROP = "DROP INDEX CONCURRENTLY public.day2_orders_customer"


def test_a_missing_index_is_built_measured_and_kept_and_pgbench_agrees(shop: Shop) -> None:
    slow = shop.latency_ms(BY_CUSTOMER)
    item = recommended(CREATE, DROP, takes_space=2_000_000, measured_by=shop.queryids("%customer = %"))
    with shop.load(BY_CUSTOMER, BY_ID, rate=60):
        done = attempt(shop.server, item, POLICY, host=HOST, note=shop.note)
    fast = shop.latency_ms(BY_CUSTOMER)
    assert done["outcome"] == "kept", done["decision"]
    print(done["decision"], slow, fast, done)
    assert shop.run("select indisvalid from pg_index where indexrelid = 'day2_orders_customer'::regclass") == [(True,)]
