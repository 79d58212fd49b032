"""What the body of each kind of entry holds. `run` of the entry is `<dag id>/<run id>`.

`attempt` is 1 plus the number of times the run was cleared: an entry never changes, so a second
attempt writes entries of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import (
    Any,
    Literal,
    NotRequired,  # pydantic reads those of `typing` from Python 3.12 on
)

from typing_extensions import TypedDict

from day2.errors import StepFailed
from day2.ledger.operation_entries import OPERATION_KINDS, Artefact


class Trigger(TypedDict):
    """Who or what started the run."""

    type: str
    user: str | None
    reason: str | None
    ticket: str | None


class NotApplicable(TypedDict):
    """Why a planned target needs nothing, and until when that holds (an ISO date)."""

    reason: str
    expiry: str


class Target(TypedDict):
    """A planned target. An operation may add fields of its own."""

    name: str
    not_applicable: NotRequired[NotApplicable]


class Plan(TypedDict):
    """kind `plan`: what the run is going to do, to what, and why it may."""

    schema: int
    attempt: int
    operation: str
    environment: str
    dag_id: str
    run_id: str
    digest: str
    change: Literal["standard", "normal", "emergency"]
    dry_run: bool
    trigger: Trigger
    params: dict[str, Any]
    targets: list[Target]
    impact: dict[str, Any]
    policy_hash: str | None
    code_commit: str | None
    tz: str
    slot_expected: str | None
    window: NotRequired[dict[str, Any] | None]


class Error(TypedDict):
    """An error as day2.errors.Day2Error.as_dict gives it."""

    type: str
    happened: str
    target: str
    left: str
    next_step: str
    runbook: str


class Refusal(TypedDict):
    """kind `refusal`: a plan or a lock said no, and nothing was touched."""

    attempt: int
    step: str
    error: Error


class Approval(TypedDict):
    """kind `approval`: a decision, bound to a plan by its digest."""

    attempt: int
    plan_digest: str
    kind: Literal["standing", "person"]
    decision: Literal["approved", "rejected", "expired", "refused"]
    who: str
    when: str
    comment: str | None
    policy: Any


TakenOver = TypedDict("TakenOver", {"target": str, "from": str, "expired_at": str})


class Lock(TypedDict):
    """kind `lock`: leases were taken."""

    attempt: int
    targets: list[str]
    ttl_seconds: float
    taken_over: list[TakenOver]


class Unlock(TypedDict):
    """kind `unlock`: leases were given back."""

    attempt: int
    targets: list[str]


# `try` is a word of Python's own, so these two are written as calls.
Intent = TypedDict(
    "Intent",
    {"attempt": int, "step": str, "target": str, "try": int, "host": str, "pid": int, "started": str},
)
"""kind `intent`: a step is about to act on a target."""

Outcome = TypedDict(
    "Outcome",
    {
        "attempt": int,
        "step": str,
        "target": str,
        "try": int,
        "outcome": Literal["succeeded", "failed"],
        "started": str,
        "ended": str,
        "error": Error | None,
        "measures": dict[str, Any],
        "artefacts": list[Artefact],
        "left": str,
    },
)
"""kind `outcome`: how it went."""


class Check(TypedDict):
    """One expectation. `target` is a planned target, or `target/…` for a part of it (a table)."""

    id: str
    name: str
    target: str
    expected: Any
    observed: Any
    severity: str
    passed: bool
    error: str | None


class Checks(TypedDict):
    """kind `checks`: what a validation suite found."""

    attempt: int
    suite: str
    passed: bool
    checks: list[Check]


class ManualStep(TypedDict):
    """kind `manual_step`: a person was asked to do something in between; later, what became of it."""

    attempt: int
    name: str
    target: str
    asked_at: str
    answered_at: str | None
    who: str | None
    result: Literal["asked", "done", "failed", "timed_out"]


class SignOff(TypedDict):
    """kind `sign_off`: somebody who did not run it read the scorecard with this hash, and judged."""

    attempt: int
    who: str
    when: str
    decision: Literal["signed", "rejected", "expired", "refused"]
    comment: str | None
    scorecard_sha256: str


class CorrectiveAction(TypedDict):
    """kind `corrective_action`: a gap that somebody has to close by `due`, an ISO date.

    Written once a run that found the gap: with the same `id` and `due` again while it is open, and with
    `seen` one higher.
    """

    attempt: int
    id: str
    environment: str
    target: str
    gap: str
    text: str
    owner: str
    due: str
    severity: Literal["critical", "warning"]
    seen: int


class CorrectiveActionClosed(TypedDict):
    """kind `corrective_action_closed`: what was done about it, and who says so."""

    id: str
    who: str
    when: str
    note: str


class KeptEvidence(TypedDict):
    """kind `evidence`: what a run made of its entries and left in storage (a scorecard)."""

    attempt: int
    step: str
    artefacts: list[Artefact]


KINDS: dict[str, Any] = {
    **OPERATION_KINDS,
    "plan": Plan,
    "refusal": Refusal,
    "approval": Approval,
    "lock": Lock,
    "unlock": Unlock,
    "intent": Intent,
    "outcome": Outcome,
    "checks": Checks,
    "evidence": KeptEvidence,
    "manual_step": ManualStep,
    "sign_off": SignOff,
    "corrective_action": CorrectiveAction,
    "corrective_action_closed": CorrectiveActionClosed,
}


def check(kind: str, body: Mapping[str, Any]) -> None:
    """Refuse a body without what its kind needs, where it is written: a record built on it would fail later.

    Kinds unknown here pass. Raises StepFailed naming each field.
    """
    from pydantic import ValidationError

    if kind not in KINDS:
        return
    try:
        _adapter(kind).validate_python(body, strict=True)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
        raise StepFailed(
            f"an entry of kind `{kind}` is not as it must be: {'; '.join(problems)}",
            left="nothing was written to the ledger",
            next_step="see docs/record-format.md for what this kind holds",
        ) from None


@cache
def _adapter(kind: str) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(KINDS[kind])
