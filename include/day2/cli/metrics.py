"""`day2 metrics`: samples into the ledger's database. Needs that database only, not Airflow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from day2 import inventory
from day2.cli.record import Conninfo, open_ledger
from day2.errors import PlanRefused, StepFailed
from day2.inventory.model import Environment
from day2.ledger.metrics import Metrics, Sample
from day2.operations.capacity_review import backfill

app = typer.Typer(no_args_is_help=True)
# A review wants the highest value of a day: an hour's steps see it, and a year of them is quick to ask.
STEP = timedelta(hours=1)


@app.callback()
def _metrics() -> None:
    """Samples of metrics in the ledger's database."""


@app.command(name="backfill")
def backfill_(
    environment: Annotated[str, typer.Option(help="The environment that the samples are of.")],
    from_csv: Annotated[
        Path | None, typer.Option(help=f"A CSV file with the columns {','.join(backfill.COLUMNS)}.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(help="A Prometheus by its URL, asked what the health checks' policy asks one.")
    ] = None,
    cloudwatch: Annotated[
        bool, typer.Option("--cloudwatch", help="CloudWatch, with AWS credentials found the usual way.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=1100, help="How far back a source is asked.")] = 400,
    ledger: Conninfo = "",
) -> None:
    """Write samples that were kept elsewhere, and roll them up. The same again changes nothing."""
    here = load(environment)
    if sum((from_csv is not None, prometheus is not None, cloudwatch)) != 1:
        raise typer.BadParameter("give one of --from-csv, --prometheus, --cloudwatch")
    if from_csv is None:
        fill(here, _asked(here, prometheus, days=days), ledger=ledger)
        return
    try:
        with from_csv.open(encoding="utf-8", newline="") as file:
            fill(here, backfill.from_csv(file, name=from_csv.name), ledger=ledger)
    except (OSError, UnicodeDecodeError) as error:
        raise StepFailed(f"cannot read {from_csv}: {error}", runbook="A backfill stopped") from error


def _asked(here: Environment, url: str | None, *, days: int) -> Iterator[Sample]:
    """What a Prometheus, or CloudWatch, has of the environment's targets, by the queries of the policy."""
    from day2.operations.health_check import sources

    now = datetime.now(UTC)
    kind, span = ("prometheus" if url else "cloudwatch"), (now - timedelta(days=days), now)
    policy = here.policies.health_check
    asking = [each for each in (policy.sources if policy else ()) if each.kind == kind]
    if not asking:
        raise PlanRefused(
            f"its policy of health checks has no source of kind {kind}, so nobody knows what to ask",
            target=here.name,
            next_step="add one with its queries to policies.health_check.sources",
            runbook="A backfill stopped",
        )
    of = sources.targets(here, kind)
    for each in asking:
        if url:
            from day2.metrics.prometheus import Prometheus

            # Not an option: everybody on this machine can read the process list.
            token = os.environ.get("DAY2_PROMETHEUS_TOKEN")
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            yield from sources.history_prometheus(each, Prometheus(url, headers=headers), of, span, step=STEP)
        else:
            import boto3

            from day2.metrics.cloudwatch import CloudWatch

            account = CloudWatch(boto3.client("cloudwatch"))
            yield from sources.history_cloudwatch(each, account, of, span, now=now)


def fill(here: Environment, samples: Iterable[Sample], *, ledger: str) -> None:
    """Write any samples of an environment, and say what came of it. Raises Unavailable, StepFailed."""
    with open_ledger(ledger) as opened:
        done = backfill.write(Metrics(opened, here.name), samples, now=datetime.now(UTC))
    typer.echo(f"{done.read} samples read, {done.new} of them new, {done.rolled} hours and days rolled up")
    for why, count in sorted(done.dropped.items()):
        typer.echo(f"{count} were not believed: {why}")
    if strangers := sorted(done.targets - here.measured.keys()):
        typer.echo(f"no review looks at {', '.join(strangers)}: not a host or a database of the inventory")


def load(name: str) -> Environment:
    """The environment of that name. Raises StepFailed where there is none, InventoryError where it is wrong."""
    path = inventory.environments_folder() / f"{name}.yaml"
    if not path.is_file():
        raise StepFailed(f"there is no environment {name!r} in {path.parent}")
    return inventory.load(path)
