"""Values of PostgreSQL's settings as people write them: `64MB`, `1.1`, `30s`. Compared only when of one kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

Kind = Literal["number", "bytes", "seconds"]

# https://www.postgresql.org/docs/current/config-setting.html: units are case-sensitive, and 1 kB is 1024 bytes.
UNITS: Mapping[str, tuple[Kind, float]] = {
    "": ("number", 1),
    "B": ("bytes", 1),
    "kB": ("bytes", 1024),
    "MB": ("bytes", 1024**2),
    "GB": ("bytes", 1024**3),
    "TB": ("bytes", 1024**4),
    "us": ("seconds", 1e-6),
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1),
    "min": ("seconds", 60),
    "h": ("seconds", 3600),
    "d": ("seconds", 86_400),
}
WRITTEN = re.compile(r"(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def amount(text: str) -> tuple[Kind, float]:
    """What it is an amount of, and how much. Raises ValueError."""
    found = WRITTEN.fullmatch(text.strip())
    if not found or found[2] not in UNITS:
        raise ValueError(f"{text!r} is no amount; write 64MB, 1.1 or 30s, with the units of PostgreSQL")
    kind, factor = UNITS[found[2]]
    return kind, float(found[1]) * factor


def _amount(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    if isinstance(value, str):
        amount(value)
        return value
    raise ValueError(f"{value!r} is no amount; write 64MB, 1.1 or 30s")


# A number is as good as text here, so editors must take both.
_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string"}]}
Amount = Annotated[str, BeforeValidator(_amount), WithJsonSchema(_SCHEMA)]
