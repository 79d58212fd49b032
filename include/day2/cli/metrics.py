"""`day2 metrics`: samples into the ledger's database. Needs that database only, not Airflow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from day2 import inventory
from day2.cli.record import Conninfo, open_ledger
from day2.errors import StepFailed
from day2.inventory.model import Environment
from day2.ledger.metrics import Metrics, Sample
from day2.operations.capacity_review import backfill

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _metrics() -> None:
    """Samples of metrics in the ledger's database."""


@app.command(name="backfill")
def backfill_(
    environment: Annotated[str, typer.Option(help="The environment that the samples are of.")],
    from_csv: Annotated[Path, typer.Option(help=f"A CSV file with the columns {','.join(backfill.COLUMNS)}.")],
    ledger: Conninfo = "",
) -> None:
    """Write samples that were kept elsewhere, and roll them up. The same again changes nothing."""
    here = load(environment)
    try:
        with from_csv.open(encoding="utf-8", newline="") as file:
            fill(here, backfill.from_csv(file, name=from_csv.name), ledger=ledger)
    except (OSError, UnicodeDecodeError) as error:
        raise StepFailed(f"cannot read {from_csv}: {error}", runbook="A backfill stopped") from error


def fill(here: Environment, samples: Iterable[Sample], *, ledger: str) -> None:
    """Write any samples of an environment, and say what came of it. Raises Unavailable, StepFailed."""
    with open_ledger(ledger) as opened:
        done = backfill.write(Metrics(opened, here.name), samples, now=datetime.now(UTC))
    typer.echo(f"{done.read} samples read, {done.new} of them new, {done.rolled} hours and days rolled up")
    for why, count in sorted(done.dropped.items()):
        typer.echo(f"{count} were not believed: {why}")
    if strangers := sorted(done.targets - here.measured.keys()):
        typer.echo(f"the inventory does not have {', '.join(strangers)}: no review looks at them")


def load(name: str) -> Environment:
    """The environment of that name. Raises StepFailed where there is none, InventoryError where it is wrong."""
    path = inventory.environments_folder() / f"{name}.yaml"
    if not path.is_file():
        raise StepFailed(f"there is no environment {name!r} in {path.parent}")
    return inventory.load(path)
