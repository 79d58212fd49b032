"""Advice as a whole: ordered, JSON, the same each time, and with what was not possible."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from day2.operations.performance_tuning.advise import OF_PRIMARY, advise, remembered
from day2.operations.performance_tuning.facts import Denied
from day2.operations.performance_tuning.thresholds import DAY
from day2.operations.performance_tuning.wording import create_concurrently, index_name, parts
from tests.unit.tuning.making import MACHINE, SESSION, STATEMENT, TABLE, facts, index

SLOW = replace(STATEMENT, calls=100, total_ms=100_000.0)
SICK = facts(
    statements=(SLOW,),
    tables=(TABLE,),
    indexes=(index("idle", "a", scans=0), index("one", "b"), index("two", "b", scans=0)),
    transactions=(replace(SESSION, seconds=9000),),
)


def test_the_most_worthwhile_comes_first_and_every_key_is_there_once():
    advice = advise(SICK, machine=MACHINE)
    scores = [each.score for each in advice.recommendations]
    assert scores == sorted(scores, reverse=True)
    keys = [each.key for each in advice.recommendations]
    assert keys[0] == "slow_statement:statement 1"
    assert len(keys) == len(set(keys)) == 4
    assert advise(SICK, machine=MACHINE) == advice
    assert json.loads(json.dumps(advice.as_dict()))["database"] == "shop"


def test_what_the_last_run_remembered_tells_what_became_slower():
    before = remembered(facts(statements=(replace(STATEMENT, calls=1000, total_ms=1000.0),)))
    now = facts(statements=(replace(STATEMENT, calls=2000, total_ms=51_000.0),))
    told = advise(now, machine=MACHINE, earlier=json.loads(json.dumps(before)))
    assert [each.kind for each in told.recommendations] == ["regressed_statement"]


def test_a_standby_is_not_told_what_only_its_primary_may_change():
    advice = advise(replace(SICK, standby=True), machine=MACHINE)
    assert {each.kind for each in advice.recommendations} == {"slow_statement", "long_transaction"}
    assert [each.kinds for each in advice.not_possible] == [OF_PRIMARY]


def test_what_was_not_possible_comes_with_what_would_help():
    denied = Denied("statements", "not loaded", "load it")
    known = facts(denied=(denied,), window=3 * DAY, trials_unread=2)
    found = {each.why: each.remedy for each in advise(known).not_possible}
    assert found["not loaded"] == "load it"
    assert found["uses are counted for 3.0 days, and 30 are asked for"].startswith("wait")
    assert any("memory, CPUs and disk" in why for why in found)
    assert any(why.startswith("2 of the top statements") for why in found)
    assert advise(facts(), machine=MACHINE).not_possible == ()


def test_names_of_ours_are_told_by_their_beginning_and_fit():
    assert index_name('"S".t', ("a", '"B c"')) == '"S"."day2_t_a_B c"'
    assert index_name('"a.b"."t""x"', ("a",)) == '"a.b"."day2_t""x_a"'
    long = [parts(index_name("s." + "ü" * 31, ("c" * 40, each)))[1] for each in ("one", "two")]
    assert long[0] != long[1]
    assert all(len(each.strip('"').encode()) <= 63 for each in long)


def test_only_an_index_is_created_concurrently():
    assert create_concurrently("CREATE UNIQUE INDEX x ON t (a)") == "CREATE UNIQUE INDEX CONCURRENTLY x ON t (a)"
    with pytest.raises(ValueError, match="not the definition"):
        create_concurrently("DROP TABLE t")
