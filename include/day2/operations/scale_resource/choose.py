"""From a resource as it was found to what becomes of it: by its use, its hours, or by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from day2.control import window
from day2.errors import PlanRefused
from day2.inventory.model import Window
from day2.inventory.scaling import Resource
from day2.operations.scale_resource.decide import Decision, Direction, Now, Rules, Rung, bounds, decide
from day2.operations.scale_resource.drivers.driver import Seen

# No use is as low as this: such a resource is never made smaller because of its use.
NEVER = -1.0


@dataclass(frozen=True)
class Looked:
    """A resource as it was found. `seen` is none where it could not be read, and `why` says why.

    `used` is in percent, none where nobody measured it lately. `changed` is when Day 2 changed its size last.
    """

    seen: Seen | None
    why: str = ""
    used: float | None = None
    changed: datetime | None = None


@dataclass(frozen=True)
class Choice:
    """What is to become of a resource. `lowest` and `highest` are the sizes that are allowed now.

    `blocked` says why it cannot be judged; then there is no size to choose.
    """

    before: str = ""
    size: str = ""
    direction: Direction = "stay"
    why: str = ""
    ask: bool = False
    lowest: str = ""
    highest: str = ""
    blocked: str = ""


def rules(resource: Resource) -> Rules:
    """The rules of a resource of the inventory."""
    return Rules(
        ladder=tuple(Rung(each.name, each.capacity, each.cost) for each in resource.sizes),
        more_at=resource.more_at,
        less_at=NEVER if resource.less_at is None else resource.less_at,
        margin=resource.margin,
        step=resource.step,
        cooldown=resource.cooldown,
        budget=resource.budget,
        approve_above=resource.approve_above,
    )


def choose(resource: Resource, looked: Looked, *, timezone: str, at: datetime, by_hand: str = "") -> Choice:
    """What is to become of it at this moment. `by_hand` is a size that a person asks for. Raises PlanRefused."""
    names = [each.name for each in resource.sizes]
    if looked.seen is None:
        return Choice(blocked=looked.why)
    if looked.seen.size not in names:
        listed = f"{names[0]} to {names[-1]}"
        return Choice(before=looked.seen.size, blocked=f"its size {looked.seen.size} is not on its ladder, {listed}")
    allowed, now = rules(resource), _now(resource, looked, looked.seen, timezone=timezone, at=at)
    lowest, highest = bounds(allowed, now)
    found = _grown(resource, decide(allowed, now), now)
    if not looked.seen.settled:
        found = Decision("stay", now.rung, f"a change is under way: {looked.seen.words}")
        if by_hand:
            raise _refused(resource, found.why, "wait for its end")
    elif by_hand:
        found = _by_hand(resource, by_hand, found, now)
    return Choice(
        before=looked.seen.size,
        size=names[found.rung],
        direction=found.direction,
        why=found.why,
        ask=found.ask,
        lowest=names[lowest],
        highest=names[highest],
    )


def _now(resource: Resource, looked: Looked, seen: Seen, *, timezone: str, at: datetime) -> Now:
    names = [each.name for each in resource.sizes]
    floor, ceiling = hours(resource, timezone, at)
    return Now(
        rung=names.index(seen.size),
        used=looked.used,
        at=at,
        changed=looked.changed,
        floor=names.index(floor) if floor else 0,
        ceiling=names.index(ceiling) if ceiling else None,
    )


def hours(resource: Resource, timezone: str, at: datetime) -> tuple[str | None, str | None]:
    """The sizes that the hours ask for now: at least, at most. Of several the strictest."""
    names = [each.name for each in resource.sizes]
    floors, ceilings = [], []
    for each in resource.schedules:
        told = Window(name="hours", start=each.start, duration=each.duration)
        if at < window.last_opening(told, timezone, at).closes:
            floors += [each.at_least] if each.at_least else []
            ceilings += [each.at_most] if each.at_most else []
    return max(floors, key=names.index, default=None), min(ceilings, key=names.index, default=None)


def _grown(resource: Resource, found: Decision, now: Now) -> Decision:
    if found.direction == "less" and resource.only_grows:
        return Decision("stay", now.rung, f"{found.why}, and it can only grow")
    if resource.follows is None and found.direction == "stay":
        return Decision("stay", now.rung, "it follows no measured use, and no hours ask for another size")
    return found


def _by_hand(resource: Resource, size: str, found: Decision, now: Now) -> Decision:
    """A person's wish, held to the same bounds; what the rules say too needs nobody's approval."""
    names, allowed = [each.name for each in resource.sizes], rules(resource)
    lowest, highest = bounds(allowed, now)
    if size not in names:
        raise _refused(resource, f"{size!r} is not one of its sizes", f"choose from: {', '.join(names)}")
    rung = names.index(size)
    if rung == now.rung:
        return Decision("stay", rung, f"it is {size} already")
    outside = distance(rung, lowest, highest)
    if outside and outside >= distance(now.rung, lowest, highest):
        bound = f"{names[lowest]} to {names[highest]}"
        raise _refused(resource, f"{size} is outside of its bounds, {bound} at this hour", "choose one within them")
    if abs(rung - now.rung) > resource.step:
        far = names[now.rung + (resource.step if rung > now.rung else -resource.step)]
        raise _refused(resource, f"{size} is more than one step from {names[now.rung]}", f"choose {far} first")
    if rung < now.rung and resource.only_grows:
        raise _refused(resource, f"{size} is less than {names[now.rung]}, and it can only grow", "choose more")
    costly = resource.approve_above is not None and resource.sizes[rung].cost > resource.approve_above
    ask = rung != found.rung or (rung > now.rung and costly)
    return Decision("more" if rung > now.rung else "less", rung, f"asked for by hand; by the rules: {found.why}", ask)


def distance(rung: int, lowest: int, highest: int) -> int:
    """By how many rungs it is out of bounds; 0 within."""
    return max(lowest - rung, rung - highest, 0)


def _refused(resource: Resource, happened: str, next_step: str) -> PlanRefused:
    return PlanRefused(
        happened,
        target=resource.name,
        left="nothing was touched",
        next_step=next_step,
        runbook="The plan was refused",
    )
