"""`day2 inventory`: check, list, schema, fields."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from day2 import inventory
from day2.errors import InventoryError
from day2.inventory import Environment, reference, schema
from day2.units import duration

app = typer.Typer(no_args_is_help=True)
COLUMNS = ("environment", "kind", "name", "region", "owner", "engine", "schedule", "rpo")


class Format(StrEnum):
    """How a list is printed."""

    table = "table"
    json = "json"
    csv = "csv"


@app.command()
def check() -> None:
    """Read every environment file; say everything that is wrong, with its line."""
    report = inventory.report(datetime.now(UTC).date())
    for problem in report.problems:
        typer.echo(f"error   {problem}", err=True)
    for problem in report.warnings:
        typer.echo(f"warning {problem}", err=True)
    for each in report.environments:
        typer.echo(f"ok      {each.name}: {_count(each)}")
    if report.problems:
        raise InventoryError(f"{len(report.problems)} to correct in {report.folder}")


@app.command(name="list")
def list_(format: Annotated[Format, typer.Option(help="How to print it.")] = Format.table) -> None:
    """List every target."""
    environments, broken = inventory.read_all()
    rows = [row for each in environments for row in _rows(each)]
    if format is Format.json:
        typer.echo(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    elif format is Format.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *rows])
    else:
        _print_table(rows)
    if broken:
        # The list is not all there is: whoever reads it, or a script, must not take it for that.
        raise inventory.BrokenInventory(problem for error in broken for problem in error.problems)


@app.command(name="schema")
def schema_(
    write: Annotated[bool, typer.Option("--write", help="Write it beside the environment files.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Fail unless what is there is current.")] = False,
) -> None:
    """Print the JSON Schema of an environment file."""
    path = inventory.environments_folder() / schema.FILE_NAME
    if write:
        path.write_text(schema.text(), encoding="utf-8")
        typer.echo(f"wrote {path}")
    elif check:
        if not path.is_file() or path.read_text(encoding="utf-8") != schema.text():
            raise InventoryError(f"{path} is not current", next_step="run `day2 inventory schema --write`")
        typer.echo(f"{path} is current")
    else:
        typer.echo(schema.text(), nl=False)


@app.command()
def fields() -> None:
    """Print every field, its type, default and meaning, as Markdown."""
    typer.echo(reference.markdown(), nl=False)


def _count(environment: Environment) -> str:
    counts = {
        "database": len(environment.databases),
        "host": len(environment.hosts),
        "service": len(environment.services),
    }
    found = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count]
    return ", ".join(found) or "no targets"


def _rows(environment: Environment) -> Iterator[tuple[str, ...]]:
    for database in environment.databases:
        policy = environment.backup_policy(database)
        rpo = duration(policy.rpo.total_seconds())
        backup = (policy.engine, policy.schedule, rpo)
        owner = database.owner or environment.owner
        yield (environment.name, "database", database.name, database.region, owner, *backup)
    for host in environment.hosts:
        owner = host.owner or environment.owner
        yield (environment.name, "host", host.name, host.region, owner, "", "", "")
    for service in environment.services:
        owner = service.owner or environment.owner
        yield (environment.name, "service", service.name, "", owner, "", "", "")


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # Piped, a table is read by a program or a wide screen: no column is cut.
    Console(width=None if sys.stdout.isatty() else 250).print(table)
