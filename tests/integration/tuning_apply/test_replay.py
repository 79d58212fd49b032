"""A change rehearsed on a copy: real statements, values from its rows, and nothing stays changed."""

from __future__ import annotations

from dataclasses import replace

from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.replay import Wanted, promising, replay
from tests.integration.tuning_apply.conftest import POLICY, Shop

INDEX = Change(
    "CREATE INDEX CONCURRENTLY day2_customer ON public.orders (customer)",
    "DROP INDEX CONCURRENTLY public.day2_customer",
    locks="",
)
READS = {
    1: "select count(*), max(note) from orders where customer = $1",
    2: "select note from public.orders o where o.id = $1",
    3: "select * from orders where customer between $1 and $2 and lower(note) like $3 order by id limit $4",
    4: 'select other from "Odd ""Tab"" le" where "the column" = any($1)',
    5: "select sum(touched) from orders",
    6: "select a.id from orders a join orders b on a.id = b.customer where b.note = $1",
}
NOT_READS = {
    11: "update orders set touched = $1 where id = $2",
    12: "select nextval($1)",
    13: "select set_config($1, $2, false)",
    14: "select id from orders where id = $1 for update",
    15: "select 1; drop table orders",
    16: "select missing from orders where id = $1",
}


def test_real_statements_are_replayed_without_and_with_the_change_and_the_copy_is_as_before(shop: Shop) -> None:
    wanted = [Wanted(each, text) for each, text in {**READS, **NOT_READS}.items()]
    done = replay(shop.server, INDEX, wanted, POLICY)
    print(done.as_dict())
    assert set(done.after) == set(READS)
    assert set(done.not_replayed) == set(NOT_READS)
    assert done.before[1].blocks == 682
    assert done.after[1].blocks < 20
    assert done.after[2].blocks == done.before[2].blocks
    assert shop.index("day2_customer") is None
    assert shop.run("select count(*), max(touched) from orders") == [(60_000, 0)]
    assert done.not_replayed[11] == "it changes data"
    assert "read-only" in done.not_replayed[14]
    good, says = promising(done, replace(INDEX, measured_by=(1,)), POLICY)
    assert (good, says) == (
        True,
        f"on a copy its statements read 682 blocks a call without it, {done.after[1].blocks:.4g} with it",
    )


def test_a_change_that_gains_nothing_on_the_copy_is_not_promising(shop: Shop) -> None:
    done = replay(shop.server, INDEX, [Wanted(each, READS[each]) for each in (2, 5)], POLICY)
    assert promising(done, replace(INDEX, measured_by=(5,)), POLICY)[0] is False
    assert promising(done, replace(INDEX, measured_by=(99,)), POLICY) == (
        True,
        "none of its statements could be replayed: only the living database can tell",
    )


def test_a_setting_that_makes_another_statement_read_more_is_not_promising(shop: Shop) -> None:
    slow = Change("ALTER SYSTEM SET cpu_index_tuple_cost = '1000000'", "ALTER SYSTEM RESET cpu_index_tuple_cost", "")
    done = replay(shop.server, slow, [Wanted(each, READS[each]) for each in (1, 2)], POLICY)
    good, says = promising(done, replace(slow, measured_by=(1,)), POLICY)
    assert not good
    assert "statement 2 read +" in says
    assert shop.setting("cpu_index_tuple_cost")[0] == "0.005"
