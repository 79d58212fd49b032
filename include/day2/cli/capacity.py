"""`day2 capacity`: what reviews asked for, and what became of it. Needs the ledger's database only, not Airflow."""

from __future__ import annotations

import getpass
import socket
from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from day2.cli.record import Conninfo, open_ledger
from day2.cli.tables import Format, show
from day2.errors import PlanRefused
from day2.ledger.canonical import timestamp
from day2.operations.capacity_review import history
from day2.operations.capacity_review.fates import Closing
from day2.operations.capacity_review.review import Request

app = typer.Typer(no_args_is_help=True)
EnvironmentOption = Annotated[str, typer.Option(help="The environment that was reviewed.")]
COLUMNS = ("fate", "target", "resource", "what", "owner", "due", "made_on", "seen", "note")


class Fate(StrEnum):
    """What a person can say became of a request."""

    done = "done"
    rejected = "rejected"


@app.command(name="requests")
def requests_(environment: EnvironmentOption, ledger: Conninfo = "", format: Format = Format.table) -> None:
    """List what the last review asked for, and what somebody said became of it."""
    with open_ledger(ledger) as opened:
        last = _last(history.earlier(opened, environment), environment)
        closings = history.closings(opened, environment)
    rows = [_row(each, closings.get(each.key)) for each in last.requests]
    show(rows, COLUMNS, format)


@app.command()
def close(
    target: Annotated[str, typer.Argument(help="As kind/name: host/web-01.")],
    resource: Annotated[str, typer.Argument(help="As `day2 capacity requests` prints it: `disk /`.")],
    environment: EnvironmentOption,
    fate: Annotated[Fate, typer.Option(help="What became of it.")],
    note: Annotated[str, typer.Option(help="What was done, or why it is not.")],
    ledger: Conninfo = "",
) -> None:
    """Write down what became of a request: the next review opens with it."""
    now = datetime.now(UTC)
    if len(note.strip()) < 3:
        raise PlanRefused("a note is needed: the next review shows it", next_step="pass --note")
    with open_ledger(ledger) as opened:
        last = _last(history.earlier(opened, environment), environment)
        asked = {each.key: each for each in last.requests}.get(f"{target} {resource}")
        if asked is None:
            raise PlanRefused(
                f"the last review did not ask for {resource!r} of it",
                target=target,
                next_step=f"see: day2 capacity requests --environment {environment}",
            )
        said = Closing(fate.value, f"{getpass.getuser()}@{socket.gethostname()}", now.date(), note.strip())
        body = history.closed(environment, asked, said, when=timestamp(now))
        opened.append(history.FATE, run=last.run, body=body)
    typer.echo(f"{target} {resource}: {fate.value}")


def _last(reviews: list[history.Earlier], environment: str) -> history.Earlier:
    if not reviews:
        raise PlanRefused("no review of it counts yet", target=environment, next_step="trigger capacity_review")
    return reviews[-1]


def _row(request: Request, closing: Closing | None) -> dict[str, Any]:
    if closing and closing.on >= request.made_on:
        request = replace(request, fate=closing.fate, note=f"{closing.who}, {closing.on}: {closing.note}")
    dates = {"due": request.due.isoformat(), "made_on": request.made_on.isoformat()}
    return asdict(request) | dates
