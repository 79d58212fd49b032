"""Every planted fault is found on a real server, by its kind and its object, and nothing else is."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from day2.operations.performance_tuning.advise import advise
from day2.operations.performance_tuning.collect import collect
from day2.operations.performance_tuning.facts import Facts
from day2.operations.performance_tuning.hypothetical import weigh
from day2.operations.performance_tuning.model import Advice
from day2.operations.performance_tuning.thresholds import Thresholds
from lab import postgres as lab_postgres
from tests.integration.tuning import planted
from tests.integration.tuning.conftest import database, pgbench, reached
from tests.integration.tuning.planted import MACHINE, SMALL

pytestmark = pytest.mark.integration


def look(server: lab_postgres.Server, dbname: str, limits: Thresholds = SMALL) -> tuple[Facts, Advice]:
    facts = weigh(reached(server, dbname), collect(reached(server, dbname)), limits, machine=MACHINE)
    return facts, advise(facts, limits, machine=MACHINE)


@pytest.fixture(scope="module")
def sick(tuned: lab_postgres.Server) -> Iterator[str]:
    """The faults, planted once: the test that changes something is the last one here."""
    with database(tuned, "sick \"db\" 1.'x'; $(id)") as name:
        with tuned.connect(name) as connection, tuned.connect(name) as other:
            planted.plant(connection, other, name)
        with tuned.connect(name) as connection:
            planted.load(connection)
        yield name


@pytest.fixture
def forgotten(tuned: lab_postgres.Server) -> Iterator[None]:
    """A slot that nobody reads from, and log behind it."""
    with tuned.connect() as connection:
        connection.execute("select pg_create_physical_replication_slot('forgotten', true)")
        connection.execute("select pg_logical_emit_message(false, 'day2', repeat('x', 3000000))")
        yield
        connection.execute("select pg_drop_replication_slot('forgotten')")


def test_every_planted_fault_is_found_and_nothing_else(tuned: lab_postgres.Server, sick: str, forgotten: None):
    with tuned.connect(sick) as old:
        old.autocommit = False
        old.execute("select txid_current()")
        pid = old.info.backend_pid
        time.sleep(1.2)
        facts, advice = look(tuned, sick)
        old.rollback()
    keys = [each.key for each in advice.recommendations]
    [session] = [each for each in keys if each.startswith("long_transaction:")]
    assert session.startswith(f"long_transaction:session {pid} of postgres")
    assert set(keys) - {session} == planted.FOUND
    assert len(keys) == len(set(keys))
    assert json.loads(json.dumps(advice.as_dict()))["recommendations"][0]["evidence"]
    assert json.loads(json.dumps(facts.as_dict()))["database"] == sick
    assert all(each.evidence and each.gain and each.source for each in advice.recommendations)
    assert all(each.change or each.to_do for each in advice.recommendations)
    with tuned.connect(sick) as connection:
        for query in {each.query for one in advice.recommendations for each in one.evidence}:
            if query.startswith(("select ", "show ")):
                assert connection.execute(query).description, query


@pytest.mark.parametrize("limits", [Thresholds(), SMALL], ids=["defaults", "small"])
def test_a_well_kept_database_gets_no_advice(tuned: lab_postgres.Server, dbname: str, limits: Thresholds):
    pgbench(tuned, dbname, "-i", "-q", "-s", "2")
    pgbench(tuned, dbname, "-T", "3", "-c", "2")
    pgbench(tuned, dbname, "-T", "1", "-S", "-n")
    with tuned.connect(dbname) as connection:
        connection.execute("vacuum analyze")
    _, advice = look(tuned, dbname, limits)
    assert [each.key for each in advice.recommendations] == []


def test_an_index_that_is_not_there_is_weighed_with_its_cost_where_hypopg_is(tuned: lab_postgres.Server, sick: str):
    facts, advice = look(tuned, sick)
    [found] = [each for each in advice.recommendations if each.kind == "missing_index"]
    names = {each.name for each in found.evidence}
    with tuned.connect(sick) as connection:
        there = connection.execute("select count(*) from pg_available_extensions where name = 'hypopg'").fetchone()
        created = connection.execute("select count(*) from pg_extension where extname = 'hypopg'").fetchone()
    assert created == (0,)
    if there == (1,):
        assert "planner's cost with it" in names
        assert "if time goes as the planner's costs do" in found.gain
    else:
        assert "rows read and thrown away" in names
        assert found.gain.startswith("nobody knows before it is measured")
        assert any("HypoPG" in each.why for each in advice.not_possible)
    [query] = found.change.measured_by
    assert '"Customer No"' in next(each.text for each in facts.statements if each.query_id == query)


def test_where_the_memory_is_not_known_a_spill_is_told_as_temporary_files(tuned: lab_postgres.Server, sick: str):
    facts, _ = look(tuned, sick)
    advice = advise(facts, SMALL)
    [found] = [each for each in advice.recommendations if each.kind == "temporary_files"]
    statement = next(each for each in facts.statements if found.object == f"statement {each.query_id}")
    assert "order by t" in statement.text
    assert "setting:setting work_mem" not in {each.key for each in advice.recommendations}
    assert any("memory, CPUs and disk" in each.why for each in advice.not_possible)


def test_every_change_runs_and_its_reverse_brings_back_what_was(tuned: lab_postgres.Server, sick: str):
    before, advice = look(tuned, sick)
    changes = {each.key: each.change for each in advice.recommendations if each.change}
    with tuned.connect(sick) as connection:
        for change in changes.values():
            connection.execute(change.statement)
    after, _ = look(tuned, sick)
    names = {each.name for each in after.indexes}
    assert f'{planted.Q}."day2_Order_Customer No"' in names
    assert f"{planted.Q}.idle_c" not in names
    assert after.setting("random_page_cost").value == "1.1"
    with tuned.connect(sick) as connection:
        for change in reversed(changes.values()):
            connection.execute(change.reverse)
        connection.execute("select pg_reload_conf()")
    time.sleep(0.5)
    back, _ = look(tuned, sick)
    kept = lambda facts: {each.name: each.definition for each in facts.indexes}  # noqa: E731
    assert kept(back) == kept(before)
    assert [each.options for each in back.tables] == [each.options for each in before.tables]
    assert back.settings == before.settings
    assert [(each.name, each.type, each.maximum) for each in back.sequences] == [
        (each.name, each.type, each.maximum) for each in before.sequences
    ]
