"""How lists are printed: a table for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import typer


class Format(StrEnum):
    """How a list is printed."""

    table = "table"
    json = "json"
    csv = "csv"


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], format: Format) -> None:
    """Print rows; a program gets every value as it is, a person gets words."""
    if format is Format.json:
        typer.echo(json.dumps([{name: row[name] for name in columns} for row in rows], indent=2, ensure_ascii=False))
    elif format is Format.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *([_word(row[name]) for name in columns] for row in rows)])
    else:
        table([[_word(row[name]) for name in columns] for row in rows], columns)


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """A plain table; names may hold anything, so nothing in them is taken for markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, no_wrap=True)
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    # Piped, a table is read by a program or a wide screen: no column is cut.
    Console(width=None if sys.stdout.isatty() else 250).print(made)


def _word(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
