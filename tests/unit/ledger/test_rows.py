"""Rows of an export: readable, harmless in a spreadsheet, and the same when read back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.errors import Corrupt, StepFailed
from day2.ledger import record, rows
from day2.ledger.canonical import GENESIS, canonical
from day2.ledger.chain import Link
from tests.unit.ledger.story import Story

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def link(body: str, kind: str = "record", run: str = "r") -> Link:
    made = Link(1, "2026-11-23T02:00:00.000000Z", kind, run, body, GENESIS, "")
    return replace(made, hash=made.computed_hash())


def exported(tmp_path: Path, *links: Link) -> Path:
    import hashlib

    body = "".join(rows.row_text(each, "entries", "jsonl") for each in links)
    header = {"day2_export": 1, "rows": len(links), "sha256": hashlib.sha256(body.encode()).hexdigest()}
    path = tmp_path / "export.jsonl"
    path.write_text(rows.header_text(header, "jsonl") + body, encoding="utf-8", newline="")
    return path


@settings(deadline=None)
@given(TEXT, TEXT, st.dictionaries(TEXT, TEXT | st.floats(allow_nan=False, allow_infinity=False) | st.none()))
def test_a_row_is_json_and_comes_back_byte_for_byte(kind: str, run: str, body: dict[str, object]) -> None:
    made = link(canonical(body), kind, run)
    text = rows.row_text(made, "entries", "jsonl")
    assert json.loads(text)["body"] == body
    assert rows._link(text.encode(), "here") == made


def test_an_export_is_read_back_and_a_changed_one_refused(tmp_path: Path) -> None:
    path = exported(tmp_path, link('{"n":1}'), link('{"n":2,"body":",\\"body\\":{}"}'))
    header, links = rows.read(path)
    assert (header["rows"], [each.body for each in links]) == (2, ['{"n":1}', '{"n":2,"body":",\\"body\\":{}"}'])
    path.write_bytes(path.read_bytes().rpartition(b'{"seq"')[0])
    with pytest.raises(Corrupt, match="has 1 rows with hash .* its header says 2"):
        list(rows.read(path)[1])


@pytest.mark.parametrize("content", [b"", b"no json\n", b"[]\n", b"{}\n", b'{"day2_export":2}\n', b"\xff\xfe\n"])
def test_a_file_that_is_no_export_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(StepFailed, match="not a readable JSON Lines export"):
        rows.read(path)


def test_a_line_that_is_no_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text('{"day2_export":1,"rows":1,"sha256":""}\n{"seq":1}\n')
    with pytest.raises(Corrupt, match="export.jsonl: line 2: is not an entry"):
        list(rows.read(path)[1])


@pytest.mark.parametrize("evil", ["=HYPERLINK(1)", "+1", "-1+cmd", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_no_cell_is_a_formula(evil: str) -> None:
    story = Story().plan("orders", trigger={"type": "manual", "user": evil, "reason": evil, "ticket": evil})
    story.checks("orders").tell("checks", suite=evil, passed=True, checks=[])
    made = record.build(story.info, story.entries, {})
    text = rows.csv_heading("records") + rows.row_text(link(canonical(made)), "records", "csv")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert [row[name] for name in ("trigger_user", "trigger_reason", "ticket")] == [f"'{evil}"] * 3
    assert (row["verdict"], row["attempt"], row["checks_passed"]) == ("FAILED", "1", "1")


def test_ordinary_cells_are_left_alone() -> None:
    assert rows._csv_line(["a=b", -5, "", "it's", 'say "x", y']) == 'a=b,-5,,it\'s,"say ""x"", y"\r\n'


def test_every_column_of_a_record_is_filled_from_a_real_record() -> None:
    made = record.build(Story().info, [], {})
    cells = rows._record_cells(link(canonical(made)))
    assert len(cells) == len(rows.RECORD_COLUMNS)
