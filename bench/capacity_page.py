"""`python -m bench.capacity_page page.html`: the review of a made fleet, to look at. Not real resources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import typer

from bench import made_series
from bench.made_series import Values
from day2.operations.capacity_review import numbers_csv, report, review
from day2.operations.capacity_review.backtest import compare
from day2.operations.capacity_review.forecast import forecasts
from day2.operations.capacity_review.review import Request, Review, Sized, Subject, Unit
from day2.operations.capacity_review.rightsizing import CostBasis, Offer, Percentiles, Size, Use, propose
from day2.operations.capacity_review.series import Daily, Incident
from lab.say import say

NOW = datetime(2027, 1, 4, 6, tzinfo=UTC)
DAYS, QUARTER = 400, 90
START = NOW.date() - timedelta(days=DAYS)
GB = 1e9
BASIS = CostBasis(kind="list price", currency="EUR", source="the provider's price list", as_of=date(2027, 1, 1))
SIZES = tuple(
    Size(name=f"m{2**number}", capacity={"cpu": 2.0**number, "memory": 4 * GB * 2**number}, cost_month=35.0 * 2**number)
    for number in range(1, 6)
)


@dataclass(frozen=True)
class Resource:
    """How a resource of every target is made: its unit, its limit, and what a point of a made series is worth."""

    name: str
    unit: Unit
    limit: float
    point: float


RESOURCES = (
    Resource("data volume", "bytes", 500 * GB, 1.7 * GB),
    Resource("WAL volume", "bytes", 100 * GB, 0.3 * GB),
    Resource("connections", "count", 300, 0.9),
    Resource("inodes", "percent", 100, 0.22),
    Resource("sequence ids", "percent", 100, 0.25),
    Resource("CPU", "percent", 100, 0.26),
)
Tier = Literal["production", "staging"]


def main(page: Path, targets: int = 14, csv: bool = False) -> None:
    """Write the page, and the CSV files beside it when asked."""
    made = fleet(targets)
    page.write_bytes(report.render(made))
    if csv:
        page.with_suffix(".csv").write_bytes(numbers_csv.resources(made))
        page.with_suffix(".days.csv").write_bytes(numbers_csv.paths(made))
    say(f"wrote {page}, {page.stat().st_size // 1000} kB")


def fleet(targets: int, *, seed: int = 12) -> Review:
    """A fleet with a last review, whose forecasts are compared with what happened."""
    subjects = list(_subjects(targets, seed))
    before = {each.name: Daily(START, each.frame.values[: DAYS - QUARTER]) for each in subjects}
    said = forecasts(before, ahead=QUARTER)
    compared = [compare(said[each.name], each.frame) for each in subjects]
    return Review(
        environment="production",
        owner="platform-team",
        at=NOW,
        rows=review.rows(subjects),
        comparisons=[each for each in compared if each],
        last_made_on=NOW.date() - timedelta(days=QUARTER),
        earlier=EARLIER,
        sized=[
            Sized(target=name, proposal=propose(use, now, offer=Offer(sizes=SIZES, basis=BASIS)))
            for name, use, now in USES
        ],
    )


def _subjects(targets: int, seed: int) -> Iterator[Subject]:
    random = np.random.default_rng(seed)
    made = made_series.make(targets * len(RESOURCES), days=DAYS, ahead=0, seed=seed)
    order = random.permutation(len(made.history))
    for number, row in enumerate(order):
        target, resource = divmod(number, len(RESOURCES))
        yield _subject(target, RESOURCES[resource], made.history[row])


def _subject(target: int, resource: Resource, values: Values) -> Subject:
    values = np.maximum(resource.point * values, 0)
    incidents: tuple[Incident, ...] = ()
    if target == 2:
        begun = NOW - timedelta(days=120)
        incidents = (Incident(begun, begun + timedelta(days=6), "a log that nobody rotated"),)
        values[DAYS - 120 : DAYS - 113] = np.nan
    if target == 5:
        values[150:190] = np.nan
    shown = Daily(START, values, incidents)
    if target == 11:
        shown = Daily(NOW.date() - timedelta(days=3), values[-3:])
    tier: Tier = "staging" if target % 4 == 3 else "production"
    name = f"{('orders', 'billing', 'search', 'mail')[target % 4]}-db-{target // 4 + 1:02}"
    return Subject(
        target=name, resource=resource.name, unit=resource.unit, tier=tier, frame=shown, limit=resource.limit
    )


def _use(cpu: float, memory: float) -> Use:
    shares: Sequence[tuple[str, float]] = (("cpu", cpu), ("memory", memory * GB))
    used = {name: Percentiles(p50=0.35 * top, p95=0.7 * top, p99=0.85 * top, peak=top) for name, top in shares}
    return Use(resources=used, days=365)


USES = (
    ("orders-db-01", _use(2.1, 9), SIZES[3]),
    ("billing-db-01", _use(7.4, 21), SIZES[2]),
    ("search-db-01", _use(2.9, 12), SIZES[1]),
    ("mail-db-02", _use(0.6, 3), SIZES[2]),
)
EARLIER = (
    Request(
        target="orders-db-01", what="data volume from 400 to 500 GB", made_on=date(2026, 10, 5), owner="storage-team",
        due=date(2026, 11, 1), fate="done", note="grown on 2026-10-28",
    ),
    Request(
        target="billing-db-01", what="one size larger", made_on=date(2026, 10, 5), owner="billing-team",
        due=date(2026, 12, 1), fate="open", note="waits for a window",
    ),
    Request(
        target="search-db-02", what="max_connections from 300 to 400", made_on=date(2026, 10, 5), owner="search-team",
        due=date(2026, 12, 15), fate="rejected", note="a pooler was put in front instead",
    ),
)  # fmt: skip

if __name__ == "__main__":
    typer.run(main)
