"""The plots of the review: a resource with its forecast, what fills when, the fleet, the last forecast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from day2.operations.capacity_review.headroom import Standing
from day2.operations.capacity_review.review import Review, Row
from day2.operations.capacity_review.rolling import WITHOUT_STEPS
from day2.reports import plots

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

COLOURS: dict[Standing, str] = {
    "full": "#7a1712",
    "act": plots.RED,
    "plan": plots.AMBER,
    "unknown": plots.GREY,
    "enough": plots.GREEN,
}
WORDS: dict[Standing, str] = {
    "full": "full",
    "act": "act now",
    "plan": "plan",
    "unknown": "unknown",
    "enough": "enough",
}
# How dark a cell is: by what is used of the limit.
SHADES = ((0.5, "#e8f1ea"), (0.7, "#fff6dc"), (0.8, "#fbe0ad"), (0.9, "#f3b27f"), (1.0, "#dd7165"))
FULL_SHADE = "#9c2a22"
FLATTENS = 3.0
# More columns than this leave no room for a date in a cell, nor for level names above them.
ROOMY = 8
LONGEST_NAME = 30
METHODS = {
    "seasonal_naive": "last week again",
    "flat": "level of six weeks",
    "theil_sen_45": "Theil–Sen 45 d",
    "theil_sen_90": "Theil–Sen 90 d",
    "theil_sen_180": "Theil–Sen 180 d",
    "holt": "Holt",
}


def fan(row: Row, *, name: str, keep_free: float) -> Markup:
    """The history, the forecast with its interval, the limit and the headroom, and when it is full."""
    subject, forecast, frame = row.subject, row.forecast, row.subject.frame
    with plots.drawing(5.4, 2.55) as (figure, axes):
        axes.plot(_numbers(frame.days()), frame.values, color=plots.INK, linewidth=0.9)
        for each in frame.incidents:
            axes.axvspan(_number(each.start.date()), _number(each.end.date()) + 1, color=plots.GREY, alpha=0.5, lw=0)
        days = _numbers([forecast.start + timedelta(days=day) for day in range(len(forecast.median))])
        if days:
            axes.fill_between(days, forecast.low, forecast.high, color=plots.BLUE, alpha=0.2, linewidth=0)
            axes.plot(days, forecast.median, color=plots.BLUE, linewidth=1.5)
        first, start = _number(frame.start), _number(forecast.start)
        axes.set_xlim(min(first, start - 60) - 5, max(_number(forecast.horizon), start + 30) + 5)
        axes.axvline(start, color=plots.GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        _limits(axes, row, keep_free)
        _exhaustion(axes, row)
        _dates(axes)
        axes.yaxis.set_major_formatter(lambda value, _: _short(row, value))
        axes.yaxis.set_major_locator(_few_ticks())
        axes.tick_params(axis="y", labelcolor=plots.QUIET, length=0)
        axes.grid(axis="y", color=plots.RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        return plots.svg(figure, name=name, says=f"{subject.name}: {row.why}")


def calendar(rows: Sequence[Row], *, start: date) -> Markup:
    """What is full when: from the early over the expected to the late date, and the last day to act."""
    with plots.drawing(10.6, 0.7 + 0.3 * len(rows)) as (figure, axes):
        end = max(row.forecast.horizon for row in rows)
        for place, row in enumerate(rows):
            _dumbbell(axes, place, row, end)
        axes.set_yticks(range(len(rows)), [_fitting(row.subject.name) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.7)
        axes.set_xlim(_number(start) - 3, _number(end) + 1)
        _dates(axes)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=plots.RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        says = "; ".join(f"{row.subject.name}: {row.why}" for row in rows)
        return plots.svg(figure, name="calendar", says=f"when resources are full: {says}")


def heat(rows: Sequence[Row]) -> Markup:
    """Targets by resources: how much of each limit is used, and the early date where there is one."""
    targets, resources = _axis([row.subject.target for row in rows]), _axis([row.subject.resource for row in rows])
    roomy = len(resources) <= ROOMY
    with plots.drawing(10.6, (0.45 if roomy else 1.2) + 0.3 * len(targets)) as (figure, axes):
        for row in rows:
            at = (resources.index(row.subject.resource), targets.index(row.subject.target))
            _cell(axes, at, row, dated=roomy)
        axes.set_xlim(-0.5, len(resources) - 0.5)
        axes.set_ylim(len(targets) - 0.5, -0.5)
        turned: dict[str, Any] = {} if roomy else {"rotation": 40, "ha": "left"}
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(resources)), [_fitting(each) for each in resources], **turned)
        axes.set_yticks(range(len(targets)), [_fitting(each) for each in targets])
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        says = "; ".join(f"{row.subject.name}: {_percent(row.share)}" for row in rows)
        return plots.svg(figure, name="heat", says=f"share of the limit in use: {says}")


def ratios(review: Review) -> Markup:
    """Each series of the last forecast: its error as a share of the baseline's. Left of the line is better."""
    shares = sorted(min(max(each.ratio, 0.05), 20.0) for each in review.comparisons)
    with plots.drawing(5.4, 1.55) as (figure, axes):
        for share in shares:
            axes.vlines(
                math.log2(share), 0, 1, color=plots.GREEN if share < 1 else plots.RED, alpha=0.55, linewidth=1.6
            )
        axes.axvline(0, color=plots.INK, linewidth=1)
        middle = math.log2(min(max(review.published.ratio, 0.05), 20.0))
        axes.plot([middle], [1.18], marker="v", color=plots.INK, markersize=6, clip_on=False)
        axes.annotate("half of them", (middle, 1.18), xytext=(7, -3), textcoords="offset points", color=plots.INK)
        axes.set_ylim(0, 1.4)
        axes.set_yticks([])
        limit = max(2.3, *(abs(math.log2(share)) for share in shares))
        axes.set_xlim(-limit - 0.2, limit + 0.2)
        steps = range(-int(limit), int(limit) + 1)
        axes.set_xticks(list(steps), [_times(step) for step in steps])
        axes.set_xlabel("error, beside that of repeating the last week")
        says = f"{review.published.better} of {review.published.compared} series were nearer than the baseline"
        return plots.svg(figure, name="ratios", says=says)


def _limits(axes: Axes, row: Row, keep_free: float) -> None:
    limit = row.subject.limit
    low, high = axes.get_ylim()
    # A limit far above everything else would flatten what there is to see.
    if limit is None or limit > FLATTENS * high:
        return
    kept = (1 - keep_free) * limit
    axes.axhline(limit, color=plots.RED, linewidth=1.2)
    _on_line(axes, limit, f"limit {_short(row, limit)}", plots.RED)
    axes.axhline(kept, color=plots.AMBER, linewidth=0.9, linestyle=(0, (4, 2)))
    _on_line(axes, kept, f"headroom {_short(row, kept)}", plots.AMBER)
    room = 0.14 * (max(high, limit) - min(low, kept))
    axes.set_ylim(min(low, kept - room), max(high + room / 2, limit + room))


def _on_line(axes: Axes, value: float, text: str, colour: str) -> None:
    axes.annotate(
        text, (0.0, value), xycoords=("axes fraction", "data"), xytext=(2, 2), textcoords="offset points",
        color=colour, fontsize=7.5,
    )  # fmt: skip


def _exhaustion(axes: Axes, row: Row) -> None:
    """On the line of the limit: from early to late, and the date that is expected."""
    if row.judgement is None or row.judgement.full.early is None:
        return
    full = row.judgement.full
    early, late = _number(full.early or full.horizon), _number(full.late or full.horizon)
    if full.kind != "met_now":
        axes.plot(
            [early, late], [full.limit, full.limit], color=plots.RED, linewidth=4.5, alpha=0.45, solid_capstyle="butt"
        )
    at = full.expected or full.early or full.horizon
    filled = plots.RED if full.expected else plots.PAPER
    axes.plot(_number(at), full.limit, marker="D", color=plots.RED, markerfacecolor=filled, markersize=5.5)
    text = f"{at:%-d %b %Y}" if full.expected else f"from {at:%-d %b %Y}"
    left, right = axes.get_xlim()
    # Near the edge it would make the plot narrower than its neighbours.
    near_edge = full.kind != "met_now" and _number(at) > right - 0.2 * (right - left)
    axes.annotate(
        "now" if full.kind == "met_now" else text, (right if near_edge else _number(at), full.limit), xytext=(0, 7),
        textcoords="offset points", ha="right" if near_edge else "center", color=plots.RED, fontweight="bold",
    )  # fmt: skip


def _dumbbell(axes: Axes, place: int, row: Row, end: date) -> None:
    if row.judgement is None or row.judgement.full.early is None:
        return
    full, colour = row.judgement.full, COLOURS[row.standing]
    early, late = _number(full.early or end), _number(full.late or end)
    axes.plot([early, late], [place, place], color=colour, linewidth=5, alpha=0.3, solid_capstyle="butt")
    if full.late is None:
        axes.annotate("›", (late, place), color=colour, va="center", ha="left", fontsize=13, annotation_clip=False)
    axes.plot(early, place, marker="|", color=colour, markersize=9, markeredgewidth=2)
    if full.expected:
        axes.plot(_number(full.expected), place, marker="D", color=colour, markersize=6)
    if row.judgement.act_by:
        act_by = _number(row.judgement.act_by)
        axes.plot([act_by, early], [place, place], color=plots.GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.plot(act_by, place, marker=">", color=plots.INK, markersize=4.5)


def _cell(axes: Axes, at: tuple[int, int], row: Row, *, dated: bool) -> None:
    from matplotlib.patches import Rectangle

    column, line = at
    shade = "#f1f3f5" if row.share is None else next((each for top, each in SHADES if row.share < top), FULL_SHADE)
    axes.add_patch(Rectangle((column - 0.48, line - 0.44), 0.96, 0.88, facecolor=shade, edgecolor="none"))
    colour = plots.PAPER if shade == FULL_SHADE else plots.INK
    full = row.judgement.full if row.judgement else None
    if dated and full and full.early and full.kind != "met_now":
        axes.text(column - 0.08, line, _percent(row.share), ha="right", va="center", color=colour, fontweight="bold")
        axes.text(column - 0.02, line, f"from {full.early:%-d %b}", ha="left", va="center", color=colour, fontsize=7.5)
    else:
        weight = "bold" if full and full.early else "normal"
        axes.text(column, line, _percent(row.share), ha="center", va="center", color=colour, fontweight=weight)


def method(name: str) -> str:
    """The name of a method as people write it."""
    plain = name.removesuffix(WITHOUT_STEPS)
    return METHODS.get(plain, plain) + (", steps apart" if plain != name else "")


def _axis(names: Sequence[str]) -> list[str]:
    """Each name once, in their order: the rows come worst first."""
    return list(dict.fromkeys(names))


def _fitting(name: str) -> str:
    """A name that leaves room for the plot; the table below has it whole."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _percent(share: float | None) -> str:
    return "—" if share is None else f"{math.floor(100 * share)} %"


def _short(row: Row, amount: float) -> str:
    """An amount for an axis: `500 GB`, not `500.0 GB`."""
    return row.subject.said(amount).replace(".0 ", " ")


def _times(step: int) -> str:
    if step == 0:
        return "the same"
    return f"{2**step} ×" if step > 0 else f"1/{2**-step}"


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5)


def _dates(axes: Axes) -> None:
    import matplotlib.dates as dates

    locator = dates.AutoDateLocator(minticks=4, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _numbers(days: Sequence[date]) -> list[float]:
    return [_number(day) for day in days]


def _number(day: date) -> float:
    """Days since 1970: how matplotlib counts dates."""
    return float((day - date(1970, 1, 1)).days)
