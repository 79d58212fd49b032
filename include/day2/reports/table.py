"""Rows as CSV, with values that a spreadsheet would take for formulas made harmless."""

from __future__ import annotations

import csv as library
import io
from collections.abc import Iterable, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The rows under their header, as UTF-8."""
    file = io.StringIO()
    writer = library.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue().encode()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
