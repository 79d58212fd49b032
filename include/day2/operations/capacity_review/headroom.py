"""What must stay free, per tier, and what follows for one resource: act, plan, or enough. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from day2.operations.capacity_review.exhaustion import Exhaustion, Threshold, exhaustion, thresholds
from day2.operations.capacity_review.forecast import Forecast

Standing = Literal["full", "act", "plan", "enough", "unknown"]
# Worst first. What is unknown stands before what is well.
STANDINGS: tuple[Standing, ...] = ("full", "act", "plan", "unknown", "enough")
ALARMING = 0.9


@dataclass(frozen=True, kw_only=True)
class Headroom:
    """The share of the limit that stays free, and how long getting more takes."""

    share: float
    lead: timedelta


POLICIES: Mapping[str, Headroom] = {
    "production": Headroom(share=0.25, lead=timedelta(days=45)),
    "staging": Headroom(share=0.15, lead=timedelta(days=30)),
    "development": Headroom(share=0.1, lead=timedelta(days=14)),
}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How one resource stands. `act_by` is the last day on which more can be had in time.

    `needed` is the limit that would keep the headroom over the whole forecast, where the present one does not.
    """

    standing: Standing
    why: str
    full: Exhaustion
    headroom_gone: Exhaustion
    static: tuple[Threshold, ...]
    act_by: date | None
    needed: float | None


def judge(forecast: Forecast, *, current: float | None, limit: float, policy: Headroom) -> Judgement:
    """Weigh the early date against the lead time, as of the forecast's first day.

    A static threshold is heeded whatever the forecast says.
    """
    full = exhaustion(forecast, current=current, limit=limit)
    kept = exhaustion(forecast, current=current, limit=(1 - policy.share) * limit)
    static = tuple(thresholds(forecast, current=current, limit=limit))
    act_by = full.early - policy.lead if full.early else None
    standing, why = _stand(full, kept, static, act_by is not None and act_by <= forecast.start)
    needed = None
    if forecast.kind == "trend" and forecast.peak[-1] > kept.limit:
        needed = forecast.peak[-1] / (1 - policy.share)
    return Judgement(
        standing=standing, why=why, full=full, headroom_gone=kept, static=static, act_by=act_by, needed=needed
    )


def _stand(
    full: Exhaustion, kept: Exhaustion, static: tuple[Threshold, ...], late_for_more: bool
) -> tuple[Standing, str]:
    if full.kind == "met_now":
        return "full", "the limit is met"
    alarming = [each for each in static if each.is_met and each.share >= ALARMING]
    if alarming:
        return "act", f"over {100 * alarming[-1].share:.0f} % of the limit"
    if late_for_more:
        return "act", f"may be full on {full.early}, sooner than more can be had"
    if kept.kind == "met_now":
        return "plan", f"the headroom is used; full: {full.text}"
    if full.kind == "unknown":
        return "unknown", full.text
    if full.expected:
        return "plan", f"full: {full.text}"
    if kept.expected:
        return "plan", f"the headroom will be used: {kept.text}"
    if full.early:
        return "plan", f"full: {full.text}"
    return "enough", f"full: {full.text}" if full.kind == "not_before" else full.text
