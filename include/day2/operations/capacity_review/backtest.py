"""The last review's forecast against what happened, in words that can be published. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Literal

from day2.operations.capacity_review.forecast import Forecast
from day2.operations.capacity_review.methods import WEEK
from day2.operations.capacity_review.series import Daily


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One forecast and what came: errors are absolute, a day on average; `covered` of `days` lay in the interval.

    `bias` is what happened less what was said: above zero, more was used than expected.
    """

    name: str
    days: int
    error: float
    baseline_error: float
    bias: float
    covered: int
    nominal: float

    @property
    def coverage(self) -> float:
        return self.covered / self.days

    @property
    def ratio(self) -> float:
        """The error as a share of the baseline's; equal when neither was wrong."""
        if self.baseline_error == 0:
            return 1.0 if self.error == 0 else float("inf")
        return self.error / self.baseline_error

    @property
    def beats_baseline(self) -> bool:
        return self.ratio < 1


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is said of the last review's forecasts, whichever way it turned out."""

    kind: Literal["none", "better", "worse"]
    sentence: str
    made_on: date | None = None
    compared: int = 0
    better: int = 0
    ratio: float = 1.0
    coverage: float = 0.0
    nominal: float = 0.0


def compare(last_forecast: Forecast, what_happened: Daily) -> Comparison | None:
    """How far off it was, on the days there are values for; none when there was no forecast or is no day."""
    import numpy as np

    said = last_forecast
    offset = (said.start - what_happened.start).days
    days = np.arange(len(said.median))
    inside = (days + offset >= 0) & (days + offset < len(what_happened.values))
    seen = np.full(len(days), np.nan)
    seen[inside] = what_happened.values[days[inside] + offset]
    known = np.flatnonzero(np.isfinite(seen))
    if not len(known):
        return None
    seen, expected = seen[known], np.array(said.median)[known]
    baseline = np.array(said.baseline)[known % WEEK]
    covered = (np.array(said.low)[known] <= seen) & (seen <= np.array(said.high)[known])
    return Comparison(
        name=said.name,
        days=len(known),
        error=float(np.abs(seen - expected).mean()),
        baseline_error=float(np.abs(seen - baseline).mean()),
        bias=float((seen - expected).mean()),
        covered=int(covered.sum()),
        nominal=said.coverage,
    )


def publish(comparisons: Sequence[Comparison], *, made_on: date | None) -> Published:
    """One sentence for the whole fleet. It says plainly when the forecast was no better than the baseline."""
    if not comparisons:
        return Published(kind="none", sentence="There is no earlier forecast to compare with what happened.")
    ratio = median(each.ratio for each in comparisons)
    better = sum(each.beats_baseline for each in comparisons)
    coverage = sum(each.covered for each in comparisons) / sum(each.days for each in comparisons)
    nominal = comparisons[0].nominal
    held = f"The {100 * nominal:.0f} % intervals held {100 * coverage:.0f} % of what happened."
    of = f"for {better} of {len(comparisons)} series"
    if ratio < 1:
        kind: Literal["better", "worse"] = "better"
        said = f"The forecast of {made_on} was nearer than repeating the last week {of}: half of the errors were below"
        sentence = f"{said} {100 * ratio:.0f} % of the baseline's. {held}"
    else:
        kind = "worse"
        said = f"The forecast of {made_on} did not beat repeating the last week: it was nearer only {of}"
        sentence = f"{said}. {held} Do not plan by its dates alone; the static thresholds stand."
    return Published(
        kind=kind, sentence=sentence, made_on=made_on, compared=len(comparisons), better=better,
        ratio=ratio, coverage=coverage, nominal=nominal,
    )  # fmt: skip
