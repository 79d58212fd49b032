"""What somebody changed since the last run is found, what we kept is not, and each has its way back."""

from __future__ import annotations

from typing import Any

from day2.operations.performance_tuning.by_hand_changes import changes
from day2.operations.performance_tuning.model import Change
from day2.operations.performance_tuning.target import of


def setting(value: str, *, altered_system: bool = True, default: str = "4096") -> dict[str, Any]:
    return {"value": value, "default": default, "context": "user", "altered_system": altered_system}


def known(**more: Any) -> dict[str, Any]:
    return {"database": "The shop", "settings": {}, "database_settings": {}, "indexes": {}, **more}


def change(then: dict[str, Any], now: dict[str, Any]) -> Change:
    [found] = changes(then, now)
    assert found.kind == "changed_by_hand"
    assert found.change
    of(found.change)  # the statement and its reverse are about the same thing
    return found.change


def test_nothing_changed_is_nothing_found() -> None:
    one = known(settings={"work_mem": setting("8192")}, indexes={"s.i": "CREATE INDEX i ON s.t USING btree (a)"})
    assert changes(one, one) == []


def test_a_setting_altered_by_hand_is_tried_without() -> None:
    now = known(settings={"work_mem": setting("65536")})
    found = change(known(settings={"work_mem": setting("8192")}), now)
    assert (found.statement, found.reverse) == (
        "ALTER SYSTEM SET work_mem = '8192'",
        "ALTER SYSTEM SET work_mem = '65536'",
    )
    found = change(known(), now)
    assert (found.statement, found.reverse) == ("ALTER SYSTEM RESET work_mem", "ALTER SYSTEM SET work_mem = '65536'")
    found = change(known(settings={"work_mem": setting("8192", altered_system=False)}), now)
    assert found.statement == "ALTER SYSTEM RESET work_mem", "the file below still has the earlier value"


def test_a_setting_edited_in_the_file_is_overridden_and_then_not() -> None:
    now = known(settings={"work_mem": setting("65536", altered_system=False)})
    found = change(known(), now)
    assert (found.statement, found.reverse) == ("ALTER SYSTEM SET work_mem = '4096'", "ALTER SYSTEM RESET work_mem")


def test_a_setting_taken_away_by_hand_is_set_again() -> None:
    found = change(known(settings={"work_mem": setting("8192")}), known())
    assert (found.statement, found.reverse) == ("ALTER SYSTEM SET work_mem = '8192'", "ALTER SYSTEM RESET work_mem")


def test_a_setting_of_the_database_is_told_with_its_database() -> None:
    found = change(known(), known(database_settings={"work_mem": "64MB"}))
    assert found.statement == 'ALTER DATABASE "The shop" RESET work_mem'
    assert found.reverse == "ALTER DATABASE \"The shop\" SET work_mem = '64MB'"


def test_an_index_made_by_hand_is_for_people_and_one_dropped_by_hand_is_tried() -> None:
    there = known(indexes={'s."I i"': 'CREATE UNIQUE INDEX "I i" ON s.t USING btree (a)'})
    [made], [dropped] = changes(known(), there), changes(there, known())
    assert (made.risk, dropped.risk) == ("high", "moderate")
    assert made.change
    assert dropped.change
    assert made.change.statement == dropped.change.reverse == 'DROP INDEX CONCURRENTLY s."I i"'
    assert dropped.change.statement == 'CREATE UNIQUE INDEX CONCURRENTLY "I i" ON s.t USING btree (a)'


def test_an_index_that_is_another_one_now_is_told_without_a_statement() -> None:
    [found] = changes(
        known(indexes={"s.i": "CREATE INDEX i ON s.t USING btree (a)"}),
        known(indexes={"s.i": "CREATE INDEX i ON s.t USING btree (b)"}),
    )
    assert found.change is None
    assert found.to_do


def test_what_the_last_run_kept_is_not_taken_for_somebody_elses() -> None:
    def kept(statement: str, made: dict[str, Any]) -> dict[str, Any]:
        return {"recommendation": {"change": {"statement": statement}}, "state_with": made}

    now = known(
        settings={"work_mem": setting("65536")},
        database_settings={"jit": "off"},
        indexes={"s.day2_i": "CREATE INDEX day2_i ON s.t USING btree (a)"},
    )
    then = known(indexes={"s.unused": "CREATE INDEX unused ON s.t USING btree (b)"})
    ours = [
        kept("ALTER SYSTEM SET work_mem = '64MB'",
             {"value": "65536", "context": "user", "source": "configuration file", "file": "postgresql.auto.conf"}),
        kept("CREATE INDEX CONCURRENTLY day2_i ON s.t (a)", {"definition": now["indexes"]["s.day2_i"]}),
        kept("DROP INDEX CONCURRENTLY s.unused", {}),
        kept('ALTER DATABASE "The shop" SET jit = off', {"value": "off"}),
    ]  # fmt: skip
    assert len(changes(then, now)) == 4
    assert changes(then, now, ours) == []
