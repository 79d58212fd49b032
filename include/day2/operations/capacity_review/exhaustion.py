"""When a forecast reaches a limit: the middle of what is expected, and how early and late it may be. Pure.

The first day counts on which the highest value so far is at the limit: a disk is full once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from day2.operations.capacity_review.forecast import Forecast

# Said beside every forecast, because steps and purges are not to be seen in what a size was until now.
STATIC_SHARES = (0.8, 0.9)


@dataclass(frozen=True)
class Threshold:
    """A fixed share of the limit: whether it is met now, and from when it is expected to be."""

    share: float
    is_met: bool
    expected: date | None


@dataclass(frozen=True, kw_only=True)
class Exhaustion:
    """From when on a limit is reached. `early` comes true in one of ten cases, `late` in nine (for 80 %).

    A date is none when it lies beyond `horizon`, which is never further away than the history is long.
    """

    kind: Literal["met_now", "expected", "possible", "not_before", "no_trend", "unknown"]
    limit: float
    text: str
    horizon: date
    early: date | None = None
    expected: date | None = None
    late: date | None = None


def exhaustion(forecast: Forecast, *, current: float | None, limit: float) -> Exhaustion:
    """When the limit is reached. Met exactly is met."""
    horizon, start = forecast.horizon, forecast.start
    if current is not None and current >= limit:
        text = "met now"
        return Exhaustion(
            kind="met_now", limit=limit, text=text, horizon=horizon, early=start, expected=start, late=start
        )
    if forecast.kind == "refused":
        return Exhaustion(kind="unknown", limit=limit, text=forecast.why, horizon=horizon)
    early, late = reached(forecast, "peak_high", limit), reached(forecast, "peak_low", limit)
    expected = reached(forecast, "peak", limit) if forecast.kind == "trend" else None
    if expected:
        until = f"by {late}" if late else f"or after {horizon}"
        text = f"expected on {expected}, as early as {early}, {until}"
        return Exhaustion(
            kind="expected", limit=limit, text=text, horizon=horizon, early=early, expected=expected, late=late
        )
    if early:
        chance = f"{100 * (1 - forecast.coverage) / 2:.0f} % chance"
        text = f"possible from {early} on ({chance}), not expected before {horizon}"
        return Exhaustion(kind="possible", limit=limit, text=text, horizon=horizon, early=early)
    if forecast.kind == "no_trend":
        return Exhaustion(kind="no_trend", limit=limit, text="no trend that can be told from noise", horizon=horizon)
    return Exhaustion(kind="not_before", limit=limit, text=f"not before {horizon}", horizon=horizon)


def thresholds(
    forecast: Forecast, *, current: float | None, limit: float, shares: Sequence[float] = STATIC_SHARES
) -> list[Threshold]:
    """The static thresholds, which need no forecast to be met."""
    found = []
    for share in shares:
        met = current is not None and current >= share * limit
        when = None if met or forecast.kind != "trend" else reached(forecast, "peak", share * limit)
        found.append(Threshold(share, met, when))
    return found


def reached(forecast: Forecast, path: Literal["peak_low", "peak", "peak_high"], limit: float) -> date | None:
    """The first day on which a path of the forecast is at the limit."""
    values = getattr(forecast, path)
    first = next((day for day, value in enumerate(values) if value >= limit), None)
    return None if first is None else forecast.start + timedelta(days=first)
