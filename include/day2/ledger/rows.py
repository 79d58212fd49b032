"""How an export spells its rows, and how a JSON Lines export is read back."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from day2.errors import Corrupt, StepFailed
from day2.ledger.chain import Link

Format = Literal["csv", "jsonl"]
What = Literal["records", "entries"]

# A spreadsheet runs a cell that begins so (https://owasp.org/www-community/attacks/CSV_Injection),
# in the full-width forms of some keyboards too.
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
BODY = ',"body":'
END = "\r\n"  # of a CSV line (RFC 4180); Python's writer quotes a stray \r only when it is part of this

ENTRY_COLUMNS = ("seq", "recorded_at", "kind", "run", "body", "prev_hash", "hash")
RECORD_COLUMNS = (
    *(
        "seq",
        "recorded_at",
        "record_id",
        "operation",
        "environment",
        "dag_id",
        "run_id",
        "attempt",
        "verdict",
        "reason",
    ),
    *("slot_expected", "started", "ended", "trigger_type", "trigger_user", "trigger_reason", "ticket"),
    *("approvals", "targets_resolved", "targets_succeeded", "targets_failed", "targets_not_attempted"),
    *(
        "targets_not_applicable",
        "checks_passed",
        "checks_failed",
        "overrides",
        "exceptions",
        "artefacts",
        "control_ids",
    ),
    *("simulated", "plan_digest", "policy_hash", "code_commit", "prev_hash", "hash"),
)


def header_text(header: dict[str, Any], format_: Format) -> str:
    """The header as the file's first line, or in CSV as comment lines."""
    if format_ == "jsonl":
        return json.dumps(header, ensure_ascii=False) + "\n"
    return "".join(f"# {name}: {_cell_of_header(value)}{END}" for name, value in header.items())


def csv_heading(what: What) -> str:
    """The line with the columns' names."""
    return _csv_line(RECORD_COLUMNS if what == "records" else ENTRY_COLUMNS)


def row_text(link: Link, what: What, format_: Format) -> str:
    """One entry as one row. In JSON Lines its body stands as it was hashed, so the row proves itself."""
    if format_ == "jsonl":
        outer = {name: getattr(link, name) for name in ENTRY_COLUMNS if name != "body"}
        opening = json.dumps(outer, ensure_ascii=False, separators=(",", ":")).removesuffix("}")
        return f"{opening}{BODY}{link.body}}}\n"
    if what == "entries":
        return _csv_line([getattr(link, name) for name in ENTRY_COLUMNS])
    return _csv_line(_record_cells(link))


def read(path: Path) -> tuple[dict[str, Any], Iterator[Link]]:
    """The header of a JSON Lines export and its entries, streamed. Raises StepFailed, Corrupt.

    The rows' hash and number are compared with the header's when the last one was read.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
        if header["day2_export"] != 1:
            raise KeyError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StepFailed(
            f"is not a readable JSON Lines export of the ledger ({type(error).__name__})",
            target=str(path),
            next_step="name a file that `day2 record export --format jsonl` wrote",
        ) from error
    return header, _links(path, header)


def _links(path: Path, header: dict[str, Any]) -> Iterator[Link]:
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as file:
        next(file)
        for line in file:
            digest.update(line)
            count += 1
            yield _link(line, f"{path}: line {count + 1}")
    if (count, digest.hexdigest()) != (header["rows"], header["sha256"]):
        raise Corrupt(
            f"has {count} rows with hash {digest.hexdigest()[:16]}…, its header says {header['rows']} "
            f"with {str(header['sha256'])[:16]}…",
            target=str(path),
            next_step="get the file again from who made it, and compare its manifest",
        )


def _link(line: bytes, where: str) -> Link:
    try:
        # The first is the key itself: inside a JSON text the quotes would be escaped.
        opening, sign, rest = line.decode().partition(BODY)
        if not sign:
            raise ValueError("no body")
        return Link(body=rest.removesuffix("\n").removesuffix("}"), **json.loads(opening + "}"))
    except (ValueError, TypeError) as error:
        raise Corrupt("is not an entry of the ledger", target=where) from error


def _record_cells(link: Link) -> list[Any]:
    record = json.loads(link.body)
    targets, trigger, checks = record["targets"], record["trigger"], record["checks"]
    failed = sum(not check["passed"] for check in checks)
    told = record | {
        **{"seq": link.seq, "recorded_at": link.recorded_at, "prev_hash": link.prev_hash, "hash": link.hash},
        **{f"trigger_{name}": trigger[name] for name in ("type", "user", "reason")},
        **{f"targets_{status}": _joined(names) for status, names in targets.items()},
        "ticket": trigger["ticket"],
        "approvals": _joined(f"{each['decision']} by {each['who']} at {each['when']}" for each in record["approvals"]),
        "checks_passed": len(checks) - failed,
        "checks_failed": failed,
        "overrides": _joined(each["task"] for each in record["overrides"]),
        "exceptions": _joined(f"{each['target']}: {each['reason']}" for each in record["exceptions"]),
        "artefacts": _joined(f"{each['uri']} sha256:{each['sha256']}" for each in record["artefacts"]),
        "control_ids": _joined(record["control_ids"]),
        "simulated": _joined(record["simulated"]),
    }
    return [told[name] for name in RECORD_COLUMNS]


def _joined(parts: Any) -> str:
    return "; ".join(str(part) for part in parts)


def _csv_line(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator=END).writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def _cell_of_header(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "" if value is None else str(value)
