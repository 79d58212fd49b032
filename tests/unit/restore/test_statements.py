"""SQL of dumps is read as SQL: what looks like a statement inside a string or a name is none."""

from __future__ import annotations

import pytest

from day2.operations.database_restore import statements
from day2.operations.database_restore.statements import database_properties, identifier, roles_to_create, split

ROLES = rb"""
\restrict 0zSIjqeU7nChtmwqR8fAddgl
SET default_transaction_read_only = off;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
-- Roles it's
CREATE ROLE backup;
ALTER ROLE backup WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y''z';
COMMENT ON ROLE backup IS 'a
-- CREATE ROLE "other";
\restrict no''; CREATE ROLE other;';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER LOGIN PASSWORD 'the source''s own';
CREATE ROLE "we ""ird' ;";
ALTER ROLE "we ""ird' ;" WITH LOGIN;
ALTER ROLE "we ""ird' ;" SET search_path TO 'a', 'b';
GRANT postgres TO backup WITH INHERIT TRUE GRANTED BY postgres;
GRANT backup TO postgres GRANTED BY postgres;
GRANT pg_read_all_data TO "we ""ird' ;" GRANTED BY postgres;
\unrestrict 0zSIjqeU7nChtmwqR8fAddgl
"""

DATABASE = rb"""
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
-- Name: DATABASE "o r"; Type: COMMENT
CREATE DATABASE "o r" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';
ALTER DATABASE "o r" OWNER TO "DATABASE x";
\connect -reuse-previous=on "dbname='o r'"
COMMENT ON DATABASE "o r" IS 'ALTER DATABASE "o r" IS; it''s';
ALTER ROLE b IN DATABASE "o r" SET work_mem TO '9MB';
REVOKE CONNECT,TEMPORARY ON DATABASE "o r" FROM PUBLIC;
"""


def test_strings_names_and_comments_may_hold_anything():
    assert split(b"a 'x;--y' \"z;'\"; -- it's;\nb; \\restrict x\nc") == [b"a 'x;--y' \"z;'\"", b"b"]


def test_only_missing_roles_are_created_and_nobody_elses_password_is_set():
    made = roles_to_create(ROLES, frozenset({"backup"}))
    assert [each.split(b"\n")[0] for each in made] == [
        b"SET client_encoding = 'UTF8'",
        b"SET standard_conforming_strings = on",
        b"CREATE ROLE backup",
        b"ALTER ROLE backup WITH NOSUPERUSER INHERIT LOGIN PASSWORD 'SCRAM-SHA-256$4096:x;y''z'",
        b"COMMENT ON ROLE backup IS 'a",
        b"GRANT postgres TO backup WITH INHERIT TRUE",
    ]


def test_a_quoted_role_is_found_by_its_real_name():
    made = roles_to_create(ROLES, frozenset({"we \"ird' ;"}))
    assert made[2:] == [
        b'CREATE ROLE "we ""ird\' ;"',
        b'ALTER ROLE "we ""ird\' ;" WITH LOGIN',
        b"ALTER ROLE \"we \"\"ird' ;\" SET search_path TO 'a', 'b'",
        b'GRANT pg_read_all_data TO "we ""ird\' ;"',
    ]


def test_a_database_gets_its_properties_under_another_name():
    create, rest = database_properties(DATABASE, "new")
    assert create == b"CREATE DATABASE \"new\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8'"
    assert rest == [
        b"SET client_encoding = 'UTF8'",
        b'ALTER DATABASE "new" OWNER TO "DATABASE x"',
        b"COMMENT ON DATABASE \"new\" IS 'ALTER DATABASE \"o r\" IS; it''s'",
        b"ALTER ROLE b IN DATABASE \"new\" SET work_mem TO '9MB'",
        b'REVOKE CONNECT,TEMPORARY ON DATABASE "new" FROM PUBLIC',
    ]


def test_an_archive_without_a_database_makes_none():
    assert database_properties(b"SET client_encoding = 'UTF8';", "new")[0] == b""


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain", b'"plain"'),
        ('with "quotes" \\ and %', b'"with ""quotes"" \\ and %"'),
        ('Größe "x" \\', b'U&"Gr\\+0000F6\\+0000DFe ""x"" \\\\"'),
        ("🦆", b'U&"\\+01F986"'),
    ],
)
def test_a_name_is_plain_ascii_in_every_client_encoding(name, written):
    assert identifier(name) == written


def test_a_name_in_another_encoding_is_still_a_name():
    create, _ = statements.database_properties("CREATE DATABASE größe WITH x;".encode("latin-1"), "new")
    assert create == b'CREATE DATABASE "new" WITH x'
