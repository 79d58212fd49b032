"""Blocks of time as they would be seen, from what a call of each statement costs."""

from __future__ import annotations

import random
from collections.abc import Mapping

from day2.inventory.tuning import Measure
from day2.operations.performance_tuning.effect import Trial
from day2.operations.performance_tuning.samples import Block, Cost, Slice, Totals

MEASURE = Measure(minimum_calls=20)
OWN, OTHER, WRITE = 1, 2, 3
SLICES = 10
# queryid: calls a slice, ms, blocks and WAL records of one call.
Load = Mapping[int, tuple[float, float, float, float]]
SHOP: Load = {OWN: (10, 10.0, 700, 0), OTHER: (50, 0.1, 4, 0), WRITE: (20, 0.3, 12, 400)}


def block(name: str, load: Load, *, noise: float = 0.0, seed: int = 1, totals: Totals = Totals()) -> Block:
    """Equal slices; `noise` is the standard deviation of each slice's time a call, as a share of it."""
    drawn = random.Random(f"{name} {seed}")
    slices = []
    for _ in range(SLICES):
        costs = {
            queryid: Cost(calls, calls * ms * max(0.05, drawn.gauss(1, noise)), calls * blocks, calls * wal)
            for queryid, (calls, ms, blocks, wal) in load.items()
        }
        slices.append(Slice(1.0, costs, totals))
    return Block(name, tuple(slices))


def trial(after: Load, *, before: Load = SHOP, noise: float = 0.0, seed: int = 1, toggled: bool = True) -> Trial:
    """Without, with, and again without a change that makes the statements cost what `after` says."""
    back = block("after", before, noise=noise, seed=seed) if toggled else None
    return Trial(
        block("before", before, noise=noise, seed=seed), block("with", after, noise=noise, seed=seed), back, own=(OWN,)
    )


def costing(load: Load, queryid: int, **more: float) -> Load:
    """The same load with another cost of one statement: `costing(SHOP, OWN, blocks=12)`."""
    names = ("calls", "ms", "blocks", "wal")
    changed = tuple(more.get(name, value) for name, value in zip(names, load[queryid], strict=True))
    return {**load, queryid: changed}  # type: ignore[dict-item]
