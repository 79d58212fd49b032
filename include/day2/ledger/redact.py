"""The last net against secrets: what looks like one never reaches the ledger.

Tasks keep secrets out themselves. An append-only record cannot be cleaned afterwards, so what slips
through in a server's error message or a command line is masked before it is hashed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
NAME = r"(?:password|passwd|secret|token|api[_-]?key)(?:[_-][a-z0-9]+)*"
_NAMED = re.compile(rf"[\w-]*{NAME}", re.IGNORECASE)
_PATTERNS = (
    # user:password@ in a URL. The password may itself hold an @ that nobody escaped: up to the last one.
    (re.compile(r"(?<=://)([^\s:/@]*):[^\s/]+@"), rf"\1:{MASK}@"),
    # password=… in a connection string or an option, quoted or not
    (re.compile(rf"({NAME}\s*=\s*)('(?:\\.|[^'\\])*'|\S+)", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]+"), f"AGE-SECRET-KEY-1{MASK}"),
)


def text(value: str) -> str:
    """The text with everything that looks like a secret masked."""
    for pattern, replacement in _PATTERNS:
        value = pattern.sub(replacement, value)
    return value


def redacted(value: Any) -> Any:
    """The same JSON value with every string in it, keys too, masked; and a text whose key names a secret."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {redacted(key): _under(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    return value


def _under(key: Any, value: Any) -> Any:
    named = isinstance(key, str) and isinstance(value, str) and _NAMED.fullmatch(key)
    return MASK if named else redacted(value)
