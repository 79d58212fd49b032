"""What people read after a drill, from a real ledger: the stored page, its actions, the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from day2.cli import app
from day2.ledger import Ledger, probe
from day2.ledger.probe import Sample
from day2.operations.dr_drill import actions, card, corrective, scorecard
from day2.operations.dr_drill.measures import first_write
from day2.repository.folder import FolderStore
from day2.repository.manifest import sha256
from tests.integration.ledger.conftest import Database
from tests.unit.drill.drills import Drill, backups, whole

DUE = timedelta(days=30)


def told(ledger: Ledger, drill: Drill) -> str:
    """The drill, in this ledger. Returns its run."""
    for entry in drill.entries:
        ledger.append(entry.kind, run=entry.run, body=entry.body)
    return drill.run


def write(ledger: Ledger, run: str) -> list[actions.Action]:
    return corrective.write(ledger, run=run, attempt=1, owner="platform-team", due=DUE)


def day2(database: Database, *arguments: str) -> str:
    result = CliRunner().invoke(app, ["drill", *arguments], env={"DAY2_LEDGER": database.app, "COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    return result.output


def test_the_stored_page_can_be_made_again_byte_for_byte(database: Database, ledger: Ledger, tmp_path: Path) -> None:
    for entry in backups():
        ledger.append(entry.kind, run=entry.run, body=entry.body)
    run = told(ledger, whole(leftovers=1))
    write(ledger, run)
    made = scorecard.publish(ledger, run=run, store=FolderStore(tmp_path / "vault"))
    (kept,) = (tmp_path / "vault").rglob("*.html")
    assert made.artefact["sha256"] == sha256(kept.read_bytes())
    assert made.artefact["uri"].endswith(kept.name)
    ledger.append("evidence", run=run, body={"attempt": 1, "step": "scorecard", "artefacts": [made.artefact]})
    told(ledger, Drill(1).sign_off(made.artefact["sha256"]))
    told(ledger, whole(2))
    again, now = tmp_path / "again.html", tmp_path / "now.html"
    assert "these are the bytes that were stored" in day2(
        database, "scorecard", run, "--as-stored", "--out", str(again)
    )
    assert again.read_bytes() == kept.read_bytes()
    day2(database, "scorecard", run, "--out", str(now))
    assert b"ruth" in now.read_bytes()
    assert b"ruth" not in again.read_bytes()


def test_a_page_that_differs_from_the_stored_one_is_said_and_fails(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    run = told(ledger, whole())
    artefact = {"uri": "s3://x", "sha256": "ab" * 32, "size": 1, "retain_until": None, "upto": 30}
    ledger.append("evidence", run=run, body={"attempt": 1, "step": "scorecard", "artefacts": [artefact]})
    command = ["drill", "scorecard", run, "--as-stored", "--out", str(tmp_path / "x.html")]
    result = CliRunner().invoke(app, command, env={"DAY2_LEDGER": database.app})
    assert result.exit_code == 1
    assert "not the bytes that were stored" in result.output


def test_actions_are_opened_once_carried_by_the_next_drill_and_closed_with_a_note(
    database: Database, ledger: Ledger
) -> None:
    first = told(ledger, whole(1, leftovers=1))
    (action,) = write(ledger, first)
    assert [each.id for each in write(ledger, first)] == [action.id]
    assert len(list(ledger.entries(kind=actions.OPENED))) == 1
    assert action.due == datetime.now(UTC).date() + DUE
    second = told(ledger, whole(2, leftovers=1))
    (carried,) = write(ledger, second)
    assert (carried.id, carried.seen, carried.due) == (action.id, 2, action.due)
    assert re.search(rf"{action.id}\s+open\s+critical", day2(database, "actions", "--open"))
    closed = day2(database, "actions", "--close", action.id, "--note", "clear_up drops the slot now")
    assert f"{action.id} closed by" in closed
    assert action.id not in day2(database, "actions", "--open")
    assert "clear_up drops the slot now" in day2(database, "actions", "--format", "json")
    (reopened,) = write(ledger, told(ledger, whole(3, leftovers=1)))
    assert (reopened.id != action.id, reopened.seen) == (True, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--close", "CA-00000000", "--note", "mended"), "no such action"),
        (("--close", "KNOWN", "--note", ""), "needs a note"),
    ],
)
def test_an_action_cannot_be_closed_without_an_id_and_a_note(
    database: Database, ledger: Ledger, arguments: tuple[str, ...], said: str
) -> None:
    (action,) = write(ledger, told(ledger, whole(1, leftovers=1)))
    words = [action.id if each == "KNOWN" else each for each in arguments]
    result = CliRunner().invoke(app, ["drill", "actions", *words], env={"DAY2_LEDGER": database.app})
    assert result.exit_code == 1
    assert said in result.output
    assert list(ledger.entries(kind=actions.CLOSED)) == []


def test_the_command_line_lists_shows_and_foretells(database: Database, ledger: Ledger) -> None:
    for entry in backups():
        ledger.append(entry.kind, run=entry.run, body=entry.body | {"ended": entry.body["started"]})
    run = told(ledger, whole(1).close())
    listed = day2(database, "list", "--format", "csv")
    assert f"PASSED,production,drill,orders,15.58,0.0,0,{run}" in listed
    assert day2(database, "show", run).startswith("PASSED: ")
    assert '"rto_objective_seconds": 60.0' in day2(database, "show", run, "--json")
    assert "the RTO will be missed by a restore from" in day2(database, "trend")


def test_the_printed_query_finds_the_rto_and_the_acknowledged_commits(ledger: Ledger, database: Database) -> None:
    drill = whole()
    target = card.gather(drill.entries, drill.run).targets[0]
    assert target.t0 is not None
    samples, at = [], target.t0 - timedelta(seconds=5)
    old, new = "10.1.0.4:5432, timeline 1, up since X", "10.2.0.7:5432, timeline 2, up since 2026-11-01 03:00:00+00"
    for n in range(1, 100):
        sent = at + timedelta(seconds=0.2 * n)
        wrote = not 40 <= n < 70
        samples.append(
            Sample(n, "endpoint", sent, sent + timedelta(seconds=0.01), wrote=wrote, server=old if n < 40 else new,
                   seen=n - 1 if wrote else None)
        )  # fmt: skip
    probe.append(ledger, samples, run=drill.run, target="orders")
    expected = first_write(samples, declared_at=target.t0, by=new, recovered=range(1000))
    assert expected is not None
    html = scorecard.render(card.gather(drill.entries, drill.run)).decode()
    (query,) = re.findall(r"<pre>(with tries.*?)</pre>", html, re.DOTALL)
    for escaped, sign in (("&#39;", "'"), ("&gt;", ">"), ("&lt;", "<")):
        query = query.replace(escaped, sign)
    with psycopg.connect(database.app) as connection:
        rto, acknowledged, _ = connection.execute(query).fetchone()
    assert float(rto) == pytest.approx((expected.answered_at - target.t0).total_seconds())
    assert expected.n == 70
    assert acknowledged == 39
