"""A change that cannot be made leaves what was before; one that can is undone to exactly that."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from day2.errors import StepFailed
from day2.operations.performance_tuning import leftovers
from day2.operations.performance_tuning.apply import NotUndone, apply, revert, state
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.ready import Deferred, require_ready
from day2.operations.performance_tuning.settle import settle
from day2.postgres.server import Server
from tests.integration.tuning_apply.conftest import HOST, POLICY, Shop, recommended

CREATE = "CREATE INDEX CONCURRENTLY day2_customer ON public.orders (customer)"
DROP = "DROP INDEX CONCURRENTLY public.day2_customer"
INDEX = Change(CREATE, DROP, locks="")


@contextmanager
def open_transaction(shop: Shop, *statements: str) -> Iterator[Any]:
    """Somebody's transaction that has begun and does not end."""
    with shop.runs.connect(shop.dbname) as connection:
        connection.execute("begin isolation level repeatable read")
        for each in ("select count(*) from orders", *statements):
            connection.execute(each.encode())
        yield connection
        connection.execute("rollback")


def made(shop: Shop, change: Change) -> dict[str, Any]:
    before = state(shop.server, change)
    apply(shop.server, change, POLICY, before=before)
    return before


@pytest.mark.parametrize(
    "change",
    [
        INDEX,
        Change('CREATE INDEX CONCURRENTLY "day2_Odd ""x"" \'1\'" ON public."Odd ""Tab"" le" ("the column")',
               'DROP INDEX CONCURRENTLY public."day2_Odd ""x"" \'1\'"', ""),
        Change("DROP INDEX CONCURRENTLY public.noted",
               "CREATE INDEX CONCURRENTLY noted ON public.orders USING btree (note) WHERE (note <> 'a;b''c')", ""),
        Change("ALTER SYSTEM SET work_mem = '8MB'", "ALTER SYSTEM RESET work_mem", "", context="user"),
        Change("ALTER SYSTEM SET lock_timeout = '9s'", "ALTER SYSTEM RESET lock_timeout", "", context="user"),
        Change("ALTER SYSTEM SET checkpoint_timeout = '30min'", "ALTER SYSTEM RESET checkpoint_timeout", "",
               context="sighup"),
        Change("ALTER DATABASE \"the \"\"shop\"\" 'x'\" SET work_mem = '8MB'",
               "ALTER DATABASE \"the \"\"shop\"\" 'x'\" RESET work_mem", ""),
        Change("ALTER TABLE public.orders SET (autovacuum_vacuum_scale_factor = 0.01)",
               "ALTER TABLE public.orders RESET (autovacuum_vacuum_scale_factor)", ""),
    ],
    ids=lambda change: change.statement[:40],
)  # fmt: skip
def test_what_was_made_is_undone_to_exactly_what_was_before_however_often(shop: Shop, change: Change) -> None:
    shop.run("create index noted on orders (note) where note <> 'a;b''c'")
    before = made(shop, change)
    assert state(shop.server, change) != before
    for _ in range(2):
        revert(shop.server, change, POLICY, before=before)
        after = state(shop.server, change)
        assert {**after, "bytes": 0} == {**before, "bytes": 0}


def test_an_open_transaction_keeps_an_index_out_and_nothing_is_left(shop: Shop) -> None:
    with open_transaction(shop) as other:
        ending = threading.Timer(4.0, lambda: other.execute("rollback"))
        ending.start()
        with pytest.raises(StepFailed, match="lock timeout") as told:
            made(shop, INDEX)
        ending.join()
    assert told.value.left == "nothing: what was before is back"
    assert told.value.runbook == "A lock kept a change out"
    assert shop.index("day2_customer") is None


def test_an_old_transaction_puts_a_change_off_before_it_is_tried(shop: Shop) -> None:
    with open_transaction(shop):
        time.sleep(1.2)
        with pytest.raises(Deferred, match="a transaction has been open for"):
            require_ready(shop.server, INDEX, POLICY, host=HOST)


def test_a_drop_that_a_lock_stopped_half_way_is_said_and_the_next_run_puts_it_right(shop: Shop) -> None:
    shop.run("create index noted on orders (note)")
    drop = recommended(
        "DROP INDEX CONCURRENTLY public.noted", "CREATE INDEX CONCURRENTLY noted ON public.orders USING btree (note)"
    )
    assert drop.change
    before = state(shop.server, drop.change)
    hasty = POLICY.model_copy(update={"lock_timeout": timedelta(seconds=0.2), "attempts": 1})
    with open_transaction(shop), pytest.raises(NotUndone) as told:
        apply(shop.server, drop.change, hasty, before=before)
    assert shop.index("noted") == (False,), "PostgreSQL leaves it so"
    assert "CREATE INDEX CONCURRENTLY noted" in told.value.next_step
    done = settle(shop.server, drop, [("apply", {"before": before})], POLICY)
    assert done
    assert done["outcome"] == "interrupted"
    assert shop.index("noted") == (True,)


def test_a_deadlock_is_survived_by_trying_again(shop: Shop) -> None:
    patient = POLICY.model_copy(update={"lock_timeout": timedelta(seconds=10)})
    shop.run("alter system set deadlock_timeout = '1500ms'")
    shop.run("select pg_reload_conf()")
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    [(before,)] = shop.run(deadlocks)
    with open_transaction(shop) as other:
        building = threading.Thread(target=lambda: apply(shop.server, INDEX, patient, before={}))
        building.start()
        waits = "select count(*) from pg_stat_activity where query like 'CREATE INDEX C%' and wait_event_type = 'Lock'"
        while shop.run(waits) != [(1,)]:
            time.sleep(0.02)
        other.execute("lock table orders in share update exclusive mode")  # it waits for us, and we for it
        other.execute("commit")
        building.join(timeout=30)
        other.execute("begin")
    assert shop.index("day2_customer") == (True,)
    time.sleep(1)
    assert shop.run(deadlocks)[0][0] == before + 1


def test_a_setting_that_needs_a_restart_is_refused_and_leaves_no_trace_in_the_file(shop: Shop) -> None:
    unaware = Change("ALTER SYSTEM SET max_connections = '321'", "ALTER SYSTEM RESET max_connections", "")
    with pytest.raises(StepFailed, match="takes effect at a restart only"):
        made(shop, unaware)
    assert shop.run("select count(*) from pg_file_settings where name = 'max_connections' and setting = '321'") == [
        (0,)
    ]
    assert shop.run("select count(*) from pg_settings where pending_restart") == [(0,)]
    aware = Change(unaware.statement, unaware.reverse, "", context="postmaster")
    with pytest.raises(Deferred, match="restart"):
        require_ready(shop.server, aware, POLICY, host=HOST)


def test_a_setting_that_something_overrides_is_not_taken_for_made(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("day2.operations.performance_tuning.apply.SHOWS_SECONDS", 1.0)
    shop.run("alter system set work_mem = '8MB'")
    shop.run("select pg_reload_conf()")
    again = Change("ALTER SYSTEM SET work_mem = '8MB'", "ALTER SYSTEM SET work_mem = '8MB'", "", context="user")
    with pytest.raises(StepFailed, match="something overrides it, or it had that value"):
        made(shop, again)


def test_a_statement_the_server_refuses_leaves_what_was_before(shop: Shop) -> None:
    wrong = Change("CREATE UNIQUE INDEX CONCURRENTLY day2_customer ON public.orders (customer)", DROP, "")
    with pytest.raises(StepFailed, match="could not create unique index") as told:
        made(shop, wrong)
    assert told.value.left == "nothing: what was before is back"
    assert shop.index("day2_customer") is None, "the invalid index of the failed build is gone"


def test_a_role_without_the_right_is_told_the_grant(shop: Shop) -> None:
    shop.run("drop role if exists day2_poor")
    shop.run("create role day2_poor login password 'poor'")
    poor = Server(shop.server.host, shop.server.port, "day2_poor", shop.dbname, "poor")
    with pytest.raises(StepFailed, match="must be owner of table orders") as told:
        apply(poor, INDEX, POLICY, before={})
    assert "GRANT the role that owns the table" in told.value.next_step
    system = Change("ALTER SYSTEM SET work_mem = '8MB'", "ALTER SYSTEM RESET work_mem", "")
    with pytest.raises(StepFailed, match="permission denied") as told:
        apply(poor, system, POLICY, before=state(poor, system))
    assert "GRANT ALTER SYSTEM ON PARAMETER work_mem" in told.value.next_step
    with pytest.raises(Deferred, match="GRANT pg_read_all_stats"), shop.runs.connect(shop.dbname):
        require_ready(poor, INDEX, POLICY, host=HOST)


def test_only_our_own_leftovers_are_dropped_and_none_that_is_being_built(shop: Shop) -> None:
    for statement in (
        "create index concurrently day2_left on orders (customer)",
        "create index concurrently theirs on orders (customer)",
        "create index concurrently rebuilt_ccnew on orders (customer)",
        "create index concurrently other_ccnew on orders (customer)",
    ):
        shop.run(statement)
    shop.run("update pg_index set indisvalid = false where indrelid = 'orders'::regclass and not indisprimary")
    with open_transaction(shop):
        builds = threading.Thread(target=lambda: shop.run("create index concurrently day2_new on orders (note)"))
        builds.start()
        while shop.index("day2_new") is None:
            time.sleep(0.02)
        assert leftovers.find(shop.server) == []
    builds.join()
    dropped = leftovers.sweep(shop.server, POLICY, rebuilt=[("public", "rebuilt")])
    assert [each["name"] for each in dropped] == ["day2_left", "rebuilt_ccnew"]
    assert (shop.index("theirs"), shop.index("other_ccnew")) == ((False,), (False,))
    assert shop.index("day2_new") == (True,)
