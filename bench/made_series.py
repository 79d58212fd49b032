"""Made series of ten kinds, as resources grow: what happened, and what happened next. Not real data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Values = NDArray[Any]


@dataclass(frozen=True)
class Made:
    """Series of one length: `history` is shown, `future` is held out."""

    kinds: list[str]
    history: Values
    future: Values

    @property
    def scale(self) -> Values:
        """What errors are divided by: how far a series moves in its history and future."""
        whole = np.concatenate([self.history, self.future], axis=1)
        return np.asarray(whole.max(axis=1) - whole.min(axis=1))


def linear(days: Values, random: Generator) -> Values:
    return random.uniform(0.05, 0.5) * days


def drift(days: Values, random: Generator) -> Values:
    return np.cumsum(random.normal(random.uniform(0.05, 0.3), random.uniform(0.3, 1.0), days.size))


def weekly(days: Values, random: Generator) -> Values:
    return linear(days, random) + random.uniform(3, 12) * np.sin(2 * np.pi * (days + random.integers(7)) / 7)


def month_end(days: Values, random: Generator) -> Values:
    return linear(days, random) + random.uniform(10, 30) * (days % 30 >= 28)


def accelerating(days: Values, random: Generator) -> Values:
    return random.uniform(30, 150) * (days / days.size) ** random.uniform(2, 3)


def sawtooth(days: Values, random: Generator) -> Values:
    period = int(random.integers(20, 60))
    return random.uniform(0.3, 1.5) * ((days + random.integers(period)) % period) + 0.05 * days


def step(days: Values, random: Generator) -> Values:
    at = random.uniform(0.3, 0.95) * days.size
    return linear(days, random) + random.uniform(20, 80) * (days >= at)


def rate_change(days: Values, random: Generator) -> Values:
    at = random.uniform(0.3, 0.8) * days.size
    return linear(days, random) + random.uniform(0.1, 0.6) * np.maximum(days - at, 0)


def spikes(days: Values, random: Generator) -> Values:
    return linear(days, random) + random.uniform(20, 60) * (random.random(days.size) < 0.03)


def flat(days: Values, random: Generator) -> Values:
    return np.zeros(days.size)


KINDS: tuple[Callable[[Values, Generator], Values], ...] = (
    linear, drift, weekly, month_end, accelerating, sawtooth, step, rate_change, spikes, flat,
)  # fmt: skip


def make(count: int, *, days: int = 400, ahead: int = 90, seed: int = 1) -> Made:
    """So many series, the kinds in turn, each on a base of 100 and with noise."""
    random = np.random.default_rng(seed)
    time = np.arange(days + ahead, dtype=float)
    chosen = [KINDS[number % len(KINDS)] for number in range(count)]
    rows = [100 + kind(time, random) + random.normal(0, random.uniform(0.5, 3), time.size) for kind in chosen]
    whole = np.array(rows)
    return Made([kind.__name__ for kind in chosen], whole[:, :days], whole[:, days:])


def walks(count: int, *, days: int = 400, ahead: int = 90, seed: int = 1) -> Made:
    """Random walks without drift, which nobody can forecast: not one of the ten kinds."""
    whole = 100 + np.random.default_rng(seed).normal(size=(count, days + ahead)).cumsum(axis=1)
    return Made(["(random walk)"] * count, whole[:, :days], whole[:, days:])
