"""Text that sorts otherwise after a patch, and the indexes it leaves out of order. The recorded version is spoilt by
hand: that is what a new libc or ICU looks like to PostgreSQL."""

from __future__ import annotations

import logging

import pytest
from psycopg import sql

from day2.operations.security_patching import collations, postgresql
from day2.operations.security_patching.postgresql import Patience
from tests.integration.postgres_patching.conftest import reached

DBNAME = 'sorted "here"'
LATER = "update pg_catalog.pg_database set datcollversion = '0.9' where datname = current_database()"


@pytest.fixture(scope="module")
def server(make_postgres):
    """A server with a database whose collation has a version, and indexes by it, by another, and by none."""
    made = make_postgres()
    with made.connect() as connection:
        connection.execute(
            sql.SQL("create database {} template template0 locale_provider builtin builtin_locale 'C.UTF-8'").format(
                sql.Identifier(DBNAME)
            )
        )
    with made.connect(DBNAME) as connection:
        connection.execute(
            "create collation public.\"Odd\" (provider = builtin, locale = 'C.UTF-8');"
            'create table public.words (n int primary key, a text, b text collate public."Odd", c text collate "C");'
            'create index "by a" on public.words (a); create index by_a_lower on public.words (n, lower(a));'
            "create index by_b on public.words (b); create index by_c on public.words (c)"
        )
    return made


@pytest.fixture
def spoilt(server):
    earlier = postgresql.before(reached(server))
    with server.connect(DBNAME) as connection:
        connection.execute(LATER)
        connection.execute("update pg_catalog.pg_collation set collversion = '0.9' where collversion is not null")
    yield earlier
    with server.connect(DBNAME) as connection:
        connection.execute(sql.SQL("alter database {} refresh collation version").format(sql.Identifier(DBNAME)))
        connection.execute('alter collation public."Odd" refresh version')
        connection.execute("alter collation pg_catalog.pg_c_utf8 refresh version")


def test_collations_that_are_what_they_were_are_no_finding(server):
    assert collations.mismatches(reached(server)).found["mismatches"] == []


def test_indexes_by_a_changed_collation_are_found_with_the_commands_to_run(server, spoilt):
    by_name = {each.name: each for each in collations.mismatches(reached(server)).found["mismatches"]}
    assert set(by_name) == {"", "Odd"}, "one that nothing uses, pg_c_utf8, is no finding"
    whole, odd = by_name[""], by_name["Odd"]
    assert (whole.dbname, whole.recorded, whole.actual, whole.indexes) == (DBNAME, "0.9", "1", 2)
    assert whole.commands == (
        'REINDEX INDEX CONCURRENTLY "public"."by a"',
        'REINDEX INDEX CONCURRENTLY "public"."by_a_lower"',
        'ALTER DATABASE "sorted ""here""" REFRESH COLLATION VERSION',
    )
    assert odd.commands == (
        'REINDEX INDEX CONCURRENTLY "public"."by_b"',
        'ALTER COLLATION "public"."Odd" REFRESH VERSION',
    )
    assert whole.bytes > 0


def test_the_commands_it_says_do_mend_it(server, spoilt):
    with server.connect(DBNAME) as connection:
        for each in collations.mismatches(reached(server)).found["mismatches"]:
            for command in each.commands:
                connection.execute(command)
    assert collations.mismatches(reached(server)).found["mismatches"] == []


def test_what_the_patch_put_out_of_order_is_told_apart_from_what_was_so_before(server, spoilt, caplog):
    patience = Patience()
    now = postgresql.after(reached(server), spoilt, patience=patience)
    assert (now["collation_mismatches_new"], len(now["collation_mismatches"])) == (2, 2)
    assert "text sorts otherwise since this patch (1 was 0.9): 2 indexes out of order. Run there: " in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO, "day2"):
        again = postgresql.after(reached(server), postgresql.before(reached(server)), patience=patience)
    assert (again["collation_mismatches_new"], len(again["collation_mismatches"])) == (0, 2)
    assert "since this patch" not in caplog.text


def test_indexes_of_exclusion_constraints_are_rebuilt_alone_and_many_others_together(server, spoilt):
    with server.connect(DBNAME) as connection:
        connection.execute("create table public.many (t text, exclude (t with =))")
        for number in range(collations.SHOWN):
            connection.execute(sql.SQL("create index {} on public.many (t)").format(sql.Identifier(f"i{number}")))
        whole = next(each for each in collations.mismatches(reached(server)).found["mismatches"] if not each.name)
        for command in whole.commands:
            connection.execute(command)
        connection.execute("drop table public.many")
    assert whole.commands[:2] == (
        'REINDEX DATABASE CONCURRENTLY "sorted ""here"""',
        'REINDEX INDEX "public"."many_t_excl"',
    )
