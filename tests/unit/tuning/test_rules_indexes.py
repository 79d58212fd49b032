"""Which indexes go, and above all which never do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from day2.operations.performance_tuning import rules_indexes
from day2.operations.performance_tuning.facts import Denied, StandbyUse, Trial
from day2.operations.performance_tuning.thresholds import DAY, GB, MB, Thresholds
from tests.unit.tuning.making import KEY, TABLE, facts, index

LIMITS = Thresholds()


def dropped(*indexes, **parts) -> list[tuple[str, str]]:
    known = facts(indexes=indexes, tables=(TABLE,), **parts)
    return [(each.kind, each.object.split(" ")[0]) for each in rules_indexes.surplus(known, LIMITS)]


def test_of_two_that_are_the_same_one_goes_and_the_used_one_stays():
    assert dropped(index("one", "a", scans=0), index("two", "a", scans=9)) == [("duplicate_index", "public.one")]


def test_never_both_of_a_pair_even_if_neither_is_used_and_a_third_covers_them():
    one, two, three = index("one", "a", scans=0), index("two", "a", scans=0), index("three", "a", "b", scans=0)
    found = dropped(one, two, three)
    assert found == [("duplicate_index", "public.two"), ("unused_index", "public.three")]


def test_the_one_that_stands_in_for_another_stays_though_nobody_used_it():
    short, long = index("short", "a", scans=50), index("long", "a", "b", scans=0)
    assert dropped(short, long) == [("redundant_index", "public.short")]


def test_a_long_index_is_no_stand_in_for_a_much_shorter_one():
    short, long = index("short", "a", bytes=10 * MB), index("long", "a", "b", bytes=100 * MB)
    assert dropped(short, long) == []


def test_an_order_that_differs_is_another_index():
    down = index("down", "a", "b", shape=("a 1978 0 3", "b 1978 0 0"))
    assert dropped(index("up", "a"), down) == []


def test_the_plain_one_goes_and_the_one_of_a_constraint_stays():
    primary = index("t_pkey", "a", unique=True, constraint="t_pkey", scans=0)
    assert dropped(primary, index("again", "a", scans=99)) == [("duplicate_index", "public.again")]


@pytest.mark.parametrize(
    "why",
    [
        {"unique": True},
        {"constraint": "t_excl"},
        {"replica_identity": True},
        {"clustered": True},
        {"attached": True},
        {"partitioned": True},
        {"expressions": True},
        {"building": True},
        {"valid": False},
        {"scans": 1},
        {"bytes": 8192},
    ],
    ids=lambda why: next(iter(why)),
)
def test_what_something_depends_on_is_never_unused(why):
    assert dropped(index("idle", "a", scans=0)) == [("unused_index", "public.idle")]
    assert dropped(index("idle", "a", **{"scans": 0} | why)) == []


@pytest.mark.parametrize("why", [{"unique": True}, {"constraint": "x"}, {"replica_identity": True}, {"attached": True}])
def test_two_that_something_depends_on_both_stay(why):
    assert dropped(index("one", "a", **why), index("two", "a", **why)) == []


def test_unused_is_only_said_when_it_was_counted_for_long_enough_here_and_on_the_standbys():
    idle = index("idle", "a", scans=0)
    seen = {"public.idle": 0}
    assert dropped(idle, window=29 * DAY) == []
    assert dropped(idle, window=31 * DAY) == [("unused_index", "public.idle")]
    assert dropped(idle, standbys=(StandbyUse("two", 40 * DAY, seen),)) == [("unused_index", "public.idle")]
    assert dropped(idle, standbys=(StandbyUse("two", 3 * DAY, seen),)) == []
    assert dropped(idle, standbys=(StandbyUse("two", 40 * DAY, {"public.idle": 4}),)) == []
    assert dropped(idle, denied=(Denied("standby", "two: down", ""),)) == []


def test_the_only_index_of_a_foreign_key_is_not_unused():
    idle = index("idle", "p", scans=0)
    assert dropped(idle, foreign_keys=(KEY,)) == []
    assert dropped(idle, index("other", "p", "q", scans=3, bytes=GB), foreign_keys=(KEY,)) == [
        ("unused_index", "public.idle")
    ]


def test_an_index_that_only_a_wrong_setting_keeps_from_use_is_not_unused():
    trial = Trial("setting", 1, "random_page_cost", ("public.t",), "1.1", uses=("idle",))
    assert dropped(index("idle", "a", scans=0), trials=(trial,)) == []


def test_a_drop_comes_with_the_definition_that_undoes_it():
    [found] = rules_indexes.surplus(facts(indexes=(index("idle", "a", scans=0),), tables=(TABLE,)), LIMITS)
    assert found.change.statement == "DROP INDEX CONCURRENTLY public.idle"
    assert found.change.reverse == "CREATE INDEX CONCURRENTLY idle ON public.t USING btree (a)"
    elsewhere = index("idle", "a", scans=0, tablespace="fast")
    [found] = rules_indexes.surplus(facts(indexes=(elsewhere,), tables=(TABLE,)), LIMITS)
    assert (found.change, "tablespace fast" in found.to_do) == (None, True)


def test_a_leftover_is_dropped_and_what_somebody_wanted_is_built_anew():
    left = [index(name, "a", valid=False) for name in ("t_a_ccnew", "t_a_ccold2", "day2_t_a", "t_wanted")]
    found = list(rules_indexes.invalid(facts(indexes=tuple(left), tables=(TABLE,))))
    assert [each.change.statement.split(" INDEX")[0] for each in found] == ["DROP", "DROP", "DROP", "REINDEX"]
    assert found[3].change.takes_space >= TABLE.rows * 8


def test_an_index_that_is_just_being_built_is_not_invalid():
    assert list(rules_indexes.invalid(facts(indexes=(index("x", "a", valid=False, building=True),)))) == []


def test_an_invalid_unique_index_is_for_people():
    [found] = rules_indexes.invalid(facts(indexes=(index("u", "a", valid=False, unique=True),), tables=(TABLE,)))
    assert (found.change, found.risk) == (None, "high")


@pytest.mark.parametrize(
    ("indexes", "key", "found"),
    [
        ((), KEY, 1),
        ((index("x", "p"),), KEY, 0),
        ((index("x", "q", "p"),), KEY, 1),
        ((index("x", "p", partial=True),), KEY, 1),
        ((index("x", "p", valid=False),), KEY, 1),
        ((index("x", "b", "a"),), replace(KEY, columns=("a", "b")), 0),
        ((), replace(KEY, deletes=0), 0),
    ],
)
def test_a_foreign_key_needs_an_index_that_begins_with_its_columns_if_its_parent_is_deleted_from(indexes, key, found):
    known = facts(indexes=indexes, tables=(TABLE,), foreign_keys=(key,))
    assert len(list(rules_indexes.foreign_keys(known, LIMITS))) == found


def test_two_keys_on_the_same_columns_want_one_index():
    known = facts(tables=(TABLE,), foreign_keys=(KEY, replace(KEY, name="second")))
    assert len(list(rules_indexes.foreign_keys(known, LIMITS))) == 1


def test_a_small_or_a_locked_table_needs_no_index_for_its_key():
    for table in (replace(TABLE, bytes=MB), replace(TABLE, locked=True)):
        assert list(rules_indexes.foreign_keys(facts(tables=(table,), foreign_keys=(KEY,)), LIMITS)) == []
