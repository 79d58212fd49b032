"""`day2 …`: what an operator can do from a shell, also when Airflow is down."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from day2.cli import backup, capacity, drill, inventory, metrics, record, restore
from day2.errors import Day2Error


class OneLineErrors(TyperGroup):
    """An expected failure is one clear line on stderr and exit status 1, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Day2Error as error:
            typer.echo(f"day2: {error}", err=True)
            raise typer.Exit(1) from error


# Plain tracebacks: typer's own print local variables, which may hold secrets.
app = typer.Typer(
    cls=OneLineErrors,
    help="Day-2 operations: what runs, how it is protected, and the evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(inventory.app, name="inventory", help="What is operated, and how.")
app.add_typer(backup.app, name="backup", help="Recovery points: list, show, verify.")
app.add_typer(restore.app, name="restore", help="Restore a database from a repository and a key.")
app.add_typer(drill.app, name="drill", help="Disaster-recovery drills: results, scorecards, corrective actions.")
app.add_typer(metrics.app, name="metrics", help="Samples: fill in what was kept elsewhere.")
app.add_typer(capacity.app, name="capacity", help="Capacity reviews: what they asked for, and what became of it.")
app.add_typer(record.app, name="record", help="Run records: list, show, verify, export.")
