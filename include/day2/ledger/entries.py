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


class Artefact(TypedDict):
    """Something larger that the run left in storage, named by its hash."""

    uri: str
    sha256: str
    size: int
    retain_until: str | None
    upto: NotRequired[int]  # the last ledger entry it was made from


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


class Sighting(TypedDict):
    """An installed version that was seen to have a replacement, and when first. `key` is `name:arch`."""

    key: str
    installed: str
    security: bool
    first_seen: str


class PatchScan(TypedDict):
    """kind `patch_scan`: what hosts wait for was looked at. `sightings` are the new ones only."""

    attempt: int
    environment: str
    at: str
    hosts: int
    unreachable: dict[str, str]
    sightings: list[Sighting]
    artefacts: list[Artefact]


class PatchStanding(TypedDict):
    """kind `patch_standing`: how many hosts of an environment stand how against the SLA: a point of its trend."""

    attempt: int
    environment: str
    summary: dict[str, Any]


class TuningLook(TypedDict):
    """kind `tuning_look`: what was found in a database, and what changes made by hand are told from later."""

    attempt: int
    environment: str
    advice: dict[str, Any]
    seen: dict[str, Any]


class TuningNote(TypedDict):
    """kind `tuning_note`: a step of a change, before it is made. A change whose last one is no end is unfinished."""

    attempt: int
    environment: str
    database: str
    key: str
    recommendation: dict[str, Any]
    phase: Literal["apply", "applied", "revert", "reverted", "keep", "kept"]
    facts: dict[str, Any]


class TuningEnd(TypedDict):
    """kind `tuning_end`: from here on no task of this attempt begins another step of a change."""

    attempt: int
    environment: str


class TuningPutOff(TypedDict):
    """kind `tuning_put_off`: a change that was due, and was left for another run."""

    attempt: int
    environment: str
    database: str
    key: str
    recommendation: dict[str, Any]
    why: str


class TuningGain(TypedDict):
    """kind `tuning_gain`: what the changes that a run kept save: points of the year's cumulative effect."""

    attempt: int
    environment: str
    kept: list[dict[str, Any]]


class CapacityForecast(TypedDict):
    """kind `capacity_forecast`: a review's stored document, its requests, and what became of earlier ones."""

    attempt: int
    environment: str
    at: str
    targets: list[str]
    forecasts: Artefact
    summary: dict[str, int]
    requests: list[dict[str, Any]]
    earlier: list[dict[str, Any]]
    back_test: dict[str, Any]


class CapacityWithdrawn(TypedDict):
    """kind `capacity_withdrawn`: this attempt's review does not count: the next one passes over it."""

    attempt: int
    environment: str
    why: str


class CapacityFate(TypedDict):
    """kind `capacity_fate`: what became of a request, and who says so."""

    environment: str
    target: str
    resource: str
    fate: Literal["done", "rejected"]
    who: str
    when: str
    note: str


KINDS: dict[str, Any] = {
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
    "patch_scan": PatchScan,
    "patch_standing": PatchStanding,
    "tuning_look": TuningLook,
    "tuning_note": TuningNote,
    "tuning_put_off": TuningPutOff,
    "tuning_end": TuningEnd,
    "tuning_gain": TuningGain,
    "capacity_forecast": CapacityForecast,
    "capacity_withdrawn": CapacityWithdrawn,
    "capacity_fate": CapacityFate,
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
