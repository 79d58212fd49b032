"""The capacity review's tasks: thin, with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, run, steps, telling
from day2.errors import Day2Error, StepFailed
from day2.inventory.model import Environment

if TYPE_CHECKING:
    from day2.ledger import Ledger
    from day2.operations.capacity_review.facts import Stored
    from day2.operations.capacity_review.forecast import Forecast
    from day2.operations.capacity_review.history import Earlier
    from day2.operations.capacity_review.making import Before
    from day2.operations.capacity_review.review import Review

log = logging.getLogger("day2")
OPERATION = "capacity_review"
ACT_STEPS = ("review",)
FOLDER = "capacity"
# It only reads and writes anew: a worker that was killed is replaced by another.
RETRIES, RETRY_DELAY = 2, timedelta(seconds=10)


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """Resolve the targets, and say how much history there is of each."""
    from day2.ledger import metric_days
    from day2.operations.capacity_review import history, planning

    here, now, at = steps.environment(environment_name), run.current(), datetime.now(UTC)
    with connections.ledger(here) as ledger:
        try:
            request = planning.Request(
                environment=here,
                requested=tuple(now.params["targets"]),
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                policy_hash=inventory.policy_hash(here),
            )
            last = history.to_compare(history.earlier(ledger, here.name, but=now.key), at)
            seen = list(metric_days.read(ledger, planning.question(here, at)))
            planned = planning.make(request, seen, last=last.at.date() if last else None)
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        seconds = planning.policy(here).lease_ttl.total_seconds()
        planned |= {"lease_seconds": seconds, "briefing": planning.lines(planned)}
        steps.write_plan(ledger, planned)
    return planned


@task(retries=RETRIES, retry_delay=RETRY_DELAY)
@telling.explained
def review(locked: list[dict[str, Any]], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """Read, forecast and judge every target; keep the whole as a document, and write down what it asks for."""
    from day2.ledger import metric_days
    from day2.operations.capacity_review import document, history, making, planning
    from day2.operations.capacity_review.subjects import Reader, by_target

    here, now = steps.environment(planned["environment"]), run.current()
    reader = Reader(here, planning.policy(here), datetime.now(UTC))
    rows = []
    with connections.ledger(here) as ledger:
        days = by_target(metric_days.read(ledger, planning.question(here, reader.now)))
        names = [each["name"] for each in locked]
        for name in names:
            with steps.acting(planned, approved, step="review", target=name) as outcome:
                found = making.target(reader, name, days.get(name, ()))
                outcome.measures |= making.measures(found)
                rows += found
        log.info("%d series of %d targets were read and forecast", len(rows), len(names))
        before = _before(ledger, here, now.key, reader.now)
        made = making.whole(reader, rows, {name: days.get(name, []) for name in names}, before)
        kept = findings.publish(ledger, here, FOLDER, {"forecasts.json": document.dump(made)})
        body = history.made(made, kept["forecasts.json"], attempt=now.attempt, targets=names)
        ledger.append(history.MADE, run=now.key, body=body)
    telling.say("What became of the last review's requests", making.fates_told(made))
    log.info("%s", made.published.sentence)


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any]) -> None:
    """Read the document back, judge it again, and hold it against the suite."""
    from day2 import validation
    from day2.operations.capacity_review import facts

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        rows = facts.rows([each["name"] for each in planned["targets"]], _stored(ledger, here))
        result = validation.run(rows, facts.SUITE)
        findings.judge(ledger, [result])
    if not result.passed:
        raise AirflowFailException("the review is not sound, or a target has no samples; the failed checks are above")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def report(planned: dict[str, Any]) -> dict[str, Any]:
    """The page and its numbers, drawn from the document alone, stored as evidence."""
    from day2.operations.capacity_review import numbers_csv
    from day2.operations.capacity_review import report as page

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        made = _read(here, _entry(ledger)["forecasts"])[0]
        files = {
            "report.html": page.render(made),
            "resources.csv": numbers_csv.resources(made),
            "days.csv": numbers_csv.paths(made),
        }
        kept = findings.publish(ledger, here, FOLDER, files)
    briefing = page.briefing(made)
    for line in briefing:
        log.info("%s", line)
    return {**kept["report.html"], "briefing": briefing}


@task
@telling.explained
def undo(planned: dict[str, Any] | None) -> None:
    """A review that was not found sound, or that nobody signed, is withdrawn: the next one passes over it."""
    from day2.operations.capacity_review import history

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was written")
    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        entries = list(ledger.entries(run=now.key))
        made, why = history.current(entries), history.why_withdrawn(entries)
        if made is None or (why is None and not history.was_withdrawn(entries)):
            log.info("nothing is withdrawn")
        elif why is None:
            ledger.append(history.MADE, run=now.key, body=made.body | {"attempt": now.attempt})
            log.info("this review was withdrawn, and counts now that it is signed")
        else:
            body = history.withdrawn(here.name, why, attempt=made.body["attempt"])
            ledger.append(history.WITHDRAWN, run=now.key, body=body)
            log.warning("this review is withdrawn, because %s: its requests are not carried on", why)


def _before(ledger: Ledger, here: Environment, key: str, at: datetime) -> Before:
    """What earlier reviews left. One whose document cannot be read still has its requests; a check tells."""
    from day2.operations.capacity_review import history
    from day2.operations.capacity_review.making import Before

    known = history.earlier(ledger, here.name, but=key)
    if not known:
        return Before()
    last = history.to_compare(known, at)
    return Before(
        made_on=last.at.date() if last else None,
        forecasts=_forecasts(here, last) or {},
        requests=known[-1].requests,
        closings=history.closings(ledger, here.name),
    )


def _forecasts(here: Environment, last: Earlier | None) -> Mapping[str, Forecast] | None:
    """The forecasts of an earlier review by series: none of no review, None if they cannot be read."""
    if last is None:
        return {}
    try:
        return {row.forecast.name: row.forecast for row in _read(here, last.forecasts)[0].rows}
    except Day2Error as error:
        log.error("the review of %s cannot be read, so nothing can be compared: %s", last.at.date(), error)
        return None


def _stored(ledger: Ledger, here: Environment) -> Stored | None:
    """What this attempt stored, read back; none if it is not there, or not what it was."""
    from day2.operations.capacity_review import document, history
    from day2.operations.capacity_review.facts import Stored

    now = run.current()
    try:
        entry = _entry(ledger)
        made, data = _read(here, entry["forecasts"])
    except Day2Error as error:
        log.error("%s", error)
        return None
    last = history.to_compare(history.earlier(ledger, here.name, but=now.key), made.at)
    asked = [document.request_of(each) for each in entry["requests"]]
    return Stored(made, document.stood(data), asked, _forecasts(here, last))


def _entry(ledger: Ledger) -> dict[str, Any]:
    """What the review of this run wrote into the ledger. Raises StepFailed where it wrote nothing."""
    from day2.operations.capacity_review import history

    found = history.current(ledger.entries(run=run.current().key))
    if found is None:
        raise StepFailed(
            "there is no review of this run in the ledger",
            left="no report is made",
            next_step="look at the log of the task `review`",
            runbook="The review did not end",
        )
    return found.body


def _read(here: Environment, artefact: Mapping[str, Any]) -> tuple[Review, bytes]:
    """A review that was stored, and its bytes. Raises StepFailed, Corrupt, Unavailable."""
    from day2.operations.capacity_review import document
    from day2.repository import kept

    data = kept.fetch(connections.store(findings.repository(here)), artefact)
    try:
        return document.load(data), data
    except (ValueError, KeyError, TypeError) as error:
        raise StepFailed(
            f"the stored review cannot be read by this version: {error!r}",
            target=str(artefact["uri"]),
            left="it is as it was stored",
            next_step="read it with the version that wrote it; the record names its commit",
            runbook="The last review cannot be read",
        ) from error
