"""`day2 drill`: what drills measured and what came of it. Needs the ledger's database only, not Airflow."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from day2.cli.record import Conninfo, open_ledger
from day2.cli.tables import Format, show
from day2.errors import PlanRefused, StepFailed
from day2.ledger import Entry, Ledger
from day2.ledger.canonical import timestamp
from day2.operations.dr_drill import actions, card, scorecard, trend
from day2.operations.dr_drill.actions import Action
from day2.repository.manifest import sha256
from day2.units import duration

app = typer.Typer(no_args_is_help=True)
RunArgument = Annotated[str, typer.Argument(help="`<dag id>/<run id>`, as `day2 drill list` prints it.")]
FormatOption = Annotated[Format, typer.Option(help="How to print it.")]
EnvironmentOption = Annotated[str | None, typer.Option(help="Only this environment.", show_default=False)]
DRILLS = ("recorded", "verdict", "environment", "mode", "target", "rto", "rpo", "lost", "run")
ACTIONS = ("id", "state", "severity", "environment", "target", "gap", "owner", "due", "drills", "closed_by", "note")
TREND = ("environment", "target", "drills", "passed", "best_rto", "newest_rto", "forecast")


@app.command(name="list")
def list_(ledger: Conninfo = "", environment: EnvironmentOption = None, format: FormatOption = Format.table) -> None:
    """List what every drill measured, a line a database, oldest first."""
    with open_ledger(ledger) as opened:
        records = _records(opened, card.OPERATION, environment)
    rows = [row for each in records for row in _drill_rows(each)]
    show([_worded(row) if format is Format.table else row for row in rows], DRILLS, format)


@app.command(name="show")
def show_(run: RunArgument, ledger: Conninfo = "", as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Show a drill in a few lines: the verdict, objectives against measured, failed checks, actions."""
    with open_ledger(ledger) as opened:
        made = card.gather(card.read(opened, run), run)
    if as_json:
        typer.echo(json.dumps(scorecard.facts(made), indent=2, ensure_ascii=False))
        return
    for line in scorecard.briefing(made):
        typer.echo(line)
    for each in made.sign_offs:
        typer.echo(f"{each['decision']} by {each['who']} at {each['when']}: {each['comment'] or 'no comment'}")


@app.command(name="scorecard")
def scorecard_(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    ledger: Conninfo = "",
    as_stored: Annotated[
        bool, typer.Option("--as-stored", help="As it was stored and signed, instead of as the ledger is now.")
    ] = False,
) -> None:
    """Write a drill's scorecard: one HTML file that needs nothing else. Print it from a browser for a PDF."""
    with open_ledger(ledger) as opened:
        entries = card.read(opened, run)
    stored = scorecard.stored(entries, run)
    if as_stored and stored is None:
        raise PlanRefused("no scorecard of it was stored", target=run, next_step="leave out --as-stored")
    if as_stored and stored:
        entries = [entry for entry in entries if entry.seq <= stored[0]]
    html = scorecard.render(card.gather(entries, run))
    out.write_bytes(html)
    typer.echo(f"{out}: {len(html)} bytes, sha256 {sha256(html)}")
    if as_stored and stored:
        _compare(run, sha256(html), stored[1])


@app.command(name="actions")
def actions_(
    ledger: Conninfo = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are still open.")] = False,
    close: Annotated[str | None, typer.Option(help="Close the action with this id.", show_default=False)] = None,
    note: Annotated[str, typer.Option(help="With --close: what was done, and how it is known to help.")] = "",
    format: FormatOption = Format.table,
) -> None:
    """List corrective actions, or close one."""
    now = datetime.now(UTC)
    with open_ledger(ledger) as opened:
        entries = sorted((each for kind in _ACTIONS for each in opened.entries(kind=kind)), key=lambda each: each.seq)
        if close is not None:
            _close(opened, entries, close, note=note, now=now)
            return
    having = actions.open_actions(entries) if only_open else actions.every(entries)
    show([_action_row(each, now) for each in having], ACTIONS, format)


@app.command(name="trend")
def trend_(ledger: Conninfo = "", environment: EnvironmentOption = None, format: FormatOption = Format.table) -> None:
    """How recovery develops, and from when on a restore from backup would miss the RTO."""
    with open_ledger(ledger) as opened:
        records = _records(opened, card.OPERATION, environment)
        backups = _records(opened, card.BACKUP, environment)
        plans = [each.body for each in opened.entries(kind="plan") if each.body["operation"] == card.OPERATION]
    rows = list(_trend_rows(records, backups, plans))
    show([_worded(row) if format is Format.table else row for row in rows], TREND, format)


_ACTIONS = (actions.OPENED, actions.CLOSED)


def _records(ledger: Ledger, operation: str, environment: str | None) -> list[dict[str, Any]]:
    """Run records, the newest attempt of each run, oldest run first."""
    newest: dict[str, dict[str, Any]] = {}
    for entry in ledger.entries(kind="record"):
        if entry.body["operation"] == operation and environment in (None, entry.body["environment"]):
            newest[entry.run] = entry.body
    return list(newest.values())


def _drill_rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    known = {"recorded": record["ended"][:19] + "Z", "environment": record["environment"], "verdict": record["verdict"]}
    run = f"{record['dag_id']}/{record['run_id']}"
    for each in trend.points([record]):
        measured = {"rto": each.rto_seconds, "rpo": each.rpo_seconds, "lost": each.lost}
        yield known | {"mode": each.mode, "target": each.target, "run": run} | measured


def _worded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds in words, for people; a program gets numbers."""
    return {name: duration(value) if isinstance(value, float) else value for name, value in row.items()}


def _compare(run: str, made: str, stored: str) -> None:
    if made != stored:
        raise StepFailed(
            f"these are not the bytes that were stored: those had sha256 {stored}",
            target=run,
            left="the file is written; it tells what the ledger says",
            next_step="fetch the stored page by its address in the record; another version of Day 2 may draw otherwise",
        )
    typer.echo("these are the bytes that were stored")


def _close(ledger: Ledger, entries: list[Entry], wanted: str, *, note: str, now: datetime) -> None:
    found = {each.id: each for each in actions.every(entries)}.get(wanted)
    if found is None:
        raise PlanRefused("there is no such action", target=wanted, next_step="see: day2 drill actions --open")
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    body = actions.closing(found, who=who, when=timestamp(now), note=note)
    run = next(entry.run for entry in entries if entry.body["id"] == wanted)
    entry = ledger.append(actions.CLOSED, run=run, body=body)
    typer.echo(f"{wanted} closed by {who}: {body['note']} (entry {entry.seq})")


def _action_row(action: Action, now: datetime) -> dict[str, Any]:
    names = ("id", "severity", "environment", "target", "owner", "closed_by", "note")
    told = {"state": action.state(now.date()), "gap": action.text, "due": action.due.isoformat(), "drills": action.seen}
    return {name: getattr(action, name) for name in names} | told


def _trend_rows(
    records: list[dict[str, Any]], backups: list[dict[str, Any]], plans: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """A line a database that was drilled; its RTO is that of the newest plan."""
    goals = {
        (plan["environment"], target): goal["rto_seconds"]
        for plan in plans
        for target, goal in plan["charter"]["objectives"].items()
    }
    for (environment, target), rto in goals.items():
        having = [each for each in trend.points(_of(records, environment)) if each.target == target]
        times = [each.rto_seconds for each in having if each.rto_seconds is not None]
        samples = trend.samples(_of(backups, environment), target)
        yield {
            "environment": environment,
            "target": target,
            "drills": len(having),
            "passed": sum(each.verdict == "PASSED" for each in having),
            "best_rto": min(times, default=None),
            "newest_rto": times[-1] if times else None,
            "forecast": trend.forecast(target, samples, rto_seconds=rto, now=datetime.now(UTC)).text,
        }


def _of(records: list[dict[str, Any]], environment: str) -> list[dict[str, Any]]:
    return [each for each in records if each["environment"] == environment]
