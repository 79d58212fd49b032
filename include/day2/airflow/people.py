"""What only a person can do: a manual step of a drill, a sign-off; and the time in which nobody does anything."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, Param, TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from day2.control import approval
from day2.inventory.drill import ManualStep

DONE, FAILED = "Done", "It did not work"
SIGN, REFUSE = "Sign", "Refuse"


class Manual(HITLOperator):
    """A step a person does. It is written down when they were asked, and when they answered: the RTO counts it."""

    template_fields: Sequence[str] = ("subject", "body", "planned")

    def __init__(self, *, step: ManualStep, planned: Any, **kwargs: Any) -> None:
        super().__init__(
            task_id=f"manual_{step.name}".replace("-", "_"),
            subject=f"{{{{ dag.dag_id }}}}: {step.name}",
            body=step.instructions,
            options=[DONE, FAILED],
            response_timeout=step.timeout,
            **kwargs,
        )
        self.step = step
        self.planned = planned

    def execute(self, context: Any) -> Any:
        if "fence" not in self.planned["act_steps"]:
            self.log.info("not part of mode %s", self.planned["mode"])
            return None
        self._write(asked_at=_now(), answered_at=None, who="", result="asked")
        self.log.warning("waiting for a person: %s; the clock of the RTO is running", self.step.instructions)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        if event.get("error_type") == "timeout":
            self._write(asked_at="", answered_at=_now(), who="", result="timed_out")
            raise AirflowFailException(f"nobody did the manual step `{self.step.name}` within {self.response_timeout}")
        who = answered_by(event)
        result = "done" if event.get("chosen_options") == [DONE] else "failed"
        self._write(asked_at="", answered_at=_now(), who=who, result=result)
        if result == "failed":
            raise AirflowFailException(f"{who} says that the manual step `{self.step.name}` did not work")
        self.log.info("%s did it", who)
        super().execute_complete(context, event)

    def _write(self, **told: Any) -> None:
        known = {"name": self.step.name, "target": "", "after": self.step.after}
        append(self.planned, "manual_step", known | told)


class SignOff(HITLOperator):
    """A person who did not start the run reads what it made (`page` is its name) and signs it, or refuses to."""

    template_fields: Sequence[str] = ("subject", "body", "planned", "scorecard")

    def __init__(
        self, *, planned: Any, scorecard: Any, response_timeout: timedelta, page: str = "scorecard", **kwargs: Any
    ) -> None:
        kwargs.pop("params", None)  # the DAG's own form
        super().__init__(
            task_id="sign_off",
            subject=f"{{{{ dag.dag_id }}}}: sign the {page}?",
            body=f"(made from the {page})",
            options=[SIGN, REFUSE],
            params={"comment": Param("", type="string", title="Comment")},
            response_timeout=response_timeout,
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
            **kwargs,
        )
        self.planned = planned
        self.scorecard = scorecard
        self.page = page

    def execute(self, context: Any) -> Any:
        if not self.scorecard:
            raise AirflowSkipException(f"there is no {self.page}: this run stopped before it touched anything")
        self.subject = f"{context['dag'].dag_id}: sign the {self.page} {self.scorecard['sha256'][:12]}?"
        self.body = "\n\n".join(self.scorecard["briefing"])
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        if event.get("error_type") == "timeout":
            self._write("", "expired", "")
            raise AirflowFailException(f"nobody signed the {self.page} within {self.response_timeout}")
        who, comment = answered_by(event), str((event.get("params_input") or {}).get("comment") or "")
        if why_not := approval.separate(context["dag_run"].triggering_user_name or "", who):
            self._write(who, "refused", why_not)
            raise AirflowFailException(f"{why_not.replace('approve', 'sign')}: clear this task and ask somebody else")
        decision = "signed" if event.get("chosen_options") == [SIGN] else "rejected"
        self._write(who, decision, comment)
        if decision == "rejected":
            raise AirflowFailException(f"{who} did not sign the {self.page}: {comment or 'no comment'}")
        self.log.info("%s signed the %s %s", who, self.page, self.scorecard["sha256"])
        super().execute_complete(context, event)

    def _write(self, who: str, decision: str, comment: str) -> None:
        told = {"who": who, "when": _now(), "decision": decision, "comment": comment}
        append(self.planned, "sign_off", told | {"scorecard_sha256": self.scorecard["sha256"]})


class Hold(BaseOperator):
    """The recovery region serves for a while before the failback. No worker waits with it."""

    template_fields: Sequence[str] = ("planned",)

    def __init__(self, *, planned: Any, time: timedelta, **kwargs: Any) -> None:
        # Airflow 3.3.2 fails a task that resumes before the scheduler has heard that its first half ended.
        super().__init__(task_id="hold", retries=3, retry_delay=timedelta(seconds=5), **kwargs)
        self.planned = planned
        self.time = time

    def execute(self, context: Any) -> None:
        if self.planned["mode"] != "drill" or not self.time:
            self.log.info("nothing to wait for in mode %s", self.planned["mode"])
            return
        self.log.info("the recovery region serves for %s before the failback", self.time)
        self.defer(trigger=TimeDeltaTrigger(self.time), method_name="resume")

    def resume(self, context: Any, event: Any) -> None:
        """The time is over."""
        self.log.info("held for %s", self.time)


def append(planned: dict[str, Any], kind: str, body: dict[str, Any]) -> None:
    """Write down what a person did."""
    from day2.airflow import connections, run, steps

    now = run.current()
    with connections.ledger(steps.environment(planned["environment"])) as ledger:
        ledger.append(kind, run=now.key, body=body | {"attempt": now.attempt})


def answered_by(event: dict[str, Any]) -> str:
    """Who answered, as Airflow knows them."""
    responder = event.get("responded_by_user") or {}
    return str(responder.get("name") or responder.get("id") or "")


def _now() -> str:
    return datetime.now(UTC).isoformat()
