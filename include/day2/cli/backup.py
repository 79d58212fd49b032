"""`day2 backup`: list, show, verify, hold, release. Needs the repository, and nothing else."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from day2.cli import opening
from day2.cli.opening import DatabaseOption, EnvironmentOption, RepositoryOption
from day2.cli.tables import Format, show, table
from day2.errors import Corrupt, StepFailed
from day2.operations.database_restore.choose import LATEST, choose
from day2.operations.progress import Progress
from day2.repository import points
from day2.repository.manifest import Manifest
from day2.repository.points import Point
from day2.repository.store import Store
from day2.units import duration, size, utc

app = typer.Typer(no_args_is_help=True)
ALL = "all"
COLUMNS = ("database", "point", "taken_at", "bytes", "verified", "held")
VERDICTS = {True: "verified", False: "NOT USABLE", None: "not tested"}

PointArgument = Annotated[str, typer.Argument(help="A recovery point's id, or `latest`.")]
FormatOption = Annotated[Format, typer.Option(help="How to print it.")]


@app.command(name="list")
def list_(
    repository: RepositoryOption = None,
    environment: EnvironmentOption = None,
    database: DatabaseOption = None,
    format: FormatOption = Format.table,
) -> None:
    """List recovery points, oldest first."""
    store = opening.store(repository, environment)
    found = _points(store, database)
    if format is not Format.table:
        show([_row(each) for each in found], COLUMNS, format)
        return
    now = datetime.now(UTC)
    cells = [_cells(each, now=now) for each in found]
    table(cells, ("database", "point", "taken", "age", "size", "restore test", ""))
    typer.echo(f"{len(found)} recovery points in {store.url}", err=True)


@app.command(name="show")
def show_(
    point: PointArgument,
    repository: RepositoryOption = None,
    environment: EnvironmentOption = None,
    database: DatabaseOption = None,
    format: Annotated[Format, typer.Option(help="`json` prints the manifest itself.")] = Format.table,
) -> None:
    """Show what a recovery point is and holds, from its manifest."""
    store = opening.store(repository, environment)
    found = _locate(store, point, database)
    described = points.manifest(store, found)
    if format is Format.json:
        typer.echo(json.dumps(described.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    table([[name, value] for name, value in _facts(found, described).items()], ("", ""))
    contents = [table_row for each in described.databases for table_row in _contents(each.name, each.tables)]
    show(contents, ("database", "table", "rows", "compared"), format)


@app.command()
def verify(
    point: Annotated[str, typer.Argument(help="A point's id, `latest` (of each database), or `all`.")] = ALL,
    repository: RepositoryOption = None,
    environment: EnvironmentOption = None,
    database: DatabaseOption = None,
) -> None:
    """Read every stored byte again and compare it with what was written. Exit status 1 names what is damaged."""
    opening.tell_progress()
    store = opening.store(repository, environment)
    wanted = _points(store, database) if point == ALL else _chosen(store, point, database)
    if not wanted:
        raise StepFailed(f"{store.url} has no recovery points{f' of {database}' if database else ''}: nothing was read")
    damaged = {each: problems for each in wanted if (problems := _problems(store, each))}
    for each in wanted:
        typer.echo(f"{'DAMAGED' if each in damaged else 'ok     '}  {each.database}  {each.id}  {size(each.bytes)}")
    for problems in damaged.values():
        for problem in problems:
            typer.echo(f"damaged: {problem}", err=True)
    if damaged:
        raise Corrupt(
            f"{len(damaged)} of {len(wanted)} recovery points are damaged",
            left="nothing was changed",
            next_step="do not restore from them; use another copy, or an older point, and take a new backup now",
            runbook="A stored object is damaged",
        )


@app.command()
def hold(
    point: PointArgument,
    reason: Annotated[str, typer.Option(help="Why it must be kept; it is written beside the point.")],
    repository: RepositoryOption = None,
    environment: EnvironmentOption = None,
    database: DatabaseOption = None,
) -> None:
    """Put a recovery point under legal hold: retention keeps it until it is released."""
    store = opening.store(repository, environment)
    found = _locate(store, point, database)
    points.hold(store, found, reason=reason, who=getpass.getuser(), at=datetime.now(UTC))
    typer.echo(f"{found.database} {found.id} is under legal hold: {reason}")


@app.command()
def release(
    point: PointArgument,
    repository: RepositoryOption = None,
    environment: EnvironmentOption = None,
    database: DatabaseOption = None,
) -> None:
    """Lift a legal hold: retention may remove the point when its time has come."""
    store = opening.store(repository, environment)
    found = _locate(store, point, database)
    if not found.held:
        raise StepFailed(f"{found.database} {found.id} is not under legal hold", left="nothing was changed")
    points.release(store, found)
    typer.echo(f"{found.database} {found.id} is released")


def _points(store: Store, database: str | None) -> list[Point]:
    names = [database] if database else points.databases(store)
    return [each for name in names for each in points.points(store, name)]


def _chosen(store: Store, wanted: str, database: str | None) -> list[Point]:
    if wanted == LATEST and database is None:
        return [having[-1] for name in points.databases(store) if (having := points.points(store, name))]
    return [_locate(store, wanted, database)]


def _locate(store: Store, wanted: str, database: str | None) -> Point:
    """One point; a point's id is enough, `latest` needs the database unless there is only one."""
    if database:
        return choose(store, database, wanted)
    names = points.databases(store)
    if points.ID.match(wanted):
        for each in _points(store, None):
            if each.id == wanted:
                return each
        raise StepFailed(f"no recovery point {wanted} in {store.url}", next_step="list them: day2 backup list")
    if len(names) != 1:
        raise StepFailed(f"{store.url} holds {', '.join(names) or 'nothing'}", next_step="say which: --database NAME")
    return choose(store, names[0], wanted)


def _problems(store: Store, point: Point) -> list[str]:
    try:
        described = points.manifest(store, point)
    except Corrupt as error:
        return [error.happened]
    progress = Progress(f"{point.database} {point.id}: reading")
    return points.verify_objects(store, point, described, watch=progress)


def _row(point: Point) -> dict[str, Any]:
    return {
        "database": point.database,
        "point": point.id,
        "taken_at": utc(point.taken_at),
        "bytes": point.bytes,
        "verified": point.verified,
        "held": point.held,
    }


def _cells(point: Point, *, now: datetime) -> list[str]:
    age = duration((now - point.taken_at).total_seconds())
    held = "legal hold" if point.held else ""
    return [point.database, point.id, utc(point.taken_at), age, size(point.bytes), VERDICTS[point.verified], held]


def _facts(point: Point, described: Manifest) -> Mapping[str, str]:
    source = described.source
    return {
        "point": f"{described.database} {described.point}",
        "database": described.dbname,
        "engine": f"{described.engine}, {described.engine_version}",
        "snapshot": utc(described.snapshot_at),
        "restore test": VERDICTS[point.verified] + (", under legal hold" if point.held else ""),
        "source": f"PostgreSQL {source.version}, system {source.system_identifier}, timeline {source.timeline}",
        "WAL": f"{described.lsn_start} to {described.lsn_end}",
        "taken by": f"{described.run}, plan {described.plan_digest[:12]}, day2 {described.day2_version}",
        "encrypted to": ", ".join(described.recipients) or "nobody: it is not encrypted",
        "roles": ", ".join(described.roles) + ("" if described.role_passwords else " (without passwords)"),
        **{f"object {each.name}": f"{size(each.bytes)}, sha256 {each.sha256}" for each in described.objects},
    }


def _contents(database: str, tables: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "database": database,
            "table": each.label,
            "rows": each.rows if each.rows >= 0 else None,
            "compared": "exactly" if each.pinned else f"readable only: {each.reason}",
        }
        for each in tables
    ]
