"""The approval step: the same name and place in every operation.

A standard change is approved ahead by policy, and that is written down; so is an emergency, where the
policy has break-glass, and it is reviewed afterwards. A normal change waits for a person, who may not be
the one who asked. A dry run ends here, before anything is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException

from day2.control import approval
from day2.control.approval import Approval


class Approve(ApprovalOperator):
    """Takes the plan; gives the approval as data, which every acting step checks again."""

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "planned")

    def __init__(self, *, planned: Any, response_timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(
            task_id="approve",
            subject="{{ dag.dag_id }}: approve this plan?",
            body="(made from the plan)",
            response_timeout=response_timeout,
            ignore_downstream_trigger_rules=True,
            **kwargs,
        )
        self.planned = planned

    def execute(self, context: Any) -> Any:
        from day2.airflow import telling

        planned = self.planned
        if planned["dry_run"]:
            self.log.info("dry run: the plan is recorded and nothing is touched")
            self.skip(
                ti=context["ti"],
                tasks=[task for task in self.get_flat_relatives(upstream=False) if not task.is_teardown],
            )
            return None
        if planned["change"] in ("standard", "emergency"):
            given = Approval(
                plan_digest=planned["digest"],
                kind="standing",
                decision="approved",
                who=f"policy {planned['operation']} of {planned['environment']}",
                when=_now(),
                comment="break-glass: reviewed at the sign-off" if planned["change"] == "emergency" else "",
                policy=planned["policy_hash"],
            )
            self.log.info("%s change: approved ahead by %s", planned["change"], given.who)
            return self._write(given)
        self.subject = f"{context['dag'].dag_id}: approve plan {planned['digest'][:12]}?"
        self.body = "\n\n".join(planned["briefing"])
        telling.say("What the approver sees", planned["briefing"])
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        planned = self.planned
        if event.get("error_type") == "timeout":
            self._write(self._decision("expired", "", ""))
            raise AirflowFailException(f"nobody answered within {self.response_timeout}: the plan is refused")
        responder = event.get("responded_by_user") or {}
        who = str(responder.get("name") or responder.get("id") or "")
        requester = context["dag_run"].triggering_user_name or ""
        if event.get("chosen_options") == [self.APPROVE]:
            if why_not := approval.separate(requester, who):
                self._write(self._decision("refused", who, why_not))
                raise AirflowFailException(f"{why_not}: clear this task and ask somebody else")
            given = self._write(self._decision("approved", who, ""))
            super().execute_complete(context, event)
            return given
        self._write(self._decision("rejected", who, ""))
        self.log.info("%s rejected plan %s: nothing is touched", who, planned["digest"][:12])
        return super().execute_complete(context, event)

    def _decision(self, decision: str, who: str, comment: str) -> Approval:
        return Approval(
            plan_digest=self.planned["digest"], kind="person", decision=decision, who=who, when=_now(), comment=comment
        )

    def _write(self, given: Approval) -> dict[str, str]:
        from day2.airflow import connections, run, steps

        now = run.current()
        with connections.ledger(steps.environment(self.planned["environment"])) as ledger:
            ledger.append("approval", run=now.key, body=given.as_dict() | {"attempt": now.attempt})
        return given.as_dict()


def _now() -> str:
    return datetime.now(UTC).isoformat()
