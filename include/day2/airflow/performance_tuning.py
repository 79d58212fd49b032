"""Performance tuning's tasks: thin, with all that is worth testing in day2.operations."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TriggerRule, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, run, steps, telling, trying, tuned
from day2.errors import Day2Error
from day2.inventory.model import Environment

if TYPE_CHECKING:
    from day2.ledger import Ledger
    from day2.operations.performance_tuning.facts_frame import Afterwards
    from day2.operations.performance_tuning.story import Story, Tried

log = logging.getLogger("day2")
OPERATION = "performance_tuning"
ACT_STEPS = ("tune",)
TARGET_NAME = "{{ target }}"
# A killed worker's change is put in order and tried again, and the others wait for that; a server comes back.
TRIES = 5
RETRY_DELAY = timedelta(seconds=10)


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """Look at every chosen database, choose what to try, and write down statement, reverse, locks and room."""
    from day2.control import freezes
    from day2.operations.performance_tuning import briefing, history, planning

    here, now, at = steps.environment(environment_name), run.current(), datetime.now(UTC)
    rules = tuned.policy(here)
    with connections.ledger(here) as ledger:
        try:
            chosen = inventory.select(here, tuple(now.params["targets"]))
            request = planning.Request(
                environment=here,
                databases=chosen,
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                policy_hash=inventory.policy_hash(here),
            )
            looks = {each.name: tuned.look(ledger, here, each) for each in chosen}
            frozen = freezes.freezes(here, start=at, end=at + rules.lease_ttl, operation=OPERATION)
            planned = planning.make(request, {name: look for name, (look, _) in looks.items()}, freezes=frozen, now=at)
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        for look, seen in looks.values():
            if look.advice:
                body = history.looked(here.name, look.advice, seen, attempt=now.attempt)
                ledger.append(history.LOOKED, run=now.key, body=body)
        planned |= {"lease_seconds": rules.lease_ttl.total_seconds(), "briefing": briefing.lines(planned)}
        steps.write_plan(ledger, planned)
    return planned


@task(map_index_template=TARGET_NAME, retries=TRIES - 1, retry_delay=RETRY_DELAY)
@telling.explained
def tune(target: dict[str, Any], planned: dict[str, Any], approved: dict[str, Any] | None) -> None:
    """A database: put in order what an earlier run left, and rehearse on a copy. A change: try it, and decide."""
    name = target["name"]
    get_current_context()["target"] = name
    here = steps.environment(planned["environment"])
    if target["recommendation"]:
        with connections.ledger(here) as ledger:
            trying.skip_if_not_now(ledger, here, planned, target)
    with (
        steps.acting(planned, approved, step="tune", target=name) as outcome,
        connections.ledger(here) as ledger,
    ):
        if target["recommendation"]:
            trying.change(ledger, here, target, measures=outcome.measures)
        else:
            trying.prepare(ledger, here, planned, target, measures=outcome.measures)


@task(trigger_rule=TriggerRule.ALL_DONE, retries=2, retry_delay=RETRY_DELAY)
@telling.explained
def undo(planned: dict[str, Any] | None, approved: dict[str, Any] | None) -> None:
    """Leave no change half-way, however the run ended: what was begun and not decided is taken back."""
    from day2.operations.performance_tuning import history, planning

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was touched")
    here, now = steps.environment(planned["environment"]), run.current()
    failed = []
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        # First, so that a task which is ended and still at work begins nothing more.
        ledger.append(history.ENDED, run=now.key, body={"attempt": now.attempt, "environment": here.name})
        for each in planning.databases(planned):
            left = trying.left_in_the_middle(ledger, here, each["name"])
            if not left:
                continue
            try:
                with steps.acting(planned, approved, step="undo", target=each["name"], finishing=True) as outcome:
                    outcome.measures["settled"] = [trying.settle(ledger, here, each["name"], course) for course in left]
            except Day2Error as error:  # the others are put in order all the same
                log.error("%s", error)
                failed.append(each["name"])
    if failed:
        raise AirflowFailException(f"a change is left in the middle in {', '.join(failed)}: the lines above say which")
    log.info("no change is left in the middle")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def validate(planned: dict[str, Any]) -> None:
    """Look at each database once more, and judge it and each change that was tried."""
    from day2 import validation
    from day2.operations.performance_tuning import facts_frame, planning

    here, now = steps.environment(planned["environment"]), run.current()
    databases: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        for each in planning.databases(planned):
            found = _rows(ledger, here, planned, each["name"])
            databases.append(found[0])
            changes += found[1]
        results = [validation.run(databases, facts_frame.SUITE)]
        if changes:
            results.append(validation.run(changes, facts_frame.CHANGE_SUITE))
        findings.judge(ledger, results)
    if not all(each.passed for each in results):
        raise AirflowFailException("not everything is as it must be; the failed checks are above")


@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
@telling.explained
def report(planned: dict[str, Any]) -> dict[str, Any]:
    """What was found, tried, kept and taken back, with its figures: one page and a CSV file, stored as evidence."""
    from day2.operations.performance_tuning import history, tuning_csv
    from day2.operations.performance_tuning import report as page

    here, now = steps.environment(planned["environment"]), run.current()
    with connections.ledger(here) as ledger:
        steps.skip_unless_locked(ledger, now)
        told = _story(ledger, here, planned)
        files = {"report.html": page.render(told), "findings.csv": tuning_csv.rows(told)}
        made = findings.publish(ledger, here, "tuning", files)
        ledger.append(history.GAINED, run=now.key, body=history.gain(here.name, told.kept, attempt=now.attempt))
    return made["report.html"]


def _rows(
    ledger: Ledger, here: Environment, planned: dict[str, Any], name: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The facts of one database, and of each change that was tried on it."""
    from day2.operations.performance_tuning import facts_frame, history
    from day2.operations.performance_tuning.attempt import not_to_be_tried

    policy, measured = here.tuning_policy(here.database(name)), _measured(ledger)
    records = _records(planned, measured, name)
    seen = _afterwards(here, name, records, own=measured.get(name, {}))
    found = history.last_look(ledger, here.name, name, run=run.current().key)
    tried = _tried(name, records)
    allowed = {each.recommendation.key: not not_to_be_tried(each.recommendation, policy) for each in tried}
    database = facts_frame.database_row(name, found.advice if found else None, tried, afterwards=seen, policy=policy)
    return database, facts_frame.change_rows(tried, afterwards=seen, policy=policy, allowed=allowed)


def _afterwards(here: Environment, name: str, records: list[dict[str, Any]], *, own: dict[str, Any]) -> Afterwards:
    """How the database stands now; one that was never begun, or does not answer, was not looked at."""
    from day2.operations.performance_tuning import afterwards
    from day2.operations.performance_tuning.facts_frame import Afterwards

    if "standing" not in own:
        return Afterwards()
    settled = [each["outcome"] in ("kept", "interrupted") for each in own["settled"]]
    before = afterwards.Standing(**own["standing"])
    try:
        return afterwards.look(tuned.server(here, here.database(name)), records, before=before, settled=settled)
    except Day2Error as error:
        log.error("%s: cannot be looked at once more: %s", name, error)
        return Afterwards()


def _story(ledger: Ledger, here: Environment, planned: dict[str, Any]) -> Story:
    from day2.operations.performance_tuning import history, planning
    from day2.operations.performance_tuning.story import Story

    now, rules, measured = run.current(), tuned.policy(here), _measured(ledger)
    names = [each["name"] for each in planning.databases(planned)]
    looks = [history.last_look(ledger, here.name, name, run=now.key) for name in names]
    # What an earlier run had decided to keep, and this one completed, counts as well.
    completed = {name: [each for each in measured.get(name, {}).get("settled", []) if each["outcome"] == "kept"]
                 for name in names}  # fmt: skip
    tried = [each for name in names for each in _tried(name, [*completed[name], *_records(planned, measured, name)])]
    return Story(
        environment=here.name,
        owner=here.owner,
        mode=rules.mode,
        run=now.key,
        at=datetime.now(UTC),
        advice=tuple(each.advice for each in looks if each),
        tried=(*tried, *_put_off(ledger, planned)),
        earlier=history.gains(ledger, here.name),
        minimum_gain=rules.measure.minimum_gain_percent / 100,
        confidence=rules.measure.confidence_percent / 100,
    )


def _measured(ledger: Ledger) -> dict[str, dict[str, Any]]:
    """What `tune` measured in this run, by target."""
    from day2.ledger import evidence

    found = evidence.gather(list(ledger.entries(run=run.current().key))).measures
    return {target: each["tune"] for target, each in found.items() if "tune" in each}


def _records(planned: dict[str, Any], measured: dict[str, dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """What each change of a database left that was begun."""
    from day2.operations.performance_tuning import planning

    found = (measured.get(each["name"], {}) for each in planning.of_database(planned, name))
    return [each for each in found if "outcome" in each]


def _tried(name: str, records: list[dict[str, Any]]) -> list[Tried]:
    from day2.operations.performance_tuning import story

    at = datetime.now(UTC).isoformat(timespec="seconds")
    return [story.tried(name, each.get("at", at), each) for each in records]


def _put_off(ledger: Ledger, planned: dict[str, Any]) -> list[Tried]:
    """What the plan left for another run, and what its own task did."""
    from day2.operations.performance_tuning import history, story
    from day2.operations.performance_tuning.tried import tried

    found = [
        *planned["put_off"],
        *(each.body for each in ledger.entries(kind=history.PUT_OFF, run=run.current().key)),
    ]
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return [
        story.tried(each["database"], at, tried(story.recommendation(each["recommendation"]), "deferred", each["why"]))
        for each in found
    ]
