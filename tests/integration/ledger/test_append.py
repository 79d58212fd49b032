"""Appending to a real ledger: the chain holds under load, hostile content and a server that goes away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from day2.errors import PlanRefused, StepFailed, Unavailable
from day2.ledger import Ledger, chain, migrate
from day2.ledger.canonical import GENESIS
from tests.integration.ledger.conftest import PASSWORD, Database, Server

pytestmark = pytest.mark.integration
HOSTILE = (
    "it's",
    'a "quote"',
    "100 %s %(x)s %",
    "Ünïcødé 数据库 🐘",
    "line\nbreak\ttab",
    "\u2028",
    "$$; drop table entry; --",
)


def test_an_entry_comes_back_as_it_was_appended(ledger: Ledger) -> None:
    first = ledger.append("note", run="dag/run", body={"b": 1, "a": [None, True, 1.5]})
    assert (first.seq, first.prev_hash, first.body) == (1, GENESIS, {"a": [None, True, 1.5], "b": 1})
    second = ledger.append("note", run="dag/run", body={})
    assert (second.seq, second.prev_hash) == (2, first.hash)
    assert list(ledger.entries()) == [first, second]
    assert ledger.head() == second


def test_python_alone_computes_the_hash_that_the_server_wrote(ledger: Ledger) -> None:
    for text in HOSTILE:
        ledger.append(f"kind {text}", run=f"run {text}", body={text: text, "n": -0.1, "big": 2**70})
    links = list(ledger.links())
    assert [link.computed_hash() for link in links] == [link.hash for link in links]
    assert [entry.body[text] for entry, text in zip(ledger.entries(), HOSTILE, strict=True)] == list(HOSTILE)


def test_twenty_writers_at_once_leave_one_chain_without_a_gap(database: Database, ledger: Ledger) -> None:
    def write(writer: int) -> None:
        with Ledger.connect(database.app) as own:
            for number in range(25):
                own.append("load", run=f"run {writer}", body={"number": number})

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(write, range(20)))
    report = chain.verify(ledger.links(), anchor=chain.Anchor(500, ledger.head().hash))  # type: ignore[union-attr]
    assert report.whole
    assert (report.entries, report.first, report.last) == (500, 1, 500)


def test_reading_filters_and_pages(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("day2.ledger.store.PAGE", 3)
    for number in range(10):
        ledger.append("odd" if number % 2 else "even", run=f"run {number // 5}", body={"number": number})
    assert [entry.body["number"] for entry in ledger.entries()] == list(range(10))
    assert [entry.body["number"] for entry in ledger.entries(kind="odd", run="run 1")] == [5, 7, 9]
    moment = ledger.settled_at()
    assert list(ledger.entries(since=moment)) == []
    assert len(list(ledger.entries(until=moment))) == 10


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"a": {"b": "x\0y"}}, r"`a\.b` holds a NUL"),
        ({"a": ["\ud800"]}, r"`a\[0\]` holds half a surrogate"),
        ({"a": float("nan")}, "`a` is nan"),
        ({"a": object()}, "`a` is a object"),
        ({1: "x"}, "key"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(ledger: Ledger, body: dict[str, object], message: str) -> None:
    with pytest.raises(StepFailed, match=message):
        ledger.append("note", run="r", body=body)
    assert ledger.head() is None


@pytest.mark.parametrize("body", ["", "not json", "[]", '"text"', "null", '{"a":\n1}', '{"a":"\\u0000"}'])
def test_the_server_takes_only_one_line_of_a_json_object(database: Database, body: str) -> None:
    with psycopg.connect(database.app) as connection, pytest.raises((psycopg.DataError, psycopg.IntegrityError)):
        connection.execute("select ledger.append('plan', 'r', %s)", (body,))


def test_secrets_are_masked_before_they_are_hashed(ledger: Ledger) -> None:
    told = "could not connect: postgresql://u:hunter2@h/db password='hun ter2' PGPASSWORD=hunter2"
    ledger.append("note", run="r", body={"error": told, "command": ["age", "-i", "AGE-SECRET-KEY-1QQQQ"]})
    (stored,) = ledger.links()
    assert "hunter2" not in stored.body
    assert "hun ter2" not in stored.body
    assert "QQQQ" not in stored.body
    assert stored.body.count("***") == 4


def test_an_append_outlives_a_connection_that_the_server_closed(database: Database, ledger: Ledger) -> None:
    ledger.append("note", run="r", body={"n": 1})
    with psycopg.connect(database.root, autocommit=True) as root:
        root.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'day2-app'")
    assert ledger.append("note", run="r", body={"n": 2}).seq == 2


def test_a_repeated_append_finds_what_its_first_try_wrote(database: Database, ledger: Ledger) -> None:
    with Ledger.connect(database.app) as other:
        # As if the answer to our own append had been lost with the connection.
        lost = other.append("note", run="r", body={"n": 1})
    with psycopg.connect(database.root, autocommit=True) as root:
        root.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'day2-app'")
    assert ledger.append("note", run="r", body={"n": 1}) == lost
    assert ledger.head() == lost


def test_a_server_that_is_down_is_unavailable_and_its_password_stays_secret() -> None:
    down = make_conninfo(host="127.0.0.1", port=1, dbname="nowhere", password=PASSWORD)
    with pytest.raises(Unavailable, match=r":1/nowhere: the ledger cannot be reached.*Next: check") as caught:
        Ledger.connect(down)
    assert "p@ss" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_wrong_password_is_told_without_it(database: Database) -> None:
    with pytest.raises(Unavailable, match="password authentication failed") as caught:
        Ledger.connect(database.app + " password=hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_password_that_the_server_repeats_is_masked(database: Database) -> None:
    with pytest.raises(Unavailable, match=r'failed for user "\*\*\*"'):
        Ledger.connect(make_conninfo(database.app, user="hunter2", password="hunter2"))


@pytest.mark.parametrize(
    "conninfo", ["postgresql://u:hun%ter2@h/d", "host=h password=hun ter2", "postgresql://u:hun@ter2@h/d"]
)
def test_an_unreadable_connection_string_is_not_shown(conninfo: str) -> None:
    with pytest.raises(PlanRefused, match="cannot be read") as caught:
        Ledger.connect(conninfo)
    assert "ter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_database_without_a_ledger_says_what_to_run(server: Server) -> None:
    with pytest.raises(StepFailed, match="not prepared.*migrate"):
        Ledger.connect(server.conninfo())


def test_migrating_again_changes_nothing(database: Database, ledger: Ledger) -> None:
    entry = ledger.append("note", run="r", body={})
    with ThreadPoolExecutor(4) as pool:
        revisions = list(pool.map(lambda _: migrate(database.owner, app_role="day2-app"), range(4)))
    assert set(revisions) == {"0003"}
    assert ledger.head() == entry


@pytest.mark.parametrize(
    ("role", "message"),
    [("nobody here", "does not exist"), ("ledger owner", "owner"), ("postgres", "superuser")],
)
def test_a_role_that_could_rewrite_the_ledger_is_refused(database: Database, role: str, message: str) -> None:
    with pytest.raises(PlanRefused, match=message):
        migrate(database.owner, app_role=role)
