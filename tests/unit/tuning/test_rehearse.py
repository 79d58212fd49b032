"""What a rehearsal takes along: the statements that matter, and the settings that plans depend on."""

from __future__ import annotations

from day2.operations.performance_tuning import rehearse
from day2.operations.performance_tuning.facts import Setting, Statement
from day2.operations.performance_tuning.model import Change


def statement(query_id: int, total_ms: float, *, length: int = 20) -> Statement:
    return Statement(query_id, "select 1 where true;", length, 10, total_ms, 10, 10, 0, 0)


def setting(name: str, source: str = "configuration file") -> Setting:
    return Setting(name, "64", "kB", "user", source, "4096", "", pending_restart=False)


def test_the_changes_own_statements_come_first_and_the_dearest_others_after_them():
    known = [statement(number, float(number)) for number in range(1, 60)]
    wanted = rehearse.wanted(Change("create", "drop", "none", measured_by=(3, 7)), known)
    assert [each.queryid for each in wanted[:4]] == [7, 3, 59, 58]
    assert len(wanted) == 2 + rehearse.OTHERS


def test_a_statement_whose_text_was_cut_is_not_replayed():
    assert rehearse.wanted(Change("create", "drop", "none"), [statement(1, 1.0, length=99)]) == []


def test_a_copy_gets_the_settings_that_somebody_made_and_plans_depend_on():
    known = [setting("work_mem"), setting("enable_seqscan"), setting("jit", "default"), setting("log_statement")]
    assert [each.name for each in rehearse.of_plans(known)] == ["work_mem", "enable_seqscan"]
