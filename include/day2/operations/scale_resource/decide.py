"""How much of a resource there should be: within bounds, one step at a time, never back and forth. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Direction = Literal["more", "less", "stay"]


@dataclass(frozen=True)
class Rung:
    """One size: its name (`3` instances, `db.r6g.large`), what it can carry, and what it costs an hour."""

    name: str
    capacity: float
    cost: float = 0.0


@dataclass(frozen=True)
class Rules:
    """What may be done without asking, and what never.

    `ladder` has the sizes from the smallest to the largest that is allowed. `more_at` and `less_at` are use in percent
    of the present size's capacity; a smaller size must stay `margin` percent points below `more_at`. `step` is how
    many rungs at once; `budget` is the highest cost an hour; above `approve_above`, an hour's cost, a person is asked.
    """

    ladder: tuple[Rung, ...]
    more_at: float = 75.0
    less_at: float = 30.0
    margin: float = 10.0
    step: int = 1
    cooldown: timedelta = timedelta(minutes=15)
    budget: float | None = None
    approve_above: float | None = None


@dataclass(frozen=True)
class Now:
    """How it stands: the rung in use, its use in percent (none: nobody measured it), the last change.

    `floor` and `ceiling` are rungs that a schedule asks for at this hour.
    """

    rung: int
    used: float | None
    at: datetime
    changed: datetime | None = None
    floor: int = 0
    ceiling: int | None = None


@dataclass(frozen=True)
class Decision:
    """To which rung, why, and whether a person has to approve."""

    direction: Direction
    rung: int
    why: str
    ask: bool = False


def decide(rules: Rules, now: Now) -> Decision:
    """One bounded step. Bounds and schedules are kept at once; use is answered only after the cooldown."""
    lowest, highest = bounds(rules, now)
    if not lowest <= now.rung <= highest:
        wanted = min(max(now.rung, lowest), highest)
        return _to(rules, now, wanted, f"outside of its bounds {_names(rules, lowest, highest)}")
    if now.used is None:
        return Decision("stay", now.rung, "nobody measured how much of it is used")
    if now.changed is not None and now.at - now.changed < rules.cooldown:
        return Decision("stay", now.rung, f"changed at {now.changed:%H:%M} UTC: it cools down until "
                        f"{now.changed + rules.cooldown:%H:%M}")  # fmt: skip
    if now.used >= rules.more_at:
        if now.rung == highest:
            return Decision("stay", now.rung, f"{now.used:.0f} % used, and {rules.ladder[highest].name} is its bound")
        return _to(rules, now, highest, f"{now.used:.0f} % used: {rules.more_at:g} % is the threshold")
    if now.used <= rules.less_at:
        return _less(rules, now, lowest)
    return Decision("stay", now.rung, f"{now.used:.0f} % used")


def bounds(rules: Rules, now: Now) -> tuple[int, int]:
    """The lowest and the highest rung that are allowed now. The budget wins over what a schedule asks for."""
    affordable = [
        number for number, each in enumerate(rules.ladder) if rules.budget is None or each.cost <= rules.budget
    ]
    highest = max(affordable, default=0)
    if now.ceiling is not None:
        highest = min(highest, max(now.ceiling, 0))
    return min(max(now.floor, 0), highest), highest


def would_use(rules: Rules, now: Now, rung: int) -> float:
    """What the present load would use of another rung, in percent."""
    return (now.used or 0.0) * rules.ladder[now.rung].capacity / rules.ladder[rung].capacity


def _less(rules: Rules, now: Now, lowest: int) -> Decision:
    """As many rungs down as leave it below the threshold that would bring it up again."""
    down = [each for each in range(max(now.rung - rules.step, lowest), now.rung)
            if would_use(rules, now, each) <= rules.more_at - rules.margin]  # fmt: skip
    if not down:
        told = "and it is its bound" if now.rung == lowest else "and less would be too little at once"
        return Decision("stay", now.rung, f"{now.used:.0f} % used, {told}")
    return _to(rules, now, down[0], f"{now.used:.0f} % used: {rules.less_at:g} % is the threshold")


def _to(rules: Rules, now: Now, wanted: int, why: str) -> Decision:
    """Towards a rung, `step` rungs at most."""
    rung = min(max(wanted, now.rung - rules.step), now.rung + rules.step)
    cost = rules.ladder[rung].cost
    ask = rung > now.rung and rules.approve_above is not None and cost > rules.approve_above
    return Decision("more" if rung > now.rung else "less", rung, why, ask)


def _names(rules: Rules, lowest: int, highest: int) -> str:
    return f"{rules.ladder[lowest].name} to {rules.ladder[highest].name}"
