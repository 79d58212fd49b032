"""The plots of tuning's report: each change before and after, all effects side by side, and the year."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from day2.operations.performance_tuning.effect import AFTER, BEFORE, WITH
from day2.operations.performance_tuning.model import Outcome
from day2.operations.performance_tuning.story import Effect, Kept, Tried, named
from day2.reports import plots
from day2.units import figure as written

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

COLOURS: dict[Outcome, str] = {
    "kept": plots.GREEN,
    "reverted": plots.AMBER,
    "unmeasured": plots.GREY,
    "failed": plots.RED,
    "interrupted": plots.RED,
    "withdrawn": plots.GREY,
    "deferred": plots.GREY,
    "advised": plots.BLUE,
}
UNITS = {"ms": "ms a call", "blocks": "blocks a call", "wal": "bytes of WAL a call"}
BLOCKS = {BEFORE: "before", WITH: "with it", AFTER: "taken back"}
# What is further out is drawn at the edge: an index may make a write cost ten times as much.
FURTHEST = 1.0


def before_and_after(tried: Tried, number: int) -> Markup | None:
    """Both costs of a call in each block of the measurement, with the interval around what the change left."""
    shown = [each for name in ("blocks", "ms") if (each := tried.effect(name))]
    if not shown or len(tried.seen) < 2:
        return None
    with plots.drawings(5.2, 0.52 + 0.24 * len(tried.seen), across=len(shown)) as (figure, panels):
        for axes, effect in zip(panels, shown, strict=True):
            _blocks(axes, tried, effect)
        says = "; ".join(
            f"{UNITS[each.metric]}: {written(each.before)} before, {written(each.after)} with it" for each in shown
        )
        return plots.svg(figure, name=f"change-{number}", says=says)


def _blocks(axes: Axes, tried: Tried, effect: Effect) -> None:
    values = [getattr(each, effect.metric) for each in tried.seen]
    colours = [COLOURS[tried.outcome] if each.name == WITH else plots.GREY for each in tried.seen]
    lines = range(len(values))
    axes.barh(lines, values, color=colours, height=0.62)
    ends = list(values)
    if effect.low is not None and effect.high is not None:
        place = next((line for line, each in enumerate(tried.seen) if each.name == WITH), None)
        low, high = (max(0.0, effect.before * (1 + each)) for each in (effect.low, effect.high))
        if place is not None:
            axes.plot([low, high], [place, place], color=plots.INK, linewidth=1.2, marker="|", markersize=6)
            ends[place] = max(ends[place], high)
    most = max([*ends, 1e-9])
    for line, (value, end) in enumerate(zip(values, ends, strict=True)):
        axes.text(end + most * 0.03, line, written(value), va="center", color=plots.INK)
    axes.set_yticks(lines, [BLOCKS.get(each.name, each.name) for each in tried.seen])
    axes.set_title(UNITS[effect.metric], fontsize=8.5, color=plots.QUIET, loc="left")
    axes.invert_yaxis()
    axes.set_xlim(0, most * 1.32)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines["bottom"].set_visible(False)


def effects(tried: Sequence[Tried], *, minimum: float) -> Markup | None:
    """What each measured change did to the cost of its statements' calls, with its interval, best first."""
    measured = sorted((each for each in tried if _shares(each)), key=lambda each: min(_shares(each)))
    if not measured:
        return None
    with plots.drawing(10.6, 0.75 + 0.42 * len(measured)) as (figure, axes):
        axes.axvspan(-FURTHEST * 1.08, -minimum, color=plots.GREEN, alpha=0.07, linewidth=0)
        axes.axvline(0, color=plots.QUIET, linewidth=0.9)
        for line, each in enumerate(measured):
            for metric, above in (("ms", -0.17), ("blocks", 0.17)):
                if (effect := each.effect(metric)) and effect.share is not None:
                    _interval(axes, line + above, effect, colour=COLOURS[each.outcome])
        names = [named(each.recommendation.kind, each.recommendation.object) for each in measured]
        labels = [f"{_shortened(name)}  {each.outcome}" for name, each in zip(names, measured, strict=True)]
        axes.set_yticks(range(len(measured)), labels)
        axes.set_ylim(len(measured) - 0.5, -0.5)
        axes.set_xlim(-FURTHEST * 1.08, FURTHEST * 1.3)
        ticks = [-1, -0.5, 0, 0.5, 1]
        axes.set_xticks(ticks, ["100 % less", "50 % less", "as before", "50 % more", "twice as much"])
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        said = "; ".join(f"{name}: {percent(min(_shares(each)))}" for name, each in zip(names, measured, strict=True))
        return plots.svg(figure, name="effects", says=f"cost of a call, by change: {said}")


def _shares(tried: Tried) -> list[float]:
    return [each.share for each in tried.effects if each.share is not None]


def _interval(axes: Axes, line: float, effect: Effect, *, colour: str) -> None:
    share = min(effect.share or 0.0, FURTHEST)
    low, high = (min(share if each is None else each, FURTHEST) for each in (effect.low, effect.high))
    axes.plot([low, high], [line, line], color=colour, linewidth=3, alpha=0.4, solid_capstyle="butt")
    inside = plots.PAPER if effect.metric == "blocks" else colour
    axes.plot([share], [line], color=colour, marker="o", markersize=5.5, markerfacecolor=inside, linestyle="none")
    told = cost(effect.metric, effect.share)
    axes.annotate(told, (max(high, share), line), xytext=(8, 0), textcoords="offset points", va="center", fontsize=7.8)


def year(kept: Sequence[Kept]) -> Markup | None:
    """Seconds of the server's time that all kept changes save an hour, run by run."""
    if len({each.run for each in kept}) < 2:
        return None
    import matplotlib.dates as dates

    when: list[float] = []
    sums: list[float] = []
    for each in sorted(kept, key=lambda item: item.at):
        when.append(float(dates.date2num(datetime.fromisoformat(each.at))))  # type: ignore[no-untyped-call]
        sums.append(each.saved + (sums[-1] if sums else 0.0))
    with plots.drawing(10.6, 2.2) as (figure, axes):
        axes.fill_between(when, sums, step="post", color=plots.GREEN, alpha=0.16, linewidth=0)
        axes.step(when, sums, where="post", color=plots.GREEN, linewidth=1.6)
        axes.plot(when, sums, color=plots.GREEN, marker="o", markersize=3.5, linestyle="none")
        axes.annotate(
            f"{sums[-1]:,.0f} s", (when[-1], sums[-1]), xytext=(-6, 5), textcoords="offset points",
            ha="right", fontweight="bold",
        )  # fmt: skip
        axes.set_ylim(0, max(*sums, 1) * 1.2)
        axes.set_ylabel("seconds an hour")
        axes.set_xlim(when[0], when[-1] + max((when[-1] - when[0]) * 0.01, 0.01))
        axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=10))  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_formatter(dates.DateFormatter("%b %Y"))  # type: ignore[no-untyped-call]
        axes.tick_params(length=0)
        return plots.svg(figure, name="year", says=f"saved in all: {sums[-1]:,.0f} seconds an hour")


def percent(share: float | None) -> str:
    """`62 % less`, `4 % more`. Rounded towards no effect: 99.96 % less is not yet 100."""
    if share is None:
        return "without end"
    if abs(share) < 0.0005:
        return "as before"
    number = int(abs(share) * 1000) / 10
    return f"{number:,g} % {'less' if share < 0 else 'more'}" if share < 1 else f"{1 + share:,.1f} times as much"


def cost(metric: str, share: float | None) -> str:
    """How a cost changed: `62 % less` of time, `20 % fewer blocks`."""
    said = percent(share)
    return f"{said.replace('less', 'fewer')} blocks" if metric == "blocks" and share else said


def _shortened(name: str, most: int = 44) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
