"""`python -m bench`: every part, or the ones that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import typer

from bench import (
    copies,
    docs,
    drills,
    looks,
    machine,
    orchestration,
    parsing,
    patching,
    results,
    reviews,
    servers,
    tables,
)
from bench.copies import Chosen
from bench.measure import Comparison
from bench.servers import Bench
from day2.errors import Day2Error
from lab.say import console, say

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, help="Measure ourselves against the bare tools."
)
SCALE = typer.Option(1.0, min=0.01, help="of the 3+ GB database; less for a smoke run")
REPEAT = typer.Option(3, min=1, help="runs of each side; the median counts")
TARGETS = typer.Option("1,10,50,100", help="databases in each run of the DAG")
COPIES: dict[str, tuple[str, Callable[[Bench, Chosen], Iterable[Comparison]]]] = {
    "act": ("The act step's transfer against the bare tool", copies.acts),
    "proof": ("The whole back_up against its own transfer", copies.whole_acts),
    "restore": ("The restore's transfer against the bare tool", copies.restores),
}


@app.callback(invoke_without_command=True)
def everything(context: typer.Context, scale: float = SCALE, repeat: int = REPEAT, targets: str = TARGETS) -> None:
    """All parts, one after the other."""
    context.obj = Chosen(scale, repeat)
    if context.invoked_subcommand is None:
        transfer(context, [*COPIES], "")
        parse(context)
        dag(context, targets)
        drill(context)
        patch(context, patching.HOSTS, "")
        forecasts(context, reviews.SERIES)
        health(context, looks.TARGETS)


@app.command()
def transfer(
    context: typer.Context,
    parts: list[str] = typer.Argument(None, help=f"of {', '.join(COPIES)}"),
    only: str = typer.Option("", help="those with this in their name"),
) -> None:
    """Backup and restore of one database, side by side with the bare tools."""
    chosen: Chosen = replace(context.obj, only=only)
    with servers.running(chosen.scale) as bench:
        for part in parts or COPIES:
            title, compare = COPIES[part]
            rows: list[dict[str, Any]] = []
            for each in compare(bench, chosen):
                rows = results.save(part, tables.row(each), scale=chosen.scale)
            console.print(tables.compared(title, rows).rich())
    _say_load()


@app.command()
def parse(context: typer.Context) -> None:
    """DAG files with 50 environments × 20 targets."""
    rows = parsing.parses()
    for each in rows:
        results.save("parse", each, scale=context.obj.scale)
    console.print(parsing.grid(rows).rich())
    _say_load()


@app.command()
def dag(context: typer.Context, targets: str = typer.Argument("1,10,50,100")) -> None:
    """What a whole DAG run costs beside its act and its checks, for so many targets each."""
    counts = [int(each) for each in targets.split(",")]
    rows: list[dict[str, Any]] = []
    for each in orchestration.runs(counts):
        rows = results.save("dag", each, scale=context.obj.scale)
    console.print(orchestration.grid(rows).rich())
    _say_load()


@app.command()
def drill(context: typer.Context) -> None:
    """Take over and rejoin, against the same by hand with pg_ctl and pg_rewind."""
    rows = list(drills.runs(context.obj.repeat, context.obj.scale))
    for each in rows:
        results.save("drill", each, scale=context.obj.scale)
    console.print(drills.grid(rows).rich())
    _say_load()


@app.command()
def patch(
    context: typer.Context,
    hosts: int = typer.Argument(patching.HOSTS, help="fewer for a smoke run"),
    only: str = typer.Option("", help="scan, or patch"),
) -> None:
    """Scan and patch a fleet of real hosts, against ansible-core with the same parallelism."""
    rows: list[dict[str, Any]] = []
    for each in patching.runs(context.obj.repeat, hosts, only=only):
        rows = results.save("patch", tables.row(each), scale=hosts / patching.HOSTS)
    console.print(patching.grid(rows).rich())
    _say_load()


@app.command()
def forecasts(
    context: typer.Context, series: int = typer.Argument(reviews.SERIES, help="fewer for a smoke run")
) -> None:
    """A capacity review from the ledger's database to the page, of made series over 400 days."""
    rows: list[dict[str, Any]] = []
    for each in reviews.runs(series):
        rows = results.save("forecasts", each, scale=series / reviews.SERIES, programs=reviews.programs())
    console.print(reviews.grid(rows).rich())
    _say_load()


@app.command()
def health(context: typer.Context, targets: int = typer.Argument(looks.TARGETS, help="fewer for a smoke run")) -> None:
    """A cycle of a health check: looked at, stored, judged; against ssh and psql, which only ask."""
    rows: list[dict[str, Any]] = []
    for each in looks.runs(targets):
        rows = results.save("health", each, scale=targets / looks.TARGETS, programs=looks.programs())
    console.print(looks.grid(rows).rich())
    _say_load()


@app.command("docs")
def write_docs() -> None:
    """Write the newest full-scale figures into docs/bench.md."""
    say(f"wrote {docs.write(results.newest())}")


def _say_load() -> None:
    say(f"Load average of the last minute: {machine.load()}")


def main() -> None:
    """Run a command; an expected failure is one line, not a traceback."""
    try:
        app()
    except Day2Error as error:
        say(str(error), style="red")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
