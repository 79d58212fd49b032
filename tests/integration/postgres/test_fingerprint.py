"""The fingerprint on a real server: every change shows, and nothing but a change."""

from __future__ import annotations

import pytest
from psycopg import sql

from day2.postgres import fingerprint
from day2.postgres.server import Server
from lab.ports import LOOPBACK
from tests.integration.conftest import PASSWORD

pytestmark = pytest.mark.integration


@pytest.fixture
def server(postgres, database) -> Server:
    made = Server(LOOPBACK, postgres.port, "postgres", database, PASSWORD)
    with made.connect() as connection:
        connection.execute(
            "create table public.t (a int, b text, c numeric, d timestamptz, e bytea, f jsonb, g text[])"
        )
        connection.execute(
            "insert into public.t select n, 'b' || n, n / 3.0, now(), decode(md5(n::text), 'hex'),"
            " jsonb_build_object('n', n), array['x', null, n::text] from generate_series(1, 50) n"
        )
        connection.execute("insert into public.t values (null, '', null, null, '', 'null', '{}')")
    return made


def read(server: Server):
    with fingerprint.snapshot(server) as (session, _):
        return fingerprint.content(session, schema_sha256="")


def tables(server: Server) -> dict[str, tuple[int, str]]:
    return {each.label: (each.rows, each.fingerprint) for each in read(server).tables}


def test_reading_twice_gives_the_same(server):
    assert read(server) == read(server)
    assert tables(server)["public.t"][0] == 51


@pytest.mark.parametrize(
    "change",
    [
        "update public.t set b = 'x' where a = 7",
        "update public.t set b = upper(b) where a = 7",
        "update public.t set c = c + 0.0000000000000001 where a = 7",
        "update public.t set c = trim_scale(round(c, 5)) where a = 3",
        "update public.t set d = d + interval '1 microsecond' where a = 7",
        "update public.t set e = set_bit(e, 0, 1 - get_bit(e, 0)) where a = 7",
        'update public.t set f = \'{"n": "7"}\' where a = 7',
        "update public.t set g = array['x', 'NULL', '7'] where a = 7",
        "update public.t set b = null where b = ''",
        "update public.t set b = case a when 1 then 'b2' else 'b1' end where a in (1, 2)",
        "delete from public.t where a = 7",
        "insert into public.t select * from public.t where a = 7",
        "insert into public.t select * from public.t",
    ],
)
def test_every_change_of_content_shows(server, change):
    before = tables(server)["public.t"]
    with server.connect() as connection:
        connection.execute(change)
    assert tables(server)["public.t"] != before


def test_the_order_and_the_place_of_rows_do_not_matter(server):
    before = tables(server)["public.t"]
    with server.connect() as connection:
        connection.execute("create table public.u as select * from public.t order by a desc nulls first")
        connection.execute("update public.t set b = b")
        connection.execute("vacuum full public.t")
    found = tables(server)
    assert found["public.t"] == found["public.u"] == before


def test_two_equal_rows_do_not_cancel(server):
    with server.connect() as connection:
        connection.execute("create table public.twice (n int); insert into public.twice values (1), (1)")
        connection.execute("create table public.other (n int); insert into public.other values (2), (2)")
    found = tables(server)
    assert found["public.twice"] != found["public.other"]
    assert found["public.twice"][1] != "0"


def test_a_snapshot_does_not_see_what_comes_later(server):
    with fingerprint.snapshot(server) as (session, name):
        assert name
        with server.connect() as connection:
            connection.execute("insert into public.t (a) values (99); create table public.later (n int)")
        content = fingerprint.content(session, schema_sha256="")
    assert {each.label: each.rows for each in content.tables} == {"public.t": 51}


@pytest.mark.parametrize("name", ["t", "row", "day2: the row", "select", 'Größe "x".y; $(id)', "a.b", "%s", "{}"])
def test_a_column_or_table_of_any_name_is_read_as_the_row(server, name):
    with server.connect() as connection:
        connection.execute(
            sql.SQL("create schema {0}; create table {0}.{0} ({1} int, other text)").format(
                sql.Identifier(name), sql.Identifier(name.replace("day2: the row", "day2"))
            )
        )
        connection.execute(sql.SQL("insert into {0}.{0} values (1, 'x')").format(sql.Identifier(name)))
        first = tables(server)[f"{name}.{name}"]
        connection.execute(sql.SQL("update {0}.{0} set other = 'y'").format(sql.Identifier(name)))
    assert first[0] == 1
    assert tables(server)[f"{name}.{name}"] != first, "the whole row counts, not a column of that name"


def test_a_function_or_operator_of_the_users_own_is_not_called(server):
    """Names are pinned to pg_catalog: a look-alike in `public` would decide what is compared."""
    with server.connect() as connection:
        connection.execute(
            "create function public.hashtextextended(text, bigint) returns bigint language sql as 'select 7::bigint'"
        )
        connection.execute(
            sql.SQL("alter role postgres in database {} set search_path = public, pg_catalog").format(
                sql.Identifier(server.dbname)
            )
        )
    assert tables(server)["public.t"][1] != str(7 * 51)


def test_large_objects_count_with_their_content(server):
    assert fingerprint.LARGE_OBJECTS not in tables(server)
    with server.connect() as connection:
        connection.execute("select lo_from_bytea(4711, 'one'), lo_from_bytea(4712, '')")
        first = tables(server)[fingerprint.LARGE_OBJECTS]
        connection.execute("select lo_put(4711, 0, 'two')")
        second = tables(server)[fingerprint.LARGE_OBJECTS]
        connection.execute("select lo_unlink(4712)")
        third = tables(server)[fingerprint.LARGE_OBJECTS]
    assert [each[0] for each in (first, second, third)] == [2, 2, 1]
    assert len({first, second, third}) == 3


def test_what_an_extension_owns_and_what_is_temporary_is_not_listed(server):
    with server.connect() as connection:
        connection.execute("create temp table mine (n int); create table public.part (n int) partition by list (n)")
        connection.execute("create table public.part_1 partition of public.part for values in (1)")
        connection.execute("create foreign data wrapper w; create server s foreign data wrapper w")
        connection.execute("create foreign table public.far (n int) server s")
        connection.execute("create materialized view public.seen as select 1 as n")
        assert set(tables(server)) == {"public.t", "public.part_1"}


def test_sequences_say_where_they_stand_and_how_they_count(server):
    with server.connect() as connection:
        connection.execute('create sequence public."s 1" increment by -5 start with -10 maxvalue -1')
        connection.execute("""select nextval('public."s 1"'), nextval('public."s 1"')""")
        [found] = read(server).sequences
    assert (found.name, found.before, found.after, found.increment) == ("s 1", -15, -15, -5)
