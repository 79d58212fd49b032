"""Render a template to one HTML page that needs nothing else: no script, no font, no image from outside.

The page forbids itself to load anything (its Content-Security-Policy), so it looks the same from a disk,
in ten years, without a network. The same values give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from day2.units import duration, size

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
NOTHING = "—"


def render(template: Path, values: Mapping[str, Any]) -> bytes:
    """The template filled in, as UTF-8. It may extend `page.html.j2`; a name it lacks is an error."""
    return _environment(template.parent).get_template(template.name).render(values).encode()


def moment(value: datetime | str | None, *, seconds: bool = True) -> str:
    """A time in UTC as people read it: `2026-11-23 02:15:00 UTC`."""
    if value is None:
        return NOTHING
    return _utc(value).strftime("%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC")


def clock(value: datetime | str | None) -> str:
    """The time of day in UTC, to the tenth of a second: `02:15:00.3`."""
    return NOTHING if value is None else _utc(value).strftime("%H:%M:%S.%f")[:10]


def span(seconds: float | None) -> str:
    """Seconds in words, a dash for none."""
    return NOTHING if seconds is None else duration(seconds) if seconds else "0 s"


def word(value: Any) -> str:
    """A value of a check: `yes`, `no`, a dash for none."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _utc(value: datetime | str) -> datetime:
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


@cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": moment, "clock": clock, "span": span, "word": word, "bytes": size}
    return made
