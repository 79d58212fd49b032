"""Frames to forecast from, short to write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from day2.operations.capacity_review.forecast import Forecast, forecasts
from day2.operations.capacity_review.series import Daily

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
START = date(2025, 10, 1)


def frame(values: Sequence[float]) -> Daily:
    """Daily maxima from START on; NaN is a gap."""
    return Daily(START, np.array(values, dtype=float))


def line(days: int, *, slope: float = 1.0, base: float = 100.0, noise: float = 1.0) -> list[float]:
    """Growth of `slope` a day, with normal noise that is the same each time."""
    random = np.random.default_rng(5)
    return [base + slope * day + noise * float(random.normal()) for day in range(days)]


def forecast(values: Sequence[float], *, ahead: int = 90) -> Forecast:
    return forecasts({"it": frame(values)}, ahead=ahead)["it"]


def hours(count: int) -> list[datetime]:
    """The last so many whole hours before NOW, oldest first."""
    return [NOW - timedelta(hours=count - number) for number in range(count)]
