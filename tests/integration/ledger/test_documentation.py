"""docs/record-format.md says what is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from day2.ledger import Ledger, entries, record
from day2.ledger.export import Query, export

pytestmark = pytest.mark.integration
TEXT = (Path(__file__).parents[3] / "docs" / "record-format.md").read_text(encoding="utf-8")


def test_the_printed_verifier_verifies_and_needs_nothing_of_ours(ledger: Ledger, tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    for number in range(5):
        ledger.append("note", run='a "run", "body":{}', body={"n": number, "text": "Ünïcødé \u2028 \n"})
    path = tmp_path / "chain.jsonl"
    export(ledger, Query(what="entries"), path)
    command = (sys.executable, "-I", "-S", "-c", program, str(path))
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"entries up to 5 head {ledger.head().hash}\n"  # type: ignore[union-attr]
    path.write_text(path.read_text(encoding="utf-8").replace('"n":3', '"n":4'), encoding="utf-8")
    edited = subprocess.run(command, capture_output=True, text=True)
    assert "entry 4 was edited" in edited.stderr


def test_the_hash_by_hand_is_the_printed_one() -> None:
    command, printed = re.search(r"\$ (printf .*sha256sum)\n(\w{64})", TEXT).groups()  # type: ignore[union-attr]
    told = subprocess.run(("bash", "-c", command), capture_output=True, text=True, check=True).stdout
    assert told.split()[0] == printed


def test_every_field_of_a_record_and_of_each_kind_is_named() -> None:
    schema = json.loads(record.SCHEMA.read_text(encoding="utf-8"))
    fields = set(schema["properties"])
    kinds = TEXT.partition("## Kinds of entries")[2].partition("\n## ")[0]
    for kind, body in entries.KINDS.items():
        (row,) = re.findall(rf"^\| `{kind}` \|(.*)\|$", kinds, re.MULTILINE)
        missing = {name for name in body.__annotations__ if f"`{name}`" not in row}
        assert not missing, f"kind {kind} has {missing}"
    assert {name for name in fields if f"`{name}`" not in TEXT} == set()
