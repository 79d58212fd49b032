"""Exports and their verification, through the commands an auditor uses, on a real ledger."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner, Result

from day2.cli import app
from day2.errors import Corrupt, PlanRefused, StepFailed
from day2.ledger import Ledger, record
from day2.ledger.export import Query, export
from tests.integration.ledger.conftest import PASSWORD, Database
from tests.unit.ledger.story import RUN, Story

pytestmark = pytest.mark.integration


def day2(*arguments: str, ledger: str = "", **environment: str) -> Result:
    return CliRunner().invoke(app, ["record", *arguments], env={"DAY2_LEDGER": ledger, "COLUMNS": "200", **environment})


@pytest.fixture
def recorded(ledger: Ledger) -> Ledger:
    """A ledger with one passed run and one cancelled run, and their entries."""
    good = Story().plan("orders").approval().lock("orders").acted("orders").checks("orders")
    rejected = Story().cleared().plan("orders", change="normal").approval("rejected")
    for story in (good, rejected):
        for entry in story.entries:
            ledger.append(entry.kind, run=RUN, body=entry.body)
        record.append_record(ledger, story.info, {})
    return ledger


def tamper(database: Database, *statements: str) -> None:
    """Do what only a superuser who sets out to deceive can do."""
    with psycopg.connect(database.root, autocommit=True) as root:
        root.execute("alter table ledger.entry disable trigger append_only")
        for statement in statements:
            root.execute(statement.encode())


def test_list_shows_the_records_of_a_period(database: Database, recorded: Ledger) -> None:
    listed = day2("list", ledger=database.app)
    assert listed.exit_code == 0
    assert re.search(rf"PASSED +database_backup +production +{RUN} +1 +1/1 +manual operator", listed.output)
    assert "CANCELLED" in listed.output
    assert "PASSED" not in day2("list", "--verdict", "CANCELLED", ledger=database.app).output
    assert "PASSED" not in day2("list", "--until", "2020-01-01", ledger=database.app).output
    (made,) = day2("list", "--json", "--verdict", "PASSED", ledger=database.app).output.splitlines()
    record.validate(json.loads(made))


def test_show_tells_every_attempt_or_one(database: Database, recorded: Ledger) -> None:
    both = day2("show", RUN, ledger=database.app).output
    assert "PASSED: 1 of 1 targets verified" in both
    assert "CANCELLED: the approval was rejected" in both
    assert "backup orders, attempt 1 try 1: succeeded" in both
    assert "ok     orders: restored (critical): expected 1, observed 1" in both
    assert "CANCELLED" not in day2("show", f"{RUN}#1", ledger=database.app).output
    unknown = day2("show", "no/such", ledger=database.app)
    assert (unknown.exit_code, unknown.output) == (
        1,
        "day2: no/such: the ledger has no record of it · Next: see `day2 record list`.\n",
    )


def test_a_password_comes_from_the_environment(database: Database, recorded: Ledger) -> None:
    fields: dict[str, Any] = conninfo_to_dict(database.app)
    del fields["password"]
    bare = make_conninfo(**fields)
    assert "password" not in bare
    assert day2("list", ledger=bare, PGPASSWORD=PASSWORD).exit_code == 0
    assert day2("list", ledger=bare, PGPASSWORD="wrong").exit_code == 1


def test_verify_reads_the_whole_chain(database: Database, recorded: Ledger) -> None:
    head = recorded.head()
    assert head is not None
    anchor = ("--head", head.hash, "--length", str(head.seq))
    recorded.append("note", run="later", body={})
    told = day2("verify", *anchor, ledger=database.app)
    assert told.exit_code == 0
    assert f"{head.seq + 1} entries (1 to {head.seq + 1}) are as they were written" in told.output
    assert "still holds" in told.output
    assert "without an anchor" in day2("verify", ledger=database.app).output


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["update ledger.entry set body = replace(body, 'orders', 'others') where seq = 3"], "entry 3: edited"),
        (["update ledger.entry set recorded_at = '2026-01-01T00:00:00.000000Z' where seq = 3"], "entry 3: edited"),
        (["delete from ledger.entry where seq = 3"], "entry 3: missing"),
        (["delete from ledger.entry where seq = 1"], "entry 1: missing"),
        (
            [
                "update ledger.entry set seq = -seq + 10000 where seq in (3, 4)",
                "update ledger.entry set seq = case seq when 9997 then 4 else 3 end where seq > 1000",
            ],
            "entry 3: relinked",
        ),
        (["delete from ledger.entry where seq > 5"], "entry 6: truncated"),
        (["truncate ledger.entry"], "entry 1: truncated"),
        (
            [
                "create temp table kept as select * from ledger.entry order by seq",
                "truncate ledger.entry",
                "select ledger.append(kind, run, body) from kept order by seq",
            ],
            "rewritten",
        ),
    ],
)
def test_verify_finds_what_was_done_to_the_table(
    database: Database, recorded: Ledger, statements: list[str], message: str
) -> None:
    head = recorded.head()
    assert head is not None
    tamper(database, *statements)
    told = day2("verify", "--head", head.hash, "--length", str(head.seq), ledger=database.app)
    assert told.exit_code == 1
    assert message in told.output


def test_two_exports_of_a_closed_period_are_the_same_bytes(recorded: Ledger, tmp_path: Path) -> None:
    until = recorded.settled_at()
    for what in ("records", "entries"):
        for format_ in ("csv", "jsonl"):
            query = Query(what=what, format=format_, until=until)
            one = export(recorded, query, tmp_path / "one")
            recorded.append("note", run="later", body={"after": "the period"})
            other = export(recorded, query, tmp_path / "other")
            assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
            assert one["ledger_now"] != other["ledger_now"]
            assert one["sha256"] == hashlib.sha256((tmp_path / "one").read_bytes()).hexdigest()
    assert {each.name for each in tmp_path.iterdir()} == {"one", "other", "one.manifest.json", "other.manifest.json"}


def test_an_export_says_what_it_holds(database: Database, recorded: Ledger, tmp_path: Path) -> None:
    told = day2("export", "--format", "csv", "--output", str(tmp_path / "r.csv"), ledger=database.app)
    assert told.exit_code == 0
    assert "2 records, 1 CANCELLED, 1 PASSED" in told.output
    text = (tmp_path / "r.csv").read_bytes().decode()
    comments, table = re.fullmatch(r"((?:# [^\n]*\r\n)+)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    header = dict(line[2:].split(": ", 1) for line in comments.splitlines())
    assert (header["rows"], header["what"], header["tool"]) == ("2", "records", "day2 0.1.0")
    assert json.loads(header["verdicts"]) == {"CANCELLED": 1, "PASSED": 1}
    assert header["sha256"] == hashlib.sha256(table.encode()).hexdigest()
    assert [row["verdict"] for row in csv.DictReader(table.splitlines())] == ["PASSED", "CANCELLED"]
    manifest = json.loads((tmp_path / "r.csv.manifest.json").read_text())
    assert manifest["header"]["rows"] == 2
    assert manifest["generated_by"]


@pytest.mark.parametrize("what", ["records", "entries"])
def test_an_export_is_verified_without_the_ledger(
    database: Database, recorded: Ledger, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "export.jsonl"
    day2("export", "--what", what, "--output", str(path), ledger=database.app)
    told = day2("verify", "--file", str(path))
    assert told.exit_code == 0
    assert ("an extract" in told.output) is (what == "records")
    path.write_text(path.read_text().replace('"orders"', '"others"', 1))
    assert day2("verify", "--file", str(path)).exit_code == 1
    assert "edited" in day2("verify", "--file", str(path)).output


def test_a_period_of_entries_is_verified_from_where_it_starts(recorded: Ledger, tmp_path: Path) -> None:
    third = list(recorded.entries())[2]
    since = datetime.fromisoformat(third.recorded_at)
    export(recorded, Query(what="entries", since=since), tmp_path / "part.jsonl")
    assert "entries (3 to" in day2("verify", "--file", str(tmp_path / "part.jsonl")).output


def test_a_period_that_has_not_ended_is_refused(recorded: Ledger, tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match="has not ended"):
        export(recorded, Query(until=recorded.settled_at() + timedelta(hours=1)), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_cannot_be_written_leaves_nothing(recorded: Ledger, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(StepFailed, match="the export cannot be written: .*directory"):
        export(recorded, Query(), tmp_path / "x")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]


def test_an_edited_entry_is_not_exported(database: Database, recorded: Ledger, tmp_path: Path) -> None:
    tamper(database, "update ledger.entry set body = replace(body, 'PASSED', 'FAILED') where kind = 'record'")
    with pytest.raises(Corrupt, match="entry 7 is not what was appended"):
        export(recorded, Query(), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_export_holds_a_page_in_memory_and_not_the_period(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    with psycopg.connect(database.app, autocommit=True) as connection:
        connection.execute("""
            select count(ledger.append('note', 'r', json_build_object('text', repeat(md5(n::text), 60))::text))
              from generate_series(1, 20000) n
        """)
    tracemalloc.start()
    export(ledger, Query(what="entries"), tmp_path / "big.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = (tmp_path / "big.jsonl").stat().st_size
    assert size > 40_000_000
    assert peak < 8_000_000, f"{size} bytes exported with a peak of {peak}"
    assert day2("verify", "--file", str(tmp_path / "big.jsonl")).exit_code == 0
