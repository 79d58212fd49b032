"""A capacity review in a running Airflow, over a history that was made for it: nothing measured is in it."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from day2.ledger.metrics import Metrics, Sample, Series
from day2.operations.capacity_review import backfill
from tests.booted import Finished, Suite

pytest_plugins = ("tests.booted",)
pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
DAG = "capacity_review.production"
GROWS, STEADY = "host/web-01", "database/orders"
# No disk of the lab is mounted there: what other tests really sample is not mixed with this.
PART, DISK = "/made", "disk /made"
DAYS, TOTAL = 200, 1e12


def history(now: datetime) -> list[Sample]:
    """A disk that grows by half a percent a day, and connections that come and go with the week. Made, not measured."""
    found = []
    for number in range(DAYS):
        at = now - timedelta(days=DAYS - number)
        disk = (0.05 + 0.004 * number + 0.002 * math.sin(number * 2.4)) * TOTAL
        found += [
            Sample(Series(GROWS, "disk_used", PART), at, disk),
            Sample(Series(GROWS, "disk_total", PART), at, TOTAL),
            Sample(Series(GROWS, "cpu_percent"), at, 20 + 5 * math.sin(number)),
            Sample(Series(GROWS, "memory_percent"), at, 30 + 2 * math.cos(number)),
            Sample(Series(STEADY, "connections_percent"), at, 40 + 10 * (number % 7 < 5) + math.sin(number * 1.7)),
        ]
    return found


@pytest.fixture(scope="module")
def sampled(suite: Suite) -> backfill.Filled:
    now = datetime.now(UTC)
    with suite.ledger() as ledger:
        return backfill.write(Metrics(ledger, "production"), history(now), now=now)


@pytest.fixture(scope="module")
def reviewed(suite: Suite, sampled: backfill.Filled) -> Finished:
    run_id = suite.start(DAG, reason="a test of the review", targets=[GROWS, STEADY])
    suite.wait(lambda: suite.operator.awaits_input(DAG, run_id), "the question for a signature")
    suite.approver.approve(DAG, run_id, "Sign", task="sign_off", comment="read")
    return suite.finish(DAG, run_id)


def stored(suite: Suite, finished: Finished, name: str) -> bytes:
    """A file of the run, from the bucket that the record names."""
    [uri] = [each["uri"] for each in finished.record["artefacts"] if each["uri"].endswith(name)]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    store = next(each for each in suite.lab.stores if each.region in bucket)
    found: bytes = store.client().get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def entry(suite: Suite, finished: Finished, kind: str = "capacity_forecast") -> dict[str, Any]:
    return suite.entries(DAG, finished.run_id, kind)[-1]


def test_a_review_that_was_signed_passed(reviewed: Finished) -> None:
    assert (reviewed.state, reviewed.record["verdict"]) == ("success", "PASSED"), reviewed.record["reason"]
    assert reviewed.record["change"] == "standard"
    assert reviewed.record["approvals"][0]["kind"] == "standing"
    assert sorted(reviewed.record["targets"]["succeeded"]) == [STEADY, GROWS]


def asked(body: dict[str, Any], what: str = "requests") -> dict[str, Any]:
    """The request for the disk that grows."""
    [found] = [each for each in body[what] if (each["target"], each["resource"]) == (GROWS, DISK)]
    return found


def test_the_disk_that_grows_has_a_date_and_a_request(suite: Suite, reviewed: Finished) -> None:
    body = entry(suite, reviewed)
    assert asked(body)["limit"] == TOTAL
    document = json.loads(stored(suite, reviewed, "forecasts.json"))
    [disk] = [each for each in document["rows"] if each["resource"] == DISK]
    expected = datetime.fromisoformat(disk["judged"]["expected"]).date()
    # 0.05 + 0.004 a day reaches 1 on day 237.5: the made history says when.
    assert abs((expected - datetime.now(UTC).date()).days - 37) <= 4
    assert disk["judged"]["standing"] == "act"


def test_the_page_and_its_numbers_are_evidence(suite: Suite, reviewed: Finished) -> None:
    page = stored(suite, reviewed, "report.html").decode()
    assert DISK in page
    rows = list(csv.DictReader(io.StringIO(stored(suite, reviewed, "resources.csv").decode("utf-8-sig"))))
    assert {(each["target"], each["resource"]) for each in rows} >= {
        (GROWS, DISK), (GROWS, "CPU"), (GROWS, "memory"), (STEADY, "connections"),
    }  # fmt: skip
    [signature] = suite.entries(DAG, reviewed.run_id, "sign_off")
    assert (signature["who"], signature["decision"]) == ("approver", "signed")


def test_the_next_review_opens_with_the_first_ones_request_and_does_not_count_unsigned(
    suite: Suite, reviewed: Finished
) -> None:
    run_id = suite.start(DAG, reason="the next review", targets=[GROWS])
    suite.wait(lambda: suite.operator.awaits_input(DAG, run_id), "the question for a signature")
    suite.approver.approve(DAG, run_id, "Refuse", task="sign_off", comment="the owner is another one")
    finished = suite.finish(DAG, run_id)
    assert (finished.state, finished.record["verdict"]) == ("failed", "FAILED")
    assert "sign_off is failed" in finished.record["reason"]
    body = entry(suite, finished)
    assert asked(body, "earlier")["fate"] == "open"
    assert asked(body)["seen"] == 2
    assert entry(suite, finished, "capacity_withdrawn")["why"] == "the signature was rejected"
