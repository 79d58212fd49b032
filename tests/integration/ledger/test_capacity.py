"""A capacity review over real samples: days from rollups and raw, one review after another, a worker that died."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from day2.errors import StepFailed
from day2.inventory import CapacityPolicy, Environment
from day2.ledger import Ledger, metric_days
from day2.ledger.metric_days import Days, Question
from day2.ledger.metrics import Metrics, Sample, Series
from day2.operations.capacity_review import backfill, document, facts, history, making, review
from day2.operations.capacity_review.facts import Stored
from day2.operations.capacity_review.making import Before
from day2.operations.capacity_review.review import Review
from day2.operations.capacity_review.subjects import Reader, by_target
from tests.unit.capacity.places import environment

pytestmark = pytest.mark.integration
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TARGET = "host/web-01"
USED, TOTAL = Series(TARGET, "disk_used", "/"), Series(TARGET, "disk_total", "/")
QUESTION = Question("production", ("disk_used", "disk_total"), NOW - 400 * DAY, NOW)
ARTEFACT = {"uri": "s3://bucket/forecasts.json", "sha256": "ab" * 32, "size": 1, "retain_until": None}


@pytest.fixture
def metrics(ledger: Ledger) -> Metrics:
    return Metrics(ledger, "production")


def grown(days: int, *, total: float = 1000.0, until: datetime = NOW, slope: float = 4.0) -> list[Sample]:
    """A sample a day of a disk that grows."""
    moments = [(number, until - (days - number) * DAY) for number in range(days)]
    used = [Sample(USED, at, 100 + slope * number + number % 3) for number, at in moments]
    return used + [Sample(TOTAL, at, total) for _, at in moments]


def read(ledger: Ledger, question: Question = QUESTION) -> dict[str, Days]:
    return {each.series.metric: each for each in metric_days.read(ledger, question)}


def reviewed(ledger: Ledger, run: str, now: datetime, *, here: Environment | None = None) -> Review:
    """What the task does, without storage: read, forecast, compare, append."""
    here = here or environment()
    reader = Reader(here, here.policies.capacity_review or CapacityPolicy(), now)
    question = Question("production", reader.policy.metrics, now - reader.policy.history, now)
    found = by_target(metric_days.read(ledger, question))
    known = history.earlier(ledger, "production", but=run)
    last = history.to_compare(known, now)
    before = Before(
        made_on=last.at.date() if last else None,
        forecasts=DOCUMENTS[last.run] if last else {},
        requests=known[-1].requests if known else (),
        closings=history.closings(ledger, "production"),
    )
    rows = making.target(reader, TARGET, found.get(TARGET, []))
    made = making.whole(reader, rows, found, before)
    DOCUMENTS[run] = {row.forecast.name: row.forecast for row in made.rows}
    ledger.append(history.MADE, run=run, body=history.made(made, ARTEFACT, attempt=1, targets=[TARGET]))
    return made


# What storage would hold, by run.
DOCUMENTS: dict[str, dict[str, making.Forecast]] = {}


def sound(made: Review, last: str | None) -> dict[str, object]:
    asked = review.requests(made)
    data = document.dump(made)
    said = DOCUMENTS[last] if last else {}
    [row] = facts.rows([TARGET], Stored(document.load(data), document.stood(data), asked, said))
    return row


def test_days_come_from_rollups_and_from_raw_samples_after_them(ledger: Ledger, metrics: Metrics) -> None:
    metrics.write(grown(10))
    metrics.roll(NOW - 10 * DAY, NOW - 3 * DAY)
    expected = [100 + 4.0 * number + number % 3 for number in range(10)]
    assert list(read(ledger)["disk_used"].high) == expected
    rolled = read(ledger)
    metrics.roll(NOW - 10 * DAY, NOW)
    assert list(read(ledger)["disk_used"].high) == list(rolled["disk_used"].high)
    assert read(ledger)["disk_used"].seconds[0] == datetime(2026, 11, 13, tzinfo=UTC).timestamp()


def test_a_day_without_samples_is_no_day_and_never_a_zero(ledger: Ledger, metrics: Metrics) -> None:
    metrics.write([each for each in grown(10) if each.at != NOW - 5 * DAY])
    assert len(read(ledger)["disk_used"].high) == 9
    assert 0.0 not in read(ledger)["disk_used"].high


def test_of_another_environment_nothing_is_read(ledger: Ledger, metrics: Metrics) -> None:
    Metrics(ledger, "staging").write(grown(10))
    assert read(ledger) == {}


def test_a_backfill_gives_a_year_at_once_and_twice_is_once(ledger: Ledger, metrics: Metrics) -> None:
    first = backfill.write(metrics, grown(365), now=NOW)
    assert (first.read, first.new, first.dropped) == (730, 730, {})
    assert first.rolled >= 730
    assert len(read(ledger)["disk_used"].high) == 365
    again = backfill.write(metrics, grown(365), now=NOW)
    assert (again.read, again.new, again.rolled) == (730, 0, 0)


def test_a_backfill_from_csv_is_the_same_samples(ledger: Ledger, metrics: Metrics) -> None:
    lines = ["target,metric,part,at,value"]
    lines += [f"{each.series.target},{each.series.metric},/,{each.at.isoformat()},{each.value}" for each in grown(40)]
    lines.append(f"{TARGET},disk_used,/,{(NOW + DAY).isoformat()},1e9")
    filled = backfill.write(metrics, backfill.from_csv(io.StringIO("\n".join(lines)), name="year.csv"), now=NOW)
    assert (filled.new, filled.dropped) == (80, {"from the future": 1})
    assert max(read(ledger)["disk_used"].high) < 300


def test_a_backfill_that_stops_keeps_what_it_wrote_and_names_the_line(metrics: Metrics) -> None:
    text = f"target,metric,part,at,value\n{TARGET},disk_used,/,2026-11-01T00:00,5\n"
    with pytest.raises(StepFailed, match=r"year\.csv:2: .* has no time zone"):
        backfill.write(metrics, backfill.from_csv(io.StringIO(text), name="year.csv"), now=NOW)


def test_the_second_review_opens_with_the_firsts_requests_and_its_error(ledger: Ledger, metrics: Metrics) -> None:
    then = NOW - 90 * DAY
    metrics.write(grown(150, until=then))
    first = reviewed(ledger, "capacity_review.production/1", then)
    [asked] = review.requests(first)
    assert (first.earlier, first.comparisons) == ([], [])
    # The same growth went on, and somebody made the disk larger.
    metrics.write(grown(240, total=4000.0)[150:240] + grown(240, total=4000.0)[390:])
    second = reviewed(ledger, "capacity_review.production/2", NOW)
    [told] = second.earlier
    assert (told.key, told.made_on, told.fate) == (asked.key, then.date(), "done")
    assert told.note == "the limit was raised from 1.0 kB to 4.0 kB"
    [compared] = second.comparisons
    assert compared.days >= 88
    assert compared.error < compared.baseline_error
    assert second.published.kind == "better"
    row = sound(second, "capacity_review.production/1")
    assert (row["comparable"], row["compared"], row["judged_otherwise"], row["inconsistent"]) == (1, 1, 0, 0)


def test_what_nobody_did_is_asked_for_again_and_keeps_its_day(ledger: Ledger, metrics: Metrics) -> None:
    metrics.write(grown(150, until=NOW - 8 * DAY))
    reviewed(ledger, "r/1", NOW - 8 * DAY)
    metrics.write([Sample(each.series, each.at, each.value) for each in grown(158)[150:158]])
    second = reviewed(ledger, "r/2", NOW)
    assert [each.fate for each in second.earlier] == ["open"]
    [again] = review.requests(second)
    assert (again.made_on, again.seen) == ((NOW - 8 * DAY).date(), 2)


def test_a_review_that_was_withdrawn_is_passed_over(ledger: Ledger, metrics: Metrics) -> None:
    metrics.write(grown(150, until=NOW))
    reviewed(ledger, "r/1", NOW - 30 * DAY)
    ledger.append(history.WITHDRAWN, run="r/1", body=history.withdrawn("production", "nobody signed it", attempt=1))
    second = reviewed(ledger, "r/2", NOW)
    assert (second.earlier, second.comparisons) == ([], [])
    assert [each.run for each in history.earlier(ledger, "production")] == ["r/2"]


def test_a_review_that_was_withdrawn_and_then_signed_counts(ledger: Ledger, metrics: Metrics) -> None:
    metrics.write(grown(150))
    reviewed(ledger, "r/1", NOW)
    ledger.append(history.WITHDRAWN, run="r/1", body=history.withdrawn("production", "nobody signed it", attempt=1))
    assert history.earlier(ledger, "production") == []
    made = history.current(ledger.entries(run="r/1"))
    assert made is not None
    ledger.append(history.MADE, run="r/1", body=made.body | {"attempt": 2})
    assert [each.run for each in history.earlier(ledger, "production")] == ["r/1"]


def test_a_try_that_was_killed_after_its_entry_counts_once(ledger: Ledger, metrics: Metrics) -> None:
    metrics.write(grown(150))
    first = reviewed(ledger, "r/1", NOW)
    second = reviewed(ledger, "r/1", NOW)
    assert [each.run for each in history.earlier(ledger, "production")] == ["r/1"]
    assert document.dump(first) == document.dump(second), "it is the same review again"
