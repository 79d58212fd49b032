"""From a load nobody tuned to a kept index: what the advice says can be tried as it stands."""

from __future__ import annotations

import time

from day2.operations.performance_tuning import target
from day2.operations.performance_tuning.advise import advise
from day2.operations.performance_tuning.attempt import attempt
from day2.operations.performance_tuning.collect import collect
from day2.operations.performance_tuning.hypothetical import weigh
from day2.operations.performance_tuning.thresholds import MB, Thresholds
from tests.integration.tuning_apply.conftest import BY_CUSTOMER, BY_ID, HOST, POLICY, Shop

LIMITS = Thresholds(share=0.01, index_table_bytes=MB, unused_seconds=0, unused_bytes=8192, bloat_bytes=MB)


def test_the_index_that_the_advice_asks_for_is_built_and_kept(shop: Shop) -> None:
    shop.run("create index never on orders (note)")
    shop.run("create index twice on orders (note)")
    with shop.load(BY_CUSTOMER, BY_ID, rate=80):
        time.sleep(2)
        facts = collect(shop.server)
        found = advise(weigh(shop.server, facts, LIMITS), LIMITS).recommendations
        changes = {each.key: target.of(each.change) for each in found if each.change}
        assert len(changes) >= 2, changes
        [missing] = [each for each in found if each.kind == "missing_index"]
        done = attempt(shop.server, missing, POLICY, host=HOST, note=shop.note)
    assert done["outcome"] == "kept", done["decision"]
    assert done["effects"][0]["high"] < -0.9
    assert shop.index(changes[missing.key].name) == (True,)
