"""A server's address: the password goes where it must and nowhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psycopg.conninfo
import pytest

from day2.postgres import basebackup, dump
from day2.postgres.binaries import Binaries
from day2.postgres.server import SESSION, Server

PASSWORD = "p'a\"s s%w\\o:rd=$(id)"
BINARIES = Binaries(Path("/opt/pg/bin"), (17, 10), True)


def server(**more) -> Server:
    fields = {"host": "db.example.com", "port": 5433, "user": "day2 backup", "dbname": "orders", "password": PASSWORD}
    return Server(**fields | more)


def test_the_password_is_not_in_what_is_printed():
    assert PASSWORD not in repr(server())
    assert PASSWORD not in server().label
    assert server().label == "day2 backup@db.example.com:5433/orders"


def test_programs_find_the_password_in_a_private_file_that_goes_away():
    with server().environment() as env:
        path = Path(env["PGPASSFILE"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_ISREG(path.stat().st_mode), "libpq reads no other kind of file"
        assert path.read_text() == "db.example.com:5433:*:day2 backup:p'a\"s s%w\\\\o\\:rd=$(id)\n"
        assert PASSWORD not in "".join(env.values())
    assert not path.exists()


def test_programs_do_not_inherit_settings_that_would_lead_them_elsewhere(monkeypatch):
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PGSERVICE", "other")
    monkeypatch.setenv("AIRFLOW_CONN_X", "postgresql://u:secret@h")
    with server(options={"sslmode": "verify-full"}).environment() as env:
        assert env["PGHOST"] == "db.example.com"
        assert env["PGSSLMODE"] == "verify-full"
        assert {"PGSERVICE", "AIRFLOW_CONN_X", "PGPASSWORD"}.isdisjoint(env)
        assert env["PATH"] == os.environ["PATH"]


def test_another_database_of_the_same_server_keeps_everything_else():
    other = server(options={"sslmode": "require"}).at('größe "x"')
    assert (other.dbname, other.password, other.options) == ('größe "x"', PASSWORD, {"sslmode": "require"})


def test_awkward_values_survive_a_connection_string():
    found = psycopg.conninfo.conninfo_to_dict(server(dbname="a='b' c\\d")._conninfo())
    assert (found["password"], found["dbname"], found["user"]) == (PASSWORD, "a='b' c\\d", "day2 backup")


@pytest.mark.parametrize("name", ["orders", "a=b", "host=evil", "with space", "it's", "back\\slash", "postgresql://x"])
def test_a_database_name_is_never_read_as_a_connection_string(name):
    option = dump.dbname(server(dbname=name)).removeprefix("--dbname=")
    assert psycopg.conninfo.conninfo_to_dict(option) == {"dbname": name}


def test_no_command_holds_a_password():
    commands = [
        dump.command(BINARIES, server(), "0-1"),
        dump.restore_command(BINARIES, server(), create=True),
        basebackup.command(BINARIES, label="x", level=3, workers=2),
    ]
    for command in commands:
        assert PASSWORD not in " ".join(command)
        assert "--no-password" in command, "it must never wait for somebody to type one"


def test_a_session_pins_what_a_values_text_depends_on():
    assert {"TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "bytea_output", "search_path"} <= set(
        SESSION
    )
    assert SESSION["row_security"] == "off"


def test_the_servers_own_compression_is_asked_for():
    assert "--compress=server-zstd:level=7,workers=4" in basebackup.command(BINARIES, label="x", level=7, workers=4)
    assert "--compress=server-zstd:level=7" in basebackup.command(BINARIES, label="x", level=7, workers=0)


class Said:
    def __init__(self, text: str) -> None:
        self.text = text

    def stderr(self) -> str:
        return self.text

    def errors(self) -> str:
        return self.text


def test_the_span_of_a_copy_is_what_the_program_said():
    said = Said(
        "pg_basebackup: write-ahead log start point: 0/2000028 on timeline 3\n"
        "pg_basebackup: write-ahead log end point: 1A/2000100\n"
    )
    assert basebackup.span(said) == basebackup.Span("0/2000028", "1A/2000100", 3)


@pytest.mark.parametrize("text", ["", "write-ahead log start point: 0/2000028 on timeline 3", "x end point: 1/2"])
def test_a_copy_that_does_not_say_its_span_is_none(text):
    from day2.errors import StepFailed

    with pytest.raises(StepFailed, match="did not say which WAL"):
        basebackup.span(Said(text))
