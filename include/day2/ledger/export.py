"""A period of the ledger as a file for an auditor: streamed, and the same bytes each time it is made.

The file's header says what was asked, of which ledger, with which tool, how many rows came and their hash,
so that completeness and accuracy can be tested. What differs between two exports of a closed period (who
made it, when) stands in the manifest beside the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shutil
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from day2 import __version__
from day2.errors import Corrupt, PlanRefused, StepFailed
from day2.ledger import rows
from day2.ledger.canonical import timestamp
from day2.ledger.chain import Link
from day2.ledger.store import Ledger


@dataclass(frozen=True, kw_only=True)
class Query:
    """What to export: run records or every entry, from `since` (included) to `until` (not included)."""

    what: rows.What = "records"
    format: rows.Format = "jsonl"
    since: datetime | None = None
    until: datetime | None = None


@dataclass
class _Tally:
    """What went into the file."""

    rows: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    digest: Any = field(default_factory=hashlib.sha256)


def export(ledger: Ledger, query: Query, output: Path) -> dict[str, Any]:
    """Write the file and its manifest, complete or not at all. Returns the manifest.

    Raises PlanRefused for a period that has not ended, Corrupt for an entry that was edited.
    """
    until = _closed(query.until, ledger.settled_at())
    rows_file, whole = (output.with_name(f".{output.name}.{os.getpid()}.{part}") for part in ("rows", "whole"))
    try:
        tally = _write_rows(rows_file, query, _period(ledger, query, until))
        header = _header(query, until, tally) | {"ledger": _length_and_head(ledger, until)}
        _prepend(rows.header_text(header, query.format), rows_file, whole)
        manifest = _manifest(whole, output.name, header) | {"ledger_now": _length_and_head(ledger, None)}
        whole.replace(output)
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        output.with_name(f"{output.name}.manifest.json").write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise StepFailed(f"the export cannot be written: {error}", target=str(output)) from error
    finally:
        rows_file.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)
    return manifest


def _closed(until: datetime | None, settled: datetime) -> str:
    if until and until > settled:
        raise PlanRefused(
            f"the period until {timestamp(until)} has not ended: at the ledger it is {timestamp(settled)}",
            left="no export was made",
            next_step="leave `until` out to export what there is now",
        )
    return timestamp(until or settled)


def _period(ledger: Ledger, query: Query, until: str) -> Iterator[Link]:
    kind = "record" if query.what == "records" else None
    since = timestamp(query.since) if query.since else None
    for link in ledger.links(kind=kind, since=since, until=until):
        if link.computed_hash() != link.hash:
            raise Corrupt(
                f"entry {link.seq} is not what was appended: its hash does not fit",
                target="ledger",
                left="no export was made",
                next_step="run `day2 record verify`, and treat it as an incident",
            )
        yield link


def _write_rows(path: Path, query: Query, links: Iterable[Link]) -> _Tally:
    tally = _Tally()
    with path.open("wb") as file:
        for text in _texts(query, links, tally):
            data = text.encode()
            tally.digest.update(data)
            file.write(data)
    return tally


def _texts(query: Query, links: Iterable[Link], tally: _Tally) -> Iterator[str]:
    if query.format == "csv":
        yield rows.csv_heading(query.what)
    for link in links:
        tally.rows += 1
        if query.what == "records":
            tally.verdicts[json.loads(link.body)["verdict"]] += 1
        yield rows.row_text(link, query.what, query.format)


def _header(query: Query, until: str, tally: _Tally) -> dict[str, Any]:
    return {
        "day2_export": 1,
        "what": query.what,
        "since": timestamp(query.since) if query.since else None,
        "until": until,
        "times": "UTC; since is included, until is not",
        "tool": f"day2 {__version__}",
        "rows": tally.rows,
        "verdicts": dict(sorted(tally.verdicts.items())),
        "sha256": tally.digest.hexdigest(),
    }


def _length_and_head(ledger: Ledger, until: str | None) -> dict[str, Any]:
    """The chain as it was at a time: what to compare with an anchor of that time."""
    last = ledger.head(until=until)
    return {"length": last.seq if last else 0, "head": last.hash if last else None}


def _prepend(header: str, rows_file: Path, whole: Path) -> None:
    # The header names the rows' hash, so it is known last and stands first.
    with whole.open("wb") as file, rows_file.open("rb") as source:
        file.write(header.encode())
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())


def _manifest(whole: Path, name: str, header: dict[str, Any]) -> dict[str, Any]:
    with whole.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "file": name,
        "size": whole.stat().st_size,
        "sha256": sha256,
        "generated_at": timestamp(datetime.now(UTC)),
        "generated_by": f"{_user()}@{socket.gethostname()}",
        "header": header,
    }


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user often has no name
        return f"uid {os.getuid()}"
