"""When each step of a drill ran, as lanes of a plot: what worked, what waited for a person, what for nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from day2.operations.dr_drill.card import TargetCard, moment
from day2.reports import plots
from day2.units import duration

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

Kind = Literal["step", "failed", "human", "between", "hold", "serving", "outage"]
WATCH = "watch"  # runs beside all the others
BETWEEN, HOLD, CLIENTS = "between steps", "hold", "clients’ writes"
# Shorter waits are how long a scheduler needs; nobody can see them in a plot.
SHORTEST = 0.05
LANE_INCHES, WIDTH = 0.27, 10.2
LETTER = 0.009  # a letter's width, as a share of the plot's
COLOURS: dict[Kind, str] = {
    "step": plots.BLUE, "failed": plots.RED, "human": plots.AMBER, "between": plots.GREY, "hold": "#8fb4dc",
    "serving": "#7fbf9b", "outage": plots.RED,
}  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """From when to when something went on, in seconds since the declaration. `cut`: it went on for longer."""

    lane: str
    kind: Kind
    start: float
    end: float
    cut: bool = False

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Mark:
    """A moment that matters, in seconds since the declaration."""

    name: str
    at: float
    colour: str


@dataclass(frozen=True)
class Timeline:
    """All of a target's drill. `t0` is the declaration."""

    target: str
    t0: datetime
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    end: float

    @property
    def lanes(self) -> list[str]:
        """In the order they begin; what the clients saw is the last."""
        return list(dict.fromkeys(each.lane for each in self.bars))

    @property
    def outages(self) -> list[Bar]:
        return [each for each in self.bars if each.kind == "outage"]

    def of(self, kind: Kind) -> float:
        """Seconds spent so, in all."""
        return sum(each.seconds for each in self.bars if each.kind == kind)

    def until(self, end: float) -> Timeline:
        """The same, up to a moment."""
        bars = tuple(
            replace(each, end=min(each.end, end), cut=each.end > end) for each in self.bars if each.start < end
        )
        return replace(self, bars=bars, marks=tuple(each for each in self.marks if each.at <= end), end=end)


def build(target: TargetCard) -> Timeline | None:
    """The target's timeline; none where no disaster was declared. Pure."""
    if target.t0 is None:
        return None
    bars = [*_steps(target), *_humans(target)]
    if not bars:
        return None
    end = max(each.end for each in bars)
    bars += _between(bars, end)
    order = {lane: index for index, lane in enumerate(_order(bars))}
    bars.sort(key=lambda each: (order[each.lane], each.start))
    return Timeline(target.name, target.t0, (*bars, *_clients(target, end)), tuple(_marks(target)), end)


def failover(whole: Timeline) -> Timeline | None:
    """The part up to the first verified write, where the whole is too long to see it; otherwise none."""
    first = next((each.at for each in whole.marks if each.name == FIRST_WRITE), None)
    return whole.until(first * 1.25) if first is not None and whole.end > first * 2 else None


FIRST_WRITE, NO_RETURN, DECLARED, OBJECTIVE = "first verified write", "point of no return", "declared", "RTO"


def _marks(target: TargetCard) -> Iterator[Mark]:
    yield Mark(DECLARED, 0, plots.INK)
    if target.point_of_no_return:
        yield Mark(NO_RETURN, _since(target, target.point_of_no_return), plots.AMBER)
    if target.first_write:
        yield Mark(FIRST_WRITE, _since(target, target.first_write), plots.GREEN)
    yield Mark(OBJECTIVE, target.rto_seconds, plots.RED)


def _since(target: TargetCard, at: datetime) -> float:
    assert target.t0 is not None  # noqa: S101 - `build` asks for it first
    return (at - target.t0).total_seconds()


def _steps(target: TargetCard) -> Iterator[Bar]:
    for each in target.steps:
        if each.name != WATCH and each.ended and _since(target, each.ended) > 0:
            kind: Kind = "step" if each.outcome == "succeeded" else "failed"
            yield Bar(each.name, kind, max(0.0, _since(target, each.started)), _since(target, each.ended))


def _humans(target: TargetCard) -> Iterator[Bar]:
    """What people were asked to do, until they said it was done. What nobody answered has no end to draw."""
    for each in target.manual:
        asked, answered = moment(each["asked_at"]), moment(each["answered_at"])
        if asked and answered and _since(target, answered) > 0:
            yield Bar(each["name"], "human", max(0.0, _since(target, asked)), _since(target, answered))


def _between(bars: Sequence[Bar], end: float) -> Iterator[Bar]:
    """When nothing went on: the orchestration's own time, and the time the recovery region served on purpose."""
    at, after = 0.0, ""
    for each in sorted(bars, key=lambda bar: (bar.start, bar.end)):
        if each.start - at > SHORTEST:
            held = after == "verify"
            yield Bar(HOLD if held else BETWEEN, "hold" if held else "between", at, each.start)
        if each.end >= at:
            at, after = min(each.end, end), each.lane


def _order(bars: Sequence[Bar]) -> list[str]:
    """Lanes by when they first begin, the orchestration's last."""
    begin = {each.lane: min(bar.start for bar in bars if bar.lane == each.lane) for each in bars}
    return sorted(begin, key=lambda lane: (lane == BETWEEN, begin[lane]))


def _clients(target: TargetCard, end: float) -> Iterator[Bar]:
    """When clients' writes were accepted, as the probe outside saw it."""
    at = 0.0
    for start, stop in sorted(_outages(target)):
        if start > at:
            yield Bar(CLIENTS, "serving", at, start)
        yield Bar(CLIENTS, "outage", max(0.0, start), stop)
        at = stop
    if at and at < end:
        yield Bar(CLIENTS, "serving", at, end)


def _outages(target: TargetCard) -> Iterator[tuple[float, float]]:
    """Each stretch without an accepted write; without the probe's list, from the fence to the first write."""
    longest = target.measured(WATCH, "longest_gap")
    seen = target.measured(WATCH, "outages") or ([longest] if longest else [])
    for each in seen:
        begun, ended = moment(each["from"]), moment(each["to"])
        if begun and ended and _since(target, ended) > 0:
            yield _since(target, begun), _since(target, ended)
    if seen:
        return
    fenced = next((each.started for each in target.steps if each.name == "fence"), None)
    if fenced and target.first_write:
        yield _since(target, fenced), _since(target, target.first_write)


def draw(line: Timeline, *, name: str, says: str) -> Markup:
    """The plot: a lane a step, seconds since the declaration below, UTC above."""
    lanes = line.lanes
    with plots.drawing(WIDTH, 1.1 + LANE_INCHES * len(lanes)) as (figure, axes):
        axes.set_xlim(-0.015 * line.end, line.end * 1.03)
        axes.set_ylim(len(lanes) - 0.4, -0.75)
        axes.set_yticks(range(len(lanes)), lanes)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color=plots.RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        for outage in line.outages:
            axes.axvspan(outage.start, outage.end, color=plots.RED, alpha=0.07, linewidth=0)
        for bar in line.bars:
            _draw_bar(axes, bar, lanes.index(bar.lane), line.end)
        levels = _levels(line.marks, line.end)
        for mark, level in levels:
            _draw_mark(axes, mark, line.end, level)
        axes.set_xlabel(f"seconds since the declaration ({line.target})")
        _draw_utc(axes, line, rows=1 + max((level for _, level in levels), default=0))
        return plots.svg(figure, name=name, says=says)


def _draw_bar(axes: Axes, bar: Bar, lane: int, end: float) -> None:
    human = bar.kind == "human"
    axes.barh(
        lane, max(bar.seconds, end / 500), left=bar.start, height=0.62, color="#fff4e0" if human else COLOURS[bar.kind],
        edgecolor=COLOURS[bar.kind], hatch="////" if human else None, linewidth=0.8 if human else 0,
    )  # fmt: skip
    if bar.kind in ("serving", "outage") or bar.cut:
        return
    told = duration(bar.seconds)
    if bar.kind == "between":
        # All in one lane: a time beside its bar would stand in the next one.
        if bar.seconds > len(told) * LETTER * end:
            axes.text((bar.start + bar.end) / 2, lane, told, va="center", ha="center", fontsize=7, color=plots.INK)
        return
    right = bar.end < end * 0.9
    axes.text(
        bar.end + end * 0.006 if right else bar.start - end * 0.006, lane, told, va="center",
        ha="left" if right else "right", fontsize=7.5, color=plots.QUIET,
    )  # fmt: skip


def _levels(marks: Sequence[Mark], end: float) -> list[tuple[Mark, int]]:
    """Each mark with the row its name stands in, so that no two names overlap."""
    free: list[float] = []
    placed = []
    for mark in sorted((each for each in marks if each.at <= end), key=lambda each: each.at):
        level = next((row for row, at in enumerate(free) if mark.at >= at), len(free))
        free[level : level + 1] = [mark.at + len(_named(mark)) * LETTER * end]
        placed.append((mark, level))
    return placed


def _named(mark: Mark) -> str:
    return f"{mark.name} {duration(mark.at)}" if mark.at else mark.name


def _draw_mark(axes: Axes, mark: Mark, end: float, level: int) -> None:
    axes.axvline(mark.at, color=mark.colour, linewidth=1.2, linestyle="-" if mark.name != OBJECTIVE else (0, (4, 3)))
    near_end = mark.at > end * 0.85
    axes.annotate(
        _named(mark), (mark.at, -0.72), xytext=(-3 if near_end else 3, 2 + 11 * level), textcoords="offset points",
        color=mark.colour, ha="right" if near_end else "left", va="bottom", fontsize=7.8, fontweight="bold",
    )  # fmt: skip


def _draw_utc(axes: Axes, line: Timeline, *, rows: int) -> None:
    above = axes.twiny()
    above.set_xlim(axes.get_xlim())
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= line.end]
    digits = 10 if line.end < 60 else 8  # of 06:30:48.2
    times = [f"{line.t0 + timedelta(seconds=float(tick)):%H:%M:%S.%f}"[:digits] for tick in ticks]
    above.set_xticks(ticks, times)
    above.tick_params(axis="x", length=2, labelsize=7.5, pad=4 + 11 * rows)
    for side in ("top", "right", "left", "bottom"):
        above.spines[side].set_visible(False)
    above.set_xlabel(f"UTC on {line.t0:%Y-%m-%d}", fontsize=7.5)
