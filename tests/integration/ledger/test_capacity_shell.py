"""`day2 metrics` and `day2 capacity` as typed, against a real ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlparse

import pytest
import yaml
from typer.testing import CliRunner

from day2.cli import app
from day2.inventory import environments_folder
from day2.ledger import Ledger
from day2.ledger.metrics import Metrics, Series
from day2.operations.capacity_review import history
from tests.integration.ledger.conftest import Database
from tests.integration.ledger.test_capacity import TARGET, grown, reviewed

pytestmark = pytest.mark.integration
HERE = ("--environment", "production")


def day2(*arguments: str, database: Database, fails: bool = False) -> str:
    done = CliRunner().invoke(app, list(arguments), env={"DAY2_LEDGER": database.app})
    assert (done.exit_code != 0) == fails, done.output
    return done.output


def test_a_year_from_a_file_is_written_once(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "year.csv"
    now = datetime.now(UTC)
    lines = [f"{TARGET},cpu_percent,,{(now - timedelta(days=number)).isoformat()},5" for number in range(1, 366)]
    file.write_text("\n".join(["target,metric,part,at,value", *lines, f"host/gone,cpu_percent,,{now.isoformat()},5"]))
    told = day2("metrics", "backfill", *HERE, "--from-csv", str(file), database=database)
    assert "366 samples read, 366 of them new" in told
    assert "no review looks at host/gone" in told
    assert "0 of them new, 0 hours" in day2("metrics", "backfill", *HERE, "--from-csv", str(file), database=database)


@pytest.fixture
def prometheus() -> Iterator[str]:
    """Answers every range with the same disk of web-01: enough of Prometheus's API for a backfill. Simulated."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            given = parse_qs(self.rfile.read(length).decode()) or parse_qs(urlparse(self.path).query)
            start = float(given["start"][0])
            values = [[start + 3600 * number, str(number)] for number in range(48)]
            series = {"metric": {"instance": "web-01.lab:9100", "mountpoint": "/"}, "values": values}
            data = {"resultType": "matrix", "result": [series] if "disk" in given["query"][0] else []}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"status": "success", "data": data}).encode())

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_prometheus_is_asked_what_the_policy_asks_it(
    database: Database, ledger: Ledger, prometheus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = yaml.safe_load((environments_folder() / "production.yaml").read_text())
    source = {"kind": "prometheus", "connection": "prometheus", "queries": {"disk_used": "node_disk_used_bytes"}}
    whole["policies"]["health_check"]["sources"] = [source]
    (tmp_path / "production.yaml").write_text(yaml.safe_dump(whole))
    monkeypatch.setenv("DAY2_INVENTORY", str(tmp_path))
    told = day2("metrics", "backfill", *HERE, "--prometheus", prometheus, "--days", "2", database=database)
    assert "48 samples read, 48 of them new" in told
    assert Metrics(ledger, "production").series() == [Series(TARGET, "disk_used", "/")]


def test_what_nobody_said_how_to_ask_is_not_asked(database: Database) -> None:
    told = day2("metrics", "backfill", *HERE, "--cloudwatch", database=database, fails=True)
    assert "has no source of kind cloudwatch" in told
    assert "give one of" in day2("metrics", "backfill", *HERE, database=database, fails=True)


def test_a_file_that_is_not_there_is_one_line(database: Database) -> None:
    told = day2("metrics", "backfill", *HERE, "--from-csv", "/nowhere.csv", database=database, fails=True)
    assert told.startswith("day2: cannot read /nowhere.csv")


def test_what_became_of_a_request_is_told_by_hand_and_opens_the_next_review(database: Database, ledger: Ledger) -> None:
    now = datetime.now(UTC)
    Metrics(ledger, "production").write(grown(150, until=now))
    reviewed(ledger, "r/1", now)
    assert "disk /" in day2("capacity", "requests", *HERE, database=database)
    close = ("capacity", "close", TARGET, "disk /", *HERE, "--fate", "rejected")
    day2(*close, "--note", "a purge each night", database=database)
    assert "a purge each night" in day2("capacity", "requests", *HERE, database=database)
    assert history.closings(ledger, "production")[f"{TARGET} disk /"].fate == "rejected"
    [told] = reviewed(ledger, "r/2", now).earlier
    assert told.fate == "rejected"


def test_what_was_not_asked_for_cannot_be_closed(database: Database, ledger: Ledger) -> None:
    close = ("capacity", "close", TARGET, "tape", *HERE, "--fate", "done", "--note", "bought one")
    assert "no review of it counts yet" in day2(*close, database=database, fails=True)
    reviewed(ledger, "r/1", datetime.now(UTC))
    assert "did not ask for 'tape'" in day2(*close, database=database, fails=True)
    assert "a note is needed" in day2(*close[:-1], " ", database=database, fails=True)
