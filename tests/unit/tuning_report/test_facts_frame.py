"""The rows that tuning is judged by: a claim without its figures does not pass."""

from __future__ import annotations

from dataclasses import asdict, replace

from day2.inventory.tuning import TuningPolicy
from day2.operations.performance_tuning.afterwards import rebuilt
from day2.operations.performance_tuning.facts_frame import Afterwards, change_rows, database_row, gained
from day2.operations.performance_tuning.model import Advice, Change
from day2.operations.performance_tuning.story import Watched
from day2.validation.suite import load
from tests.unit.tuning_report.runs import FASTER, INDEX, NOW, other, tried

POLICY = TuningPolicy(mode="apply_safe")
WHOLE = Afterwards(0, False, 0, 0, 0, {INDEX.key: True})


def rows(*attempts, afterwards=WHOLE):
    return change_rows(attempts, afterwards=afterwards, policy=POLICY, allowed={INDEX.key: True})


def test_the_columns_are_those_that_the_suites_require():
    database = database_row("shop", Advice("shop", NOW.isoformat()), [tried()], afterwards=WHOLE, policy=POLICY)
    assert set(database) == load("performance_tuning").required
    assert set(rows(tried())[0]) == load("performance_tuning_changes").required


def test_a_gain_is_judged_by_its_figures_and_not_by_what_was_decided():
    assert gained(tried(), 0.1)
    assert not gained(tried(effects=()), 0.1)
    assert not gained(tried(effects=(replace(FASTER, high=0.01),)), 0.1)
    assert not gained(tried(effects=(replace(FASTER, share=-0.05),)), 0.1)
    assert not gained(tried(effects=(replace(FASTER, share=None, high=None),)), 0.1)


def test_what_frees_space_needs_no_faster_statement_but_may_slow_none():
    dropped = tried(recommendation=other("unused_index", "shop.i"), effects=(), guards=())
    assert gained(dropped, 0.1)
    assert not gained(replace(dropped, guards=(Watched("statement 7", worse=True, says="slower"),)), 0.1)


def test_a_guard_that_made_a_change_go_back_is_no_fault_and_one_of_a_kept_change_is():
    worse = (Watched("statement 7", worse=True, says="slower"),)
    assert [each["guards_worse"] for each in rows(tried("reverted", guards=worse), tried(guards=worse))] == [0, 1]


def test_what_was_advised_or_put_off_changed_nothing_and_has_no_row():
    assert rows(tried("advised"), tried("deferred")) == []


def test_a_change_without_a_way_back_is_told_and_a_rebuild_needs_none():
    lost = replace(INDEX, change=replace(INDEX.change, reverse=""))
    [row] = rows(tried(recommendation=lost))
    assert not row["way_back"]
    [rebuilt] = rows(tried(recommendation=replace(lost, kind="index_bloat")))
    assert rebuilt["way_back"]


def test_what_nobody_looked_at_is_not_measured():
    database = database_row("shop", None, [], afterwards=Afterwards(), policy=POLICY)
    assert [name for name, value in database.items() if value is None] == [
        "not_possible", "interrupted", "put_in_order", "invalid_indexes", "restarted", "pending_restart",
    ]  # fmt: skip
    assert rows(tried(), afterwards=Afterwards())[0]["as_meant"] is None


def test_a_policy_that_only_advises_allows_no_change():
    policy = TuningPolicy()
    row = database_row("shop", None, [tried()], afterwards=WHOLE, policy=policy)
    assert (row["changes_tried"], row["changes_allowed"]) == (1, 0)


def test_what_a_rebuild_leaves_is_looked_for_under_the_name_of_its_index():
    rebuild = replace(INDEX, change=Change('REINDEX INDEX CONCURRENTLY shop."Old"', "", ""))
    records = [{"recommendation": asdict(each)} for each in (INDEX, rebuild, replace(INDEX, change=None))]
    assert rebuilt(records) == [("shop", "Old")]
