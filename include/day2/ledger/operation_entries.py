"""What the body of an entry holds that only one operation writes, or that a person reads beside a run's record."""

from __future__ import annotations

from typing import (
    Any,
    Literal,
    NotRequired,  # pydantic reads those of `typing` from Python 3.12 on
)

from typing_extensions import TypedDict


class Artefact(TypedDict):
    """Something larger that the run left in storage, named by its hash."""

    uri: str
    sha256: str
    size: int
    retain_until: str | None
    upto: NotRequired[int]  # the last ledger entry it was made from


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


class SeenValue(TypedDict):
    """A value and when it was seen."""

    at: str
    value: float


class Alert(TypedDict):
    """kind `alert`: one metric of one target changed its level. `silenced` says why nobody is told."""

    attempt: int
    id: str
    environment: str
    target: str
    metric: str
    part: str
    severity: Literal["critical", "warning", "info"]
    before: Literal["ok", "warning", "critical", "absent"]
    after: Literal["ok", "warning", "critical", "absent"]
    at: str
    seen: SeenValue | None
    last_good: SeenValue | None
    warning: float | None
    critical: float | None
    above: bool
    owner: str
    link: str
    note: str
    silenced: str


class NoticeTry(TypedDict):
    """One notifier, and what came of it. `receipt` is the receiver's own answer."""

    notifier: str
    tries: int
    taken: bool
    receipt: str
    error: str


class AlertNotice(TypedDict):
    """kind `alert_notice`: a message was given to somebody, or nobody took it. A test tells of no alert.

    `taken`: on one route at least, so it is not told again; `everywhere`: on every one.
    """

    attempt: int
    environment: str
    title: str
    severity: Literal["critical", "warning", "info"]
    alerts: list[str]
    taken: bool
    everywhere: bool
    test: bool
    tries: list[NoticeTry]


class AlertConfirmed(TypedDict):
    """kind `alert_confirmed`: a person typed what arrived of a test, by notifier: whether it was right."""

    attempt: int
    who: str
    arrived: dict[str, bool]


class ScalingAsked(TypedDict):
    """kind `scaling_asked`: the use of a resource is beyond a threshold, and scale_resource was asked to look at it."""

    attempt: int
    environment: str
    resource: str
    direction: Literal["more", "less"]
    used: float


class MetricUpkeep(TypedDict):
    """kind `metric_upkeep`: samples were rolled up, and months of raw ones dropped, as the policy says."""

    attempt: int
    environment: str
    rolled_up: int
    dropped: list[str]


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


OPERATION_KINDS: dict[str, Any] = {
    "capacity_forecast": CapacityForecast,
    "capacity_withdrawn": CapacityWithdrawn,
    "capacity_fate": CapacityFate,
    "patch_scan": PatchScan,
    "patch_standing": PatchStanding,
    "tuning_look": TuningLook,
    "tuning_note": TuningNote,
    "tuning_put_off": TuningPutOff,
    "tuning_end": TuningEnd,
    "tuning_gain": TuningGain,
    "alert": Alert,
    "alert_notice": AlertNotice,
    "alert_confirmed": AlertConfirmed,
    "scaling_asked": ScalingAsked,
    "metric_upkeep": MetricUpkeep,
}
