"""One text for one value, and one hash for one entry.

The ledger keeps the canonical text itself, so checking it later needs no JSON library: only SHA-256
over netstrings (https://cr.yp.to/proto/netstrings.txt), which cannot be read in two ways.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from day2.errors import StepFailed

FORMAT = "day2-ledger-1"
GENESIS = "0" * 64  # what the first entry names as the hash before it


def canonical(body: Mapping[str, Any]) -> str:
    """The body as compact JSON with sorted keys, in one line of UTF-8. Raises StepFailed if it cannot be."""
    for path, value in _leaves(body, ""):
        if problem := _problem(value):
            raise StepFailed(
                f"an entry's field `{path.lstrip('.')}` {problem}",
                left="nothing was written to the ledger",
                next_step="correct what the task puts into the entry",
            )
    return json.dumps(body, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def printable(text: str) -> str:
    """Foreign text (a program's output, an error) as the ledger can keep it: what it cannot is marked."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def entry_hash(*fields: str | int) -> str:
    """The hash of an entry: its seq, recorded_at, kind, run, body and prev_hash, in this order."""
    return hashlib.sha256(b"".join(netstring(str(field)) for field in (FORMAT, *fields))).hexdigest()


def netstring(text: str) -> bytes:
    """`5:hello,`: the length says where the text ends, so no text can imitate two."""
    data = text.encode()
    return b"%d:%s," % (len(data), data)


def timestamp(moment: datetime) -> str:
    """An aware time as the ledger writes it: UTC, always six digits, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield f"{path} (key {key!r})", key if isinstance(key, str) else object()
            yield from _leaves(inner, f"{path}.{printable(str(key))}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def _problem(value: Any) -> str | None:
    if isinstance(value, str):
        if "\0" in value:
            return "holds a NUL character, which PostgreSQL cannot keep"
        if not _is_unicode(value):
            return "holds half a surrogate pair, which is not Unicode text"
    elif isinstance(value, float):
        if not math.isfinite(value):
            return f"is {value}, which JSON has no number for"
    elif not (value is None or isinstance(value, int)):
        return f"is a {type(value).__name__}, which is not JSON"
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
