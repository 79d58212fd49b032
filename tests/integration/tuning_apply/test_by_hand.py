"""What was changed by hand on a real server is seen, and its statements take it back and make it again."""

from __future__ import annotations

from day2.operations.performance_tuning.apply import apply, revert, state
from day2.operations.performance_tuning.by_hand_changes import changes
from day2.operations.performance_tuning.seen import seen
from tests.integration.tuning_apply.conftest import POLICY, Shop


def test_every_change_by_hand_is_seen_and_can_be_taken_back_and_made_again(shop: Shop) -> None:
    shop.run('create index "Their ""x""" on orders (note) where note <> \'a\'')
    shop.run("alter system set work_mem = '8MB'")
    shop.run("select pg_reload_conf()")
    then = seen(shop.server)
    assert changes(then, seen(shop.server)) == []
    shop.run('drop index "Their ""x"""')
    shop.run("create index mine on orders (customer)")
    shop.run("alter system set work_mem = '16MB'")
    shop.run("alter system set random_page_cost = '1.1'")
    shop.run('alter database "the ""shop"" \'x\'" set jit = off')
    shop.run("select pg_reload_conf()")
    by_hand = seen(shop.server)
    found = changes(then, by_hand)
    assert {each.object for each in found} == {
        "setting work_mem",
        "setting random_page_cost",
        "database setting jit",
        'public."Their ""x"""',
        "public.mine",
    }
    made = []
    for each in found:
        assert each.change
        before = state(shop.server, each.change)
        apply(shop.server, each.change, POLICY, before=before)
        made.append((each.change, before))
    assert changes(then, seen(shop.server)) == []
    for change, before in made:
        revert(shop.server, change, POLICY, before=before)
    assert seen(shop.server) == by_hand
    shop.run('alter database "the ""shop"" \'x\'" reset jit')
