"""`day2 restore`: a database back from a repository and a key, with Airflow and the ledger down."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from day2.cli import opening
from day2.cli.opening import EnvironmentOption, IdentityOption, RepositoryOption
from day2.cli.tables import table
from day2.errors import PlanRefused, StepFailed
from day2.operations.database_restore import data_directory, destinations, folder, order, preflight
from day2.operations.database_restore.choose import choose
from day2.operations.database_restore.order import Order
from day2.operations.database_restore.staged import Target
from day2.units import duration, utc

# A group with nothing in it but this: `day2 restore POINT --database NAME`, options before or after.
app = typer.Typer(invoke_without_command=True, context_settings={"allow_interspersed_args": True})


@app.callback()
def restore(
    point: Annotated[str, typer.Argument(help="A recovery point's id, `latest`, or a time: 2026-11-23T02:15:00Z.")],
    database: Annotated[str, typer.Option(help="The database's name in the repository.")],
    repository: RepositoryOption = None,
    environment: EnvironmentOption = None,
    identity: IdentityOption = None,
    to_server: Annotated[
        str | None,
        typer.Option(
            help="Into this server, as a libpq connection string without a password (PGPASSWORD, PGPASSFILE)."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--as", help="With --to-server: under this name, not its own.")] = None,
    data_directory: Annotated[
        Path | None, typer.Option(help="A physical point: into this empty folder, ready to start.")
    ] = None,
    scratch: Annotated[bool, typer.Option("--scratch", help="Only prove that it restores; nothing is kept.")] = False,
    scratch_folder: Annotated[
        Path | None, typer.Option(help="Where a copy may run for a while.", envvar="DAY2_SCRATCH", show_default=False)
    ] = None,
) -> None:
    """Restore a recovery point and compare the result with what was backed up.

    Exactly one of --to-server, --data-directory and --scratch. Exit status 0 means restored and equal.
    """
    if sum((to_server is not None, data_directory is not None, scratch)) != 1:
        raise PlanRefused("name exactly one destination: --to-server, --data-directory or --scratch")
    if name and to_server is None:
        raise PlanRefused("--as goes with --to-server")
    opening.tell_progress()
    store = opening.store(repository, environment)
    opened = order.origin(store, choose(store, database, point), identity=opening.identity(identity))
    who = f"day2 restore by {getpass.getuser()}@{socket.gethostname()}"
    ordered = Order(opened, run=who, scratch=scratch_folder, logins=True)
    _announce(ordered)
    if to_server is not None:
        _to_server(ordered, to_server, name)
    elif data_directory is not None:
        _to_folder(ordered, data_directory)
    else:
        _to_scratch(ordered)


def _to_server(ordered: Order, conninfo: str, name: str | None) -> None:
    target = Target(opening.server(conninfo), name or ordered.origin.described.dbname)
    _refuse(preflight.inspect(ordered, destination="new_database", target=target).problems)
    measures = order.blank(ordered, target=ordered.origin.described.database, destination="new_database")
    tables = destinations.new_database(ordered, target, measures=measures)
    _report([_row(asdict(each) | {"equal": each.equal}) for each in tables], measures, target.label)


def _to_folder(ordered: Order, path: Path) -> None:
    data_directory.require_empty(path)
    measures = order.blank(ordered, target=ordered.origin.described.database, destination="data_directory")
    made, tables = data_directory.into_folder(ordered, path, measures=measures)
    _report([_row(asdict(each) | {"equal": each.equal}) for each in tables], measures, str(made.path))
    typer.echo("\nIt is stopped and ready. Start it, reach it, stop it:")
    for line in folder.commands(made):
        typer.echo(f"  {line}")


def _to_scratch(ordered: Order) -> None:
    _refuse(preflight.inspect(ordered, destination="scratch").problems)
    measures = order.blank(ordered, target=ordered.origin.described.database, destination="scratch")
    tables = destinations.into_scratch(ordered, measures=measures)
    _report([_row(each) for each in tables], measures, "the scratch server, which is gone again")
    damage = measures["amcheck_errors"] + measures["page_checksum_errors"]
    if damage or not measures["roles_equal"]:
        raise StepFailed(
            f"the copy is damaged: amcheck found {measures['amcheck_errors']},"
            f" page checksums {measures['page_checksum_errors']}, roles there: {measures['roles_equal']}",
            target=ordered.origin.point.id,
            next_step="restore an older recovery point, and check the source",
            runbook="The result differs from the manifest",
        )


def _announce(ordered: Order) -> None:
    described = ordered.origin.described
    typer.echo(
        f"{described.database}: {described.engine} point {described.point}, snapshot {utc(described.snapshot_at)},"
        f" PostgreSQL {described.source.version}, from {ordered.origin.store.url}",
        err=True,
    )


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise PlanRefused("; ".join(problems), left="nothing was touched", runbook="The plan was refused")


def _row(table: Mapping[str, Any]) -> list[str]:
    """One line of the comparison."""
    if not table["pinned"]:
        verdict = f"there; not compared: {table['reason']}" if table["equal"] else "MISSING"
    else:
        verdict = "equal" if table["equal"] else "DIFFERENT"
    return [table["database"], table["table"], str(table["expected_rows"]), str(table["restored_rows"]), verdict]


def _report(rows: Sequence[Sequence[str]], measures: Mapping[str, Any], where: str) -> None:
    """The comparison as a table. Raises StepFailed if anything differs."""
    table(rows, ("database", "table", "backed up", "restored", ""))
    for note in measures["notes"]:
        typer.echo(f"note: {note}")
    for line in measures["differences"]:
        typer.echo(f"DIFFERENT: {line}")
    if measures["differences_total"]:
        raise StepFailed(
            f"{measures['differences_total']} differences between the manifest and {where}",
            left="what was restored to a folder is kept",
            next_step="restore an older recovery point, and look into the backup: day2 backup verify",
            runbook="The result differs from the manifest",
        )
    typer.echo(
        f"restored in {duration(measures['seconds'])} and equal: {measures['tables_equal']} tables, definitions,"
        f" sequences, extensions; in {where}"
    )
