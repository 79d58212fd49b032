"""What people answer in a drill, and what becomes of it: written down, checked, and named when nobody answers."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2.airflow import alert_drill, connections, people, run, steps
from day2.inventory.drill import ManualStep
from day2.ledger import entries
from day2.operations.health_check import arrival

STEP = ManualStep(name="call-the-bank", after="promote", instructions="Call them, wait for their yes.", timeout="PT5M")
PLANNED = {"environment": "production", "mode": "drill", "act_steps": ["fence", "promote"]}
CARD = {"sha256": "ab" * 32, "briefing": ["RTO met"]}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What would be appended to the ledger, each checked as the ledger checks it."""
    found: list[tuple[str, dict[str, Any]]] = []

    class Listening:
        def append(self, kind: str, *, run: str, body: dict[str, Any]) -> None:
            entries.check(kind, body)
            found.append((kind, body))

    @contextmanager
    def ledger(_environment: Any) -> Any:
        yield Listening()

    monkeypatch.setattr(connections, "ledger", ledger)
    monkeypatch.setattr(steps, "environment", lambda name: name)
    monkeypatch.setattr(run, "current", lambda: SimpleNamespace(key="dr_drill.production/1", attempt=1))
    return found


def answered(option: str, who: str = "approver", **form: Any) -> dict[str, Any]:
    user = {"id": who, "name": who}
    return {
        "chosen_options": [option],
        "params_input": form,
        "responded_by_user": user,
        "responded_at": datetime.now(UTC),
    }


def manual() -> people.Manual:
    return people.Manual(step=STEP, planned=PLANNED)


def sign_off() -> people.SignOff:
    return people.SignOff(planned=PLANNED, scorecard=CARD, response_timeout=timedelta(days=3))


CONTEXT = {"dag_run": SimpleNamespace(triggering_user_name="operator")}


def test_a_manual_step_is_named_after_what_it_is(written: list[Any]) -> None:
    assert manual().task_id == "manual_call_the_bank"
    assert manual().response_timeout == timedelta(minutes=5)


def test_who_did_a_manual_step_is_written_down(written: list[Any]) -> None:
    manual().execute_complete({}, answered(people.DONE))
    ((kind, body),) = written
    assert (kind, body["name"], body["who"], body["result"]) == ("manual_step", "call-the-bank", "approver", "done")


def test_a_manual_step_that_did_not_work_fails(written: list[Any]) -> None:
    with pytest.raises(AirflowFailException, match="approver says that the manual step `call-the-bank` did not work"):
        manual().execute_complete({}, answered(people.FAILED))
    assert written[0][1]["result"] == "failed"


def test_a_manual_step_nobody_did_is_named(written: list[Any]) -> None:
    with pytest.raises(AirflowFailException, match="nobody did the manual step `call-the-bank` within 0:05:00"):
        manual().execute_complete({}, {"error_type": "timeout", "error": "late"})
    assert written[0][1]["result"] == "timed_out"


def test_a_failback_asks_for_no_manual_step(written: list[Any]) -> None:
    step = people.Manual(step=STEP, planned=PLANNED | {"mode": "failback", "act_steps": ["rejoin"]})
    assert step.execute({}) is None
    assert written == []


def test_a_signature_names_the_page_it_is_for(written: list[Any]) -> None:
    sign_off().execute_complete(CONTEXT, answered(people.SIGN, comment="fine"))
    ((kind, body),) = written
    assert (kind, body["who"], body["decision"], body["comment"]) == ("sign_off", "approver", "signed", "fine")
    assert body["scorecard_sha256"] == CARD["sha256"]


def test_who_ran_a_drill_may_not_sign_it(written: list[Any]) -> None:
    with pytest.raises(AirflowFailException, match="operator triggered this run and may not sign it"):
        sign_off().execute_complete(CONTEXT, answered(people.SIGN, who="operator", comment=""))
    assert written[0][1]["decision"] == "refused"


def test_a_refusal_to_sign_fails_the_run_with_its_comment(written: list[Any]) -> None:
    with pytest.raises(AirflowFailException, match="did not sign the scorecard: the loss is not explained"):
        sign_off().execute_complete(CONTEXT, answered(people.REFUSE, comment="the loss is not explained"))
    assert written[0][1]["decision"] == "rejected"


def test_a_scorecard_nobody_signed_is_a_failure(written: list[Any]) -> None:
    with pytest.raises(AirflowFailException, match="nobody signed the scorecard within 3 days"):
        sign_off().execute_complete(CONTEXT, {"error_type": "timeout", "error": "late"})
    assert written[0][1]["decision"] == "expired"


def test_what_is_signed_is_called_what_it_is(written: list[Any]) -> None:
    step = people.SignOff(planned=PLANNED, scorecard=CARD, response_timeout=timedelta(days=14), page="report")
    assert step.subject.endswith("sign the report?")
    with pytest.raises(AirflowFailException, match="operator triggered this run and may not sign it"):
        step.execute_complete(CONTEXT, answered(people.SIGN, who="operator"))
    with pytest.raises(AirflowFailException, match="nobody signed the report within 14 days"):
        step.execute_complete(CONTEXT, {"error_type": "timeout", "error": "late"})


def test_a_run_without_a_scorecard_asks_nobody(written: list[Any]) -> None:
    step = people.SignOff(planned=PLANNED, scorecard=None, response_timeout=timedelta(days=3))
    with pytest.raises(AirflowSkipException, match="stopped before it touched anything"):
        step.execute(CONTEXT)


def test_manual_steps_stand_where_the_policy_puts_them() -> None:
    from airflow.sdk import DAG

    import dags.dr_drill as file
    from day2 import inventory

    environment = next(each for each in inventory.environments() if each.policies.dr_drill)
    policy = environment.policies.dr_drill.model_copy(update={"manual_steps": (STEP,)})
    with DAG("dr_drill.test", schedule=None) as dag:
        file.dr_drill(environment, policy)
    step = dag.get_task("manual_call_the_bank")
    assert step.upstream_task_ids >= {"promote"}
    assert step.downstream_task_ids >= {"route"}


DRILL = {"environment": "production", "targets": [{"name": "pager"}, {"name": "chat"}]}
SENT = {"pager": arrival.fingerprint("abcd1234"), "chat": arrival.fingerprint("ef567890")}


def confirm(asked: dict[str, str] | None = None) -> alert_drill.Confirm:
    asked = SENT if asked is None else asked
    return alert_drill.Confirm(
        planned=DRILL, asked=asked, notifiers=("pager", "chat"), response_timeout=timedelta(hours=8)
    )


def typed(**words: str) -> dict[str, Any]:
    return answered(alert_drill.TYPED, **words)


def test_whoever_got_the_test_types_its_word(written: list[Any]) -> None:
    confirm().execute_complete({}, typed(pager="abcd1234", chat=" EF567890 "))
    ((kind, body),) = written
    assert (kind, body["who"], body["arrived"]) == ("alert_confirmed", "approver", {"pager": True, "chat": True})


def test_a_wrong_word_and_none_are_written_down_as_such(written: list[Any]) -> None:
    confirm().execute_complete({}, typed(pager="ef567890", chat=""))
    assert written[0][1]["arrived"] == {"pager": False, "chat": False}, "the word of another is no proof"


def test_a_test_nobody_confirmed_is_a_failure(written: list[Any]) -> None:
    with pytest.raises(AirflowFailException, match="nobody typed what arrived within 8:00:00"):
        confirm().execute_complete({}, {"error_type": "timeout", "error": "late"})
    assert written == []


def test_nobody_is_asked_where_every_receiver_could_be(written: list[Any]) -> None:
    with pytest.raises(AirflowSkipException, match="every receiver could be asked itself"):
        confirm(asked={}).execute({})


def test_a_confirmation_asks_for_a_word_of_each_and_shows_none(written: list[Any]) -> None:
    step = confirm()
    assert set(step.params) == {"pager", "chat"}
    assert not [each for each in SENT.values() if each in f"{step.subject}{step.body}{step.params.dump()}"]


@pytest.mark.parametrize(
    ("sent", "confirmed", "wrong"),
    [
        ({"word": "x"}, True, ""),
        ({"word": "x"}, False, "another word was typed"),
        ({"word": "x"}, None, "nobody typed its word"),
        ({"word": "x", "wrong": ""}, None, ""),
        ({"word": "x", "wrong": "it was not taken: down"}, True, "it was not taken: down"),
        ({}, True, "it was not sent"),
    ],
)
def test_what_was_not_seen_to_arrive_is_wrong(sent: dict[str, Any], confirmed: bool | None, wrong: str) -> None:
    assert alert_drill._wrong(sent, confirmed) == wrong
