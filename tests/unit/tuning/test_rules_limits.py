"""What runs out, and who keeps it from being freed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.performance_tuning import rules_limits
from day2.operations.performance_tuning.thresholds import GB, Thresholds
from tests.unit.tuning.making import SEQUENCE, SESSION, SLOT, TABLE, facts, setting

LIMITS = Thresholds()
BIG = 2**31 - 1
FREEZE = (
    setting("autovacuum_freeze_max_age", "200000000"),
    setting("autovacuum_multixact_freeze_max_age", "400000000"),
)


@pytest.mark.parametrize(
    ("counter", "age", "kinds"),
    [
        ("xid_age", 200_000_000, []),
        ("xid_age", 1_000_000_000, ["transaction_id_age"]),
        ("mxid_age", 500_000_000, []),
        ("mxid_age", 700_000_000, ["multixact_age"]),
    ],
)
def test_ids_are_told_when_autovacuum_is_behind_with_them(counter, age, kinds):
    old = replace(TABLE, name='public."Old One"', **{counter: age})
    found = list(rules_limits.ages(facts(counters={counter: age}, settings=FREEZE, tables=(TABLE, old)), LIMITS))
    assert [each.kind for each in found] == kinds
    assert [each.change.statement for each in found] == ['VACUUM (FREEZE) public."Old One"'] * len(kinds)


def test_a_limit_that_somebody_set_high_on_purpose_is_no_alarm():
    high = (setting("autovacuum_freeze_max_age", "1500000000"),)
    assert list(rules_limits.ages(facts(counters={"xid_age": 1_200_000_000}, settings=high), LIMITS)) == []


@pytest.mark.parametrize(
    ("sequence", "statement"),
    [
        (replace(SEQUENCE, last=10**6), None),
        (replace(SEQUENCE, type="integer", maximum=BIG, last=2 * 10**9), "ALTER SEQUENCE public.s AS bigint"),
        (replace(SEQUENCE, last=2 * 10**9, column_type="integer", column_maximum=BIG), ""),
        (replace(SEQUENCE, last=95, maximum=100), ""),
        (replace(SEQUENCE, last=95, maximum=100, cycles=True), None),
        (replace(SEQUENCE, last=None, maximum=100), None),
        (replace(SEQUENCE, last=95, maximum=100, column="", column_type="", column_maximum=None), ""),
    ],
)
def test_a_sequence_is_told_before_its_end_and_widened_where_its_column_is_wide(sequence, statement):
    found = list(rules_limits.sequences(facts(sequences=(sequence,)), LIMITS))
    assert len(found) == (statement is not None)
    if statement:
        assert found[0].change.statement == statement
        assert found[0].change.reverse == "ALTER SEQUENCE public.s AS integer"
    elif found:
        assert found[0].change is None
        assert found[0].to_do


def test_long_transactions_are_told_but_not_a_dump():
    sessions = (
        replace(SESSION, seconds=60),
        replace(SESSION, pid=8, seconds=7200),
        replace(SESSION, pid=9, seconds=7200, application="pg_dump"),
        replace(SESSION, pid=None, seconds=9000, application="it's", state="prepared"),
    )
    found = list(rules_limits.transactions(facts(transactions=sessions), LIMITS))
    assert [each.object for each in found] == ["session 8 of app (web)", "prepared it's"]
    assert "pg_terminate_backend(8)" in found[0].to_do
    assert "ROLLBACK PREPARED 'it''s'" in found[1].to_do
    assert {each.change for each in found} == {None}


@pytest.mark.parametrize(
    ("slot", "told"),
    [
        (replace(SLOT, retained_bytes=5 * GB), False),
        (replace(SLOT, retained_bytes=5 * GB, active=False), True),
        (replace(SLOT, retained_bytes=1000, active=False), False),
        (replace(SLOT, wal_status="lost", active=False), True),
        (replace(SLOT, wal_status="unreserved"), True),
    ],
)
def test_a_slot_is_told_when_nobody_fetches_what_it_keeps(slot, told):
    found = list(rules_limits.slots(facts(slots=(slot,)), LIMITS))
    assert bool(found) == told
    assert all("pg_drop_replication_slot('follower')" in each.to_do for each in found)


@pytest.mark.parametrize(("used", "told"), [(79, False), (80, True)])
def test_connections_are_told_when_the_limit_is_near(used, told):
    known = facts(counters={"connections": used, "idle": 70}, settings=(setting("max_connections", "100"),))
    assert bool(list(rules_limits.connections(known, LIMITS))) == told
