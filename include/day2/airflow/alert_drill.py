"""The tasks of the weekly drill of the way that alerts go: send a test, and see it arrive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, TriggerRule, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2 import inventory
from day2.airflow import connections, findings, health_check, notifiers, people, run, steps, telling
from day2.errors import Day2Error
from day2.inventory import AlertDrill, Environment
from day2.inventory.health import Receipt

log = logging.getLogger("day2")
OPERATION = "alert_drill"
ACT_STEPS = ("send",)
TYPED = "This is what arrived"


def rules(here: Environment) -> AlertDrill:
    """The policy of the drill, which there is: without one there is no DAG."""
    found = health_check.policy(here).alert_drill
    assert found is not None  # noqa: S101 - see above
    return found


def tested(here: Environment) -> list[str]:
    """Every notifier of every route."""
    return list(dict.fromkeys(name for each in health_check.policy(here).routes for name in each.notifiers))


def by_hand(here: Environment) -> list[str]:
    """Notifiers whose receiver cannot be asked: a person types what arrived."""
    known = {each.notifier for each in rules(here).receipts}
    return [each for each in tested(here) if each not in known]


@task(show_return_value_in_logs=False)
@telling.explained
def plan(environment_name: str) -> dict[str, Any]:
    """Which notifiers get a test."""
    from day2.operations.health_check import planning

    here, now = steps.environment(environment_name), run.current()
    with connections.ledger(here) as ledger:
        try:
            planned = planning.drill(
                here,
                tuple(now.params["targets"]),
                trigger=now.trigger,
                dry_run=bool(now.params["dry_run"]),
                policy_hash=inventory.policy_hash(here),
            )
        except Day2Error as error:
            steps.refuse(ledger, "plan", error)
            raise
        names = [each["name"] for each in planned["targets"]]
        planned |= {"briefing": [f"Send a test to {', '.join(names)}, and see it arrive; nothing is changed."]}
        steps.write_plan(ledger, planned)
    return planned


@task(show_return_value_in_logs=False)
@telling.explained
def send(planned: dict[str, Any]) -> dict[str, str]:
    """Send each its own word, and ask the receivers that can be asked whether it is there.

    Returns the fingerprints of the words that only a person can have seen.
    """
    from day2.operations.health_check import arrival, outbox

    if planned["dry_run"]:
        raise AirflowSkipException("dry run: nothing is sent")
    here, now = steps.environment(planned["environment"]), run.current()
    receipts = {each.notifier: each for each in rules(here).receipts}
    asked = {}
    with connections.ledger(here) as ledger:
        for name in (each["name"] for each in planned["targets"]):
            word = arrival.token()
            message = arrival.message(here.name, name, word)
            with health_check.acting(ledger, name, "send") as outcome:
                ask = _receipt(receipts[name], word) if name in receipts else None
                repeats = arrival.repeats(ask, word) if ask else ""
                tries = health_check.deliver(message, (name,), attempts=1)
                outbox.noticed(ledger, message, [tries], run=now.key, attempt=now.attempt, test=True)
                outcome.measures |= {"sent": tries[-1].as_dict(), "word": arrival.fingerprint(word)}
                if not tries[-1].taken:
                    outcome.measures["wrong"] = f"it was not taken: {tries[-1].error}"
                elif ask:
                    seconds = rules(here).wait.total_seconds()
                    outcome.measures["wrong"] = repeats or arrival.seen(ask, word, seconds=seconds)
                else:
                    asked[name] = arrival.fingerprint(word)
                if tries[-1].taken and notifiers.keeps_incidents(name):
                    health_check.deliver(replace(message, ended=True), (name,), attempts=1)
                wrong = outcome.measures.get("wrong", "a person is asked")
                log.info("%s: %s", name, wrong or "sent, and seen to arrive")
    return asked


def _receipt(receipt: Receipt, word: str) -> Callable[[], str]:
    """Asks the receiver's own interface for a word. Raises Day2Error when it is asked, not before."""
    path = receipt.path.replace("{token}", word)
    return lambda: notifiers.http(receipt.connection).ask("GET", path)


class Confirm(HITLOperator):
    """Whoever got the test types its word: only who has seen it knows it."""

    template_fields: Sequence[str] = ("subject", "body", "planned", "asked")

    def __init__(
        self, *, planned: Any, asked: Any, notifiers: Sequence[str], response_timeout: timedelta, **kwargs: Any
    ) -> None:
        kwargs.pop("params", None)  # the DAG's own form
        super().__init__(
            task_id="confirm",
            subject="{{ dag.dag_id }}: which word arrived?",
            body="Each of these got a test with a word of its own. Type what you see there.",
            options=[TYPED],
            params={each: Param("", type="string", title=each) for each in notifiers},
            response_timeout=response_timeout,
            **kwargs,
        )
        self.planned = planned
        self.asked = asked

    def execute(self, context: Any) -> Any:
        if not self.asked:
            raise AirflowSkipException("every receiver could be asked itself")
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from day2.operations.health_check import arrival

        if event.get("error_type") == "timeout":
            raise AirflowFailException(f"nobody typed what arrived within {self.response_timeout}")
        typed = {name: str(word) for name, word in (event.get("params_input") or {}).items()}
        right = {name: arrival.fingerprint(typed.get(name, "")) == word for name, word in self.asked.items()}
        people.append(self.planned, arrival.CONFIRMED, {"who": people.answered_by(event), "arrived": right})
        for name, is_right in right.items():
            log.info("%s: %s", name, "the word is right" if is_right else "that word was not sent")
        return right


@task(trigger_rule=TriggerRule.ALL_DONE)
@telling.explained
def validate(planned: dict[str, Any] | None) -> None:
    """Each test must have been seen to arrive: by the receiver's own word, or a person's."""
    from day2.ledger import evidence
    from day2.operations.health_check import arrival, checks

    if planned is None:
        raise AirflowSkipException("there is no plan: nothing was sent")
    now = run.current()
    with connections.ledger(steps.environment(planned["environment"])) as ledger:
        entries = list(ledger.entries(run=now.key))
        sent = evidence.gather(entries).measures
        if not sent:
            raise AirflowSkipException("nothing was sent")
        confirmed: dict[str, bool] = {}
        for entry in entries:
            if entry.kind == arrival.CONFIRMED and entry.body["attempt"] == now.attempt:
                confirmed |= entry.body["arrived"]
        arrived = {
            name: _wrong(sent.get(name, {}).get("send", {}), confirmed.get(name))
            for name in (each["name"] for each in planned["targets"])
        }
        result = checks.of_drill(arrived)
        findings.judge(ledger, [result])
    if not result.passed:
        raise AirflowFailException("an alert would not have arrived; the failed checks are above")


def _wrong(sent: dict[str, Any], confirmed: bool | None) -> str:
    """What is wrong with one; empty where it was seen."""
    if not sent:
        return "it was not sent"
    if "wrong" in sent:
        return str(sent["wrong"])
    return "" if confirmed else ("nobody typed its word" if confirmed is None else "another word was typed")
