"""What could not be looked at is named with the grant that makes it possible; awkward statements are only counted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from day2.errors import StepFailed, Unavailable
from day2.operations.performance_tuning.advise import advise
from day2.operations.performance_tuning.collect import TEXT, collect
from day2.operations.performance_tuning.hypothetical import weigh
from day2.operations.performance_tuning.plans import plan
from day2.operations.performance_tuning.thresholds import MB, Thresholds
from lab import postgres as lab_postgres
from lab.processes import wait_until
from tests.integration.conftest import PASSWORD
from tests.integration.tuning.conftest import database, reached
from tests.integration.tuning.planted import MACHINE

pytestmark = pytest.mark.integration
ROLE = 'it\'s "a" role'
EVERY = Thresholds(share=0.0, calls=1, index_table_bytes=MB // 2, unused_seconds=0)


@pytest.fixture
def stranger(tuned: lab_postgres.Server, dbname: str) -> Iterator[str]:
    """A role that may do nothing but connect, and tables of somebody else that are searched."""
    role = sql.Identifier(ROLE)
    with tuned.connect(dbname) as connection:
        connection.execute(sql.SQL("create role {} login password {}").format(role, sql.Literal(PASSWORD)))
        connection.execute("create table hidden as select g as a, repeat('h', 80) as b from generate_series(1, 9000) g")
        connection.execute("create sequence secret; select nextval('secret'); analyze hidden")
        for number in range(3):
            connection.execute("select * from hidden where a = %s", (number,))
        yield ROLE
        connection.execute(sql.SQL("drop owned by {}").format(role))
        connection.execute(sql.SQL("drop role {}").format(role))


def test_what_a_role_may_not_see_is_named_with_its_grant_and_the_grant_helps(
    tuned: lab_postgres.Server, dbname: str, stranger: str
):
    server = reached(tuned, dbname, stranger)
    limits = Thresholds(share=0.0, calls=1, index_table_bytes=MB // 2, bloat_bytes=MB // 2)
    blind = advise(weigh(server, collect(server), limits), limits, machine=MACHINE)
    remedies = {each.remedy for each in blind.not_possible}
    quoted = '"it\'s ""a"" role"'
    for wanted in (
        f"GRANT pg_read_all_stats TO {quoted} (or pg_monitor, which has it)",
        f"GRANT SELECT ON SEQUENCE public.secret TO {quoted} (or pg_read_all_data)",
        f"GRANT pg_read_all_data TO {quoted} (or SELECT on them)",
        f"GRANT SELECT ON pg_catalog.pg_file_settings TO {quoted}; "
        f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {quoted}",
    ):
        assert wanted in remedies
    with tuned.connect(dbname) as connection:
        for grant in ("GRANT pg_monitor TO {}", "GRANT SELECT ON pg_catalog.pg_file_settings TO {}",
                      "GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO {}"):  # fmt: skip
            connection.execute(grant.format(quoted))
    half = advise(weigh(server, collect(server), limits), limits, machine=MACHINE)
    assert any("permission denied" in each.why for each in half.not_possible)
    assert any(each.remedy.startswith(f"GRANT pg_read_all_data TO {quoted} (and") for each in half.not_possible)
    with tuned.connect(dbname) as connection:
        connection.execute(f"GRANT pg_read_all_data TO {quoted}")
    seeing = advise(weigh(server, collect(server), limits), limits, machine=MACHINE)
    assert not [each for each in seeing.not_possible if "GRANT" in each.remedy]


def test_the_role_of_the_documentation_sees_everything(tuned: lab_postgres.Server, dbname: str):
    page = (Path(__file__).resolve().parents[3] / "docs" / "performance_tuning.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```sql\n(CREATE ROLE day2_tuning.*?)```", page, re.DOTALL)
    with tuned.connect(dbname) as connection:
        connection.execute("create table plain as select g as a, repeat('p', 80) as b from generate_series(1, 9000) g")
        connection.execute("create sequence counted; select nextval('counted'); analyze plain")
        for number in range(3):
            connection.execute("select * from plain where a = %s", (number,))
        connection.execute(block)
        connection.execute(sql.SQL("alter role day2_tuning password {}").format(sql.Literal(PASSWORD)))
    server = reached(tuned, dbname, "day2_tuning")
    try:
        facts = weigh(server, collect(server), EVERY, machine=MACHINE)
    finally:
        with tuned.connect(dbname) as connection:
            connection.execute("drop owned by day2_tuning")
            connection.execute("drop role day2_tuning")
    assert {each.part for each in facts.denied} <= {"trials"}
    assert {each.object for each in facts.trials} == {"public.plain"}
    assert not [each for each in advise(facts, EVERY, machine=MACHINE).not_possible if "GRANT" in each.remedy]


def test_a_database_without_the_statements_says_what_to_create(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection:
        connection.execute("drop extension pg_stat_statements")
    facts = collect(reached(tuned, dbname))
    [why] = [each for each in facts.denied if each.part == "statements"]
    assert why.remedy.startswith("CREATE EXTENSION pg_stat_statements, in database")
    assert facts.tables == () == facts.statements


def test_a_server_without_the_library_says_what_to_preload(postgres: lab_postgres.Server):
    [why] = [each for each in collect(reached(postgres)).denied if each.part == "statements"]
    assert why.why == "pg_stat_statements is not loaded by the server"
    assert "shared_preload_libraries" in why.remedy
    assert "CREATE EXTENSION" in why.remedy
    kinds = {kind for each in advise(collect(reached(postgres))).not_possible for kind in each.kinds}
    assert {"missing_index", "slow_statement", "regressed_statement"} <= kinds


def test_thousands_of_statements_and_very_long_ones_are_read(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection:
        connection.execute("create table many as select g as a, repeat('m', 80) as b from generate_series(1, 9000) g")
        connection.execute("analyze many")
        for one in range(1, 72):
            # Each of these is another statement: so many columns, so many conditions.
            texts = [
                f"select {', '.join(['1'] * one)} where {' and '.join(['true is not null'] * two)}"
                for two in range(1, 72)
            ]
            connection.execute("; ".join(texts))
        connection.execute(f"select /* {'long ' * 20_000} */ count(*) from many where a = 1")
        connection.execute("""select 'it''s', '$1', "a" as "$2", E'\\'' from many where b = 'x''y' and a in (1,2)""")
    facts = weigh(reached(tuned, dbname), collect(reached(tuned, dbname)), EVERY)
    assert facts.statements_seen > 5000
    assert len(facts.statements) == 500
    with tuned.connect(dbname) as connection:
        connection.execute("select pg_stat_statements_reset()")
        for _ in range(3):
            connection.execute(f"select /* {'long ' * 20_000} */ count(*) from many where a = 1")
            connection.execute(
                """select 'it''s', '$1', "a" as "$2", E'\\'' from many where b = 'x''y' and a in (1,2)"""
            )
    facts = weigh(reached(tuned, dbname), collect(reached(tuned, dbname)), EVERY)
    [long] = [each for each in facts.statements if each.is_cut]
    assert (len(long.text), long.length > 100_000) == (TEXT, True)
    tried = {each.query_id for each in facts.trials}
    [odd] = [each for each in facts.statements if '"$2"' in each.text]
    assert odd.query_id in tried
    assert long.query_id not in tried
    assert facts.trials_unread >= 1


def test_a_table_that_somebody_changes_is_not_waited_for(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection, tuned.connect(dbname) as other:
        connection.execute("create table locked as select g as a from generate_series(1, 1000) g")
        connection.execute("create index locked_a on locked (a); analyze locked")
        with other.transaction():
            other.execute("lock table locked in access exclusive mode")
            facts = collect(reached(tuned, dbname))
    assert [(each.name, each.bytes > 0) for each in facts.tables] == [("public.locked", True)]
    assert (facts.indexes, facts.denied) == ((), ())
    assert any("public.locked" in each.why for each in advise(facts, EVERY, machine=MACHINE).not_possible)


def test_a_part_that_cannot_be_read_is_named_and_the_rest_goes_on(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection, tuned.connect(dbname) as other:
        connection.execute("create table there (id serial primary key)")
        with other.transaction():
            other.execute("lock table pg_catalog.pg_sequence in access exclusive mode")
            facts = collect(reached(tuned, dbname))
    assert [(each.part, each.why) for each in facts.denied] == [
        ("sequences", "canceling statement due to lock timeout")
    ]
    assert [each.name for each in facts.tables] == ["public.there"]
    assert [each.kinds for each in advise(facts, EVERY, machine=MACHINE).not_possible] == [("sequence_exhaustion",)]


def test_an_index_that_is_just_being_built_is_left_alone(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as holder, tuned.connect(dbname) as builder, ThreadPoolExecutor(1) as pool:
        holder.execute("create table growing as select g as a from generate_series(1, 1000) g")
        with holder.transaction():
            holder.execute("insert into growing values (1)")
            building = pool.submit(builder.execute, "create index concurrently growing_a on growing (a)")
            wait_until(lambda: collect(reached(tuned, dbname)).indexes != (), "it is being built", seconds=30)
            facts = collect(reached(tuned, dbname))
        building.result(timeout=30)
    assert [(each.name, each.valid, each.building) for each in facts.indexes] == [("public.growing_a", False, True)]
    assert advise(facts, EVERY, machine=MACHINE).recommendations == ()
    assert [each.valid for each in collect(reached(tuned, dbname)).indexes] == [True]


def test_a_statement_that_may_mean_one_of_two_tables_is_not_tried(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection:
        for schema in ("one", "two"):
            connection.execute(f"create schema {schema}")
            connection.execute(
                f"create table {schema}.t as select g as a, repeat('p', 80) from generate_series(1, 9000) g"
            )
        connection.execute("analyze")
        connection.execute("set search_path = two")
        for number in range(3):
            connection.execute("select * from t where a = %s", (number,))
            connection.execute("select * from one.t where a = %s", (number,))
    facts = weigh(reached(tuned, dbname), collect(reached(tuned, dbname)), EVERY, machine=MACHINE)
    assert {each.object for each in facts.trials} == {"one.t"}
    assert facts.trials_unread >= 1


def test_what_hypopg_promises_is_what_the_planner_says_of_the_real_index(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection:
        connection.execute("create table plain as select g as a, repeat('p', 80) as b from generate_series(1, 9000) g")
        connection.execute("analyze plain")
        for number in range(3):
            connection.execute("select * from plain where a = %s", (number,))
        facts = weigh(reached(tuned, dbname), collect(reached(tuned, dbname)), EVERY)
        [trial] = facts.trials
        if trial.kind == "plan":
            pytest.skip("this server has no HypoPG: install postgresql-15-hypopg")
        connection.execute("create index on plain (a)")
        [text] = [each.text for each in facts.statements if each.query_id == trial.query_id]
        real = plan(connection, text)
    assert real.cost == pytest.approx(trial.cost_after, rel=0.1)
    assert real.cost < trial.cost_before / 10


def test_nothing_of_what_is_tried_stays(tuned: lab_postgres.Server, dbname: str):
    with tuned.connect(dbname) as connection:
        connection.execute("create table plain as select g as a, repeat('p', 80) as b from generate_series(1, 9000) g")
        connection.execute("analyze plain")
        for number in range(3):
            connection.execute("select * from plain where a = %s", (number,))
        connection.execute("update plain set b = 'x' where a = 7")
    facts = weigh(reached(tuned, dbname), collect(reached(tuned, dbname)), EVERY, machine=MACHINE)
    assert {each.object for each in facts.trials} == {"public.plain"}
    with tuned.connect(dbname) as connection:
        assert connection.execute("select count(*) from pg_extension where extname = 'hypopg'").fetchone() == (0,)
        assert connection.execute("select to_regnamespace('day2_hypothetical')").fetchone() == (None,)
        assert connection.execute("select count(*) from plain where b = 'x'").fetchone() == (1,)
        assert connection.execute("select count(*) from pg_indexes where tablename = 'plain'").fetchone() == (0,)


@pytest.fixture
def standby(tuned: lab_postgres.Server, servers_folder: Path) -> Iterator[lab_postgres.Server]:
    upstream = tuned.conninfo()
    made = lab_postgres.free_standing(
        f"standby-of-{tuned.name}",
        servers_folder,
        password=PASSWORD,
        settings={"primary_conninfo": upstream.replace("\\", "\\\\"), "shared_preload_libraries": "pg_stat_statements"},
    )
    made.binaries = tuned.binaries
    made.create_standby(upstream)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def test_an_index_that_only_a_standby_uses_is_not_unused(tuned: lab_postgres.Server, standby: lab_postgres.Server):
    limits = Thresholds(unused_seconds=0, unused_bytes=8192)
    with database(tuned, "read elsewhere") as name:
        with tuned.connect(name) as connection:
            connection.execute("create table t as select g as a, g as b from generate_series(1, 20000) g")
            connection.execute("create index t_a on t (a); create index t_b on t (b); analyze t")

        def has_come() -> bool:
            with standby.connect() as there:
                found = there.execute("select count(*) from pg_database where datname = %s", (name,)).fetchone()
            if found != (1,):
                return False
            with standby.connect(name) as there:
                return there.execute("select to_regclass('t_b') is not null").fetchone() == (True,)

        wait_until(has_come, "the standby has the index", seconds=30)
        with standby.connect(name) as reader:
            reader.execute("set enable_seqscan = off")
            reader.execute("select * from t where a = 7")
        here, there = reached(tuned, name), reached(standby, name)
        # A session's counters come a moment after its end.
        wait_until(lambda: collect(here, [there]).standbys[0].scans["public.t_a"] == 1, "it is counted", seconds=30)
        alone = advise(collect(here), limits, machine=MACHINE)
        both = advise(collect(here, [there]), limits, machine=MACHINE)
        assert [each.object for each in alone.recommendations] == ["public.t_a on public.t", "public.t_b on public.t"]
        assert [each.object for each in both.recommendations] == ["public.t_b on public.t"]

        on_standby = advise(weigh(there, collect(there), limits), limits, machine=MACHINE)
        assert on_standby.recommendations == ()
        [why] = [each for each in on_standby.not_possible if "is a standby" in each.why]
        assert "unused_index" in why.kinds
        assert why.remedy.startswith("look at the primary")

        standby.stop()
        blind = collect(here, [there])
        assert [each.part for each in blind.denied] == ["standby"]
        assert advise(blind, limits, machine=MACHINE).recommendations == ()


def test_a_server_that_does_not_answer_or_is_not_let_in_is_an_error(tuned: lab_postgres.Server, servers_folder: Path):
    with pytest.raises(StepFailed, match="authentication failed"):
        collect(replace(reached(tuned), password="wrong"))
    with pytest.raises(Unavailable, match="cannot connect"):
        collect(replace(reached(tuned), port=1))
