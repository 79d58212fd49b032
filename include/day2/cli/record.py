"""`day2 record`: list, show, verify, export. Needs the ledger's database only, and `verify --file` not even that."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from day2.errors import Corrupt, PlanRefused
from day2.ledger import Entry, Ledger, chain, rows
from day2.ledger.export import Query, export
from day2.ledger.report import lines

app = typer.Typer(no_args_is_help=True)
COLUMNS = ("recorded", "verdict", "operation", "environment", "run", "attempt", "targets", "started by")


class Verdict(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    PARTIAL = "PARTIAL"
    SUPPRESSED = "SUPPRESSED"
    MISSED = "MISSED"
    OVERRIDDEN = "OVERRIDDEN"
    CANCELLED = "CANCELLED"
    DRY_RUN = "DRY_RUN"


class Format(StrEnum):
    csv = "csv"
    jsonl = "jsonl"


class What(StrEnum):
    records = "records"
    entries = "entries"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not an ISO 8601 date or time, like 2026-11-23 or 2026-11-23T02:00Z"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Conninfo = Annotated[
    str,
    typer.Option(
        "--ledger",
        envvar="DAY2_LEDGER",
        help="The ledger's database, as libpq takes it. The password can stay in PGPASSWORD or PGPASSFILE.",
        show_envvar=True,
    ),
]
Since = Annotated[
    datetime | None, typer.Option(parser=_moment, metavar="TIME", help="From this time on; UTC if it says no zone.")
]
Until = Annotated[datetime | None, typer.Option(parser=_moment, metavar="TIME", help="Up to this time, not included.")]


@app.command(name="list")
def list_(
    ledger: Conninfo = "",
    since: Since = None,
    until: Until = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only records with this verdict.")] = None,
    operation: Annotated[str | None, typer.Option(help="Only records of this operation.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON record a line.")] = False,
) -> None:
    """List the records of a period, oldest first."""
    with open_ledger(ledger) as opened:
        found = _matching(opened.entries(kind="record", since=since, until=until), verdict, operation)
        if as_json:
            for entry in found:
                typer.echo(json.dumps(entry.body, ensure_ascii=False))
        else:
            _print_table(found)


@app.command()
def show(
    run: Annotated[str, typer.Argument(help="`<dag id>/<run id>`, with `#<attempt>` for one attempt only.")],
    ledger: Conninfo = "",
    as_json: Annotated[bool, typer.Option("--json", help="The record as JSON.")] = False,
) -> None:
    """Show what is recorded of a run, every attempt."""
    name, _, attempt = run.rpartition("#") if re.search(r"#\d+$", run) else (run, "", "")
    with open_ledger(ledger) as opened:
        found = [each for each in opened.entries(kind="record", run=name) if attempt in ("", str(each.body["attempt"]))]
    if not found:
        raise PlanRefused("the ledger has no record of it", target=run, next_step="see `day2 record list`")
    for entry in found:
        if as_json:
            typer.echo(json.dumps(entry.body, indent=2, ensure_ascii=False))
        else:
            typer.echo("\n".join((*lines(entry.body), "", f"entry {entry.seq}, {entry.recorded_at}, {entry.hash}", "")))


@app.command()
def verify(
    ledger: Conninfo = "",
    file: Annotated[Path | None, typer.Option(help="A JSON Lines export, instead of the database.")] = None,
    head: Annotated[str | None, typer.Option(help="The hash that was anchored outside of the ledger.")] = None,
    length: Annotated[int | None, typer.Option(min=1, help="The number of entries when it was.")] = None,
) -> None:
    """Compute every hash again and report the first entry that was edited, removed, moved or cut off."""
    if (head is None) != (length is None):
        raise typer.BadParameter("--head and --length belong together")
    anchor = chain.Anchor(length, head) if head and length else None
    if file:
        report = _verify_file(file, anchor)
    else:
        with open_ledger(ledger) as opened:
            report = chain.verify(opened.links(), anchor=anchor)
    _tell(report, anchor)


@app.command(name="export")
def export_(
    output: Annotated[Path, typer.Option(help="The file to write; a manifest is written beside it.")],
    ledger: Conninfo = "",
    since: Since = None,
    until: Until = None,
    format: Annotated[Format, typer.Option(help="csv for a spreadsheet, jsonl to verify offline.")] = Format.jsonl,
    what: Annotated[What, typer.Option(help="Run records, or every entry of the chain.")] = What.records,
) -> None:
    """Write a period to a file, the same bytes each time."""
    query = Query(what=what.value, format=format.value, since=since, until=until)
    with open_ledger(ledger) as opened:
        manifest = export(opened, query, output)
    header = manifest["header"]
    counts = "".join(f", {count} {verdict}" for verdict, count in header["verdicts"].items())
    typer.echo(f"{output}: {header['rows']} {what.value}{counts}, until {header['until']}")
    typer.echo(f"sha256 {manifest['sha256']}, and {output}.manifest.json says who made it and when")


def open_ledger(conninfo: str) -> Ledger:
    """The ledger behind a connection string. Raises PlanRefused if there is none."""
    if not conninfo:
        raise PlanRefused("no ledger is named", next_step="set DAY2_LEDGER, or pass --ledger")
    return Ledger.connect(conninfo)


def _matching(entries: Iterator[Entry], verdict: Verdict | None, operation: str | None) -> Iterator[Entry]:
    for entry in entries:
        if verdict in (None, entry.body["verdict"]) and operation in (None, entry.body["operation"]):
            yield entry


def _print_table(entries: Iterator[Entry]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for entry in entries:
        record = entry.body
        targets = f"{len(record['targets']['succeeded'])}/{len(record['targets']['resolved'])}"
        who = " ".join(filter(None, (record["trigger"]["type"], record["trigger"]["user"])))
        cells = (entry.recorded_at[:19] + "Z", record["verdict"], record["operation"], record["environment"], entry.run)
        # As text: a name in square brackets is a name, not markup.
        table.add_row(*map(Text, (*cells, str(record["attempt"]), targets, who)))
    # Into a pipe a record is one line, however long; a screen folds it. Nothing is cut off.
    Console(width=None if sys.stdout.isatty() else 1000).print(table)


def _verify_file(path: Path, anchor: chain.Anchor | None) -> chain.Report:
    header, links = rows.read(path)
    every = header["what"] == "entries"
    return chain.verify(links, anchor=anchor, whole=every and header["since"] is None, contiguous=every)


def _tell(report: chain.Report, anchor: chain.Anchor | None) -> None:
    if report.fault:
        raise Corrupt(
            str(report.fault),
            target="ledger",
            left=f"{report.entries} entries before it are as they were written",
            next_step="treat it as an incident; compare with an earlier export and the anchored heads",
        )
    typer.echo(
        f"{report.entries} entries ({report.first} to {report.last}) are as they were written, head {report.head}"
    )
    if not report.contiguous:
        typer.echo("an extract: each entry proves itself, but not that none is missing; export --what entries for that")
    if anchor:
        typer.echo(f"the chain still holds the {anchor.length} entries anchored as {anchor.head}")
    else:
        typer.echo("without an anchor (--head, --length) a cut-off end or a rewrite of everything cannot be seen")
