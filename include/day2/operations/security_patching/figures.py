"""The plots of the fleet's report: ages, coverage by wave, trend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from day2.operations.security_patching.compliance import STANDINGS, HostRow, HostStanding, Summary, by_wave
from day2.operations.security_patching.sla import Due, Standing
from day2.reports import plots

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

WORDS: dict[HostStanding, str] = {
    "current": "nothing waiting",
    "in_time": "waiting, in time",
    "excused": "late, excused",
    "late": "late",
    "unknown": "unknown",
}
COLOURS: dict[HostStanding, str] = {
    "current": plots.GREEN,
    "in_time": plots.BLUE,
    "excused": plots.AMBER,
    "late": plots.RED,
    "unknown": plots.GREY,
}
# Weeks first, where there is still time; then the usual limits of an SLA.
BINS = ((7, "0-7"), (14, "8-14"), (21, "15-21"), (30, "22-30"), (60, "31-60"), (90, "61-90"), (10**6, "over 90"))
STACKED: tuple[Standing, ...] = ("in_time", "excused", "late")


def ages(due: Sequence[Due]) -> Markup:
    """For how many days updates have been waiting, by how they stand."""
    counts = {standing: [0] * len(BINS) for standing in STACKED}
    for each in due:
        place = next(index for index, (limit, _) in enumerate(BINS) if each.age.days <= limit)
        counts[each.standing][place] += 1
    totals = [sum(counts[standing][place] for standing in STACKED) for place in range(len(BINS))]
    with plots.drawing(5.4, 2.5) as (figure, axes):
        below = [0] * len(BINS)
        for standing in STACKED:
            axes.bar(range(len(BINS)), counts[standing], bottom=below, color=COLOURS[standing], width=0.72)
            below = [low + more for low, more in zip(below, counts[standing], strict=True)]
        for place, total in enumerate(totals):
            if total:
                axes.text(place, total, f" {total} ", ha="center", va="bottom", color=plots.INK)
        axes.set_xticks(range(len(BINS)), [label for _, label in BINS])
        axes.set_xlabel("days since a replacement was first seen")
        _only_a_baseline(axes, top=max(totals, default=0))
        says = "; ".join(f"{label} days: {total}" for (_, label), total in zip(BINS, totals, strict=True))
        return plots.svg(figure, name="ages", says=f"updates waiting, by age: {says}")


def coverage(rows: Sequence[HostRow]) -> Markup:
    """How the hosts of each wave stand, as shares; the figures are hosts."""
    waves = by_wave(rows)
    with plots.drawing(5.4, 0.75 + 0.52 * len(waves)) as (figure, axes):
        for line, counted in enumerate(waves.values()):
            left, total = 0.0, sum(counted.values())
            for standing in STANDINGS:
                share = counted[standing] / total
                axes.barh(line, share, left=left, color=COLOURS[standing], height=0.62, edgecolor=plots.PAPER)
                if share >= 0.04:
                    colour = plots.INK if standing == "unknown" else plots.PAPER
                    axes.text(left + share / 2, line, str(counted[standing]), color=colour, ha="center", va="center")
                left += share
        axes.set_yticks(range(len(waves)), [f"{name} ({sum(counted.values())})" for name, counted in waves.items()])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        says = "; ".join(
            f"{name}: " + ", ".join(f"{counted[each]} {WORDS[each]}" for each in STANDINGS if counted[each])
            for name, counted in waves.items()
        )
        return plots.svg(figure, name="coverage", says=f"hosts by wave: {says}")


def trend(points: Sequence[Summary]) -> Markup:
    """The fleet over time: how the hosts stood, as shares, and the share without a breach as a line."""
    import matplotlib.dates as dates

    when = [float(dates.date2num(datetime.fromisoformat(each.at))) for each in points]  # type: ignore[no-untyped-call]
    shares = [[100 * getattr(each, name) / max(each.hosts, 1) for each in points] for name in STANDINGS]
    good = [100 * each.without_breach for each in points]
    with plots.drawing(10.6, 2.3) as (figure, axes):
        axes.stackplot(when, shares, colors=[COLOURS[name] for name in STANDINGS], alpha=0.28, linewidth=0)
        axes.plot(when, good, color=plots.INK, linewidth=1.4, marker="o", markersize=3.5)
        for place in sorted({0, len(points) - 1, good.index(min(good))}):
            _label(axes, when[place], good[place], last=place == len(points) - 1)
        axes.set_ylim(0, 104)
        axes.set_yticks([0, 50, 100], ["0", "50", "100 %"])
        axes.set_xlim(when[0], when[-1])
        locator = dates.AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        layout = "%d %b" if when[-1] - when[0] < 300 else "%b %Y"
        axes.xaxis.set_major_formatter(dates.DateFormatter(layout))  # type: ignore[no-untyped-call]
        says = "; ".join(f"{each.at[:10]}: {100 * each.without_breach:.0f} %" for each in points)
        return plots.svg(figure, name="trend", says=f"hosts without a breach: {says}")


def _label(axes: Axes, at: float, value: float, *, last: bool) -> None:
    axes.annotate(
        f"{math.floor(10 * value) / 10:g} %",
        (at, value),
        xytext=(-5 if last else 5, -12),
        textcoords="offset points",
        ha="right" if last else "left",
        fontweight="bold",
    )


def _only_a_baseline(axes: Axes, *, top: float) -> None:
    """The bars carry their figures, so an axis would say it twice."""
    axes.set_yticks([])
    axes.set_ylim(0, max(top, 1) * 1.15)
    axes.tick_params(length=0)
