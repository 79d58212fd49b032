"""The old primary follows the new one: by a plain start, by pg_rewind, or as a new copy, in this order.

Each is tried only where it is safe, and followed by the next only where that can help. None is believed:
the server must stream on the new timeline and replay what was written after it started.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any, Literal

from day2.errors import StepFailed
from day2.hosts.shell import require
from day2.operations.dr_drill import (
    aside,
    configured,
    control,
    controldata,
    evidence,
    lineage,
    observe,
    reclone,
    rewind,
    settings_kept,
    slots,
    telling,
)
from day2.operations.dr_drill.configured import Settings
from day2.operations.dr_drill.controldata import Control
from day2.operations.dr_drill.lineage import Lineage
from day2.operations.dr_drill.pair import Node, Pair, Seen
from day2.operations.dr_drill.telling import timed

log = logging.getLogger("day2")
Means = Literal["start", "rewind", "reclone"]
# A server that replays or connects changes; one that does neither for so long has another trouble. A
# standby tries to connect every 5 s.
STALL_SECONDS = 30.0
START_SECONDS = 60.0
MEANS: tuple[Means, ...] = ("start", "rewind", "reclone")


@dataclass(frozen=True)
class Rejoin:
    """One server on its way back: what it follows, with which settings of its own, and what was done so far."""

    pair: Pair
    node: Node
    source: Lineage
    settings: Settings
    seconds: float
    parts: dict[str, float]
    tried: list[str] = field(default_factory=list)

    @property
    def slot(self) -> str:
        return self.settings.values[slots.NAME]

    @property
    def other(self) -> Node:
        return self.pair.other(self.node)


def rejoin(pair: Pair, *, seconds: float) -> dict[str, Any]:
    """Make the old primary follow the standby that took over. `seconds` bounds each part. Returns the measures."""
    with telling.stated(pair):
        return follow(pair, pair.primary, seconds=seconds)


def follow(pair: Pair, node: Node, *, seconds: float) -> dict[str, Any]:
    """Make a server that takes no writes follow the other one, which does. Returns the measures."""
    begun = time.monotonic()
    here = control.located(node)
    named_first, pair = node is pair.primary, pair.replacing(node, here)
    other = pair.other(here)
    reclone.finish(here)
    seen = telling.steady(pair)
    me, source_seen = seen if named_first else seen[::-1]
    if _follows(me, source_seen) or _follows(source_seen, me):
        log.info("%s: %s and %s are whole already", pair.name, node.name, other.name)
        return {"already": True, "means": None, "evidence": evidence.read(here)}
    _refuse_unless_possible(pair, me, source_seen)
    measures = _brought_back(pair, here, seconds)
    return {"already": False} | measures | {"seconds": round(time.monotonic() - begun, 3)}


def _brought_back(pair: Pair, node: Node, seconds: float) -> dict[str, Any]:
    other, parts = pair.other(node), dict[str, float]()
    with timed(parts, "checkpoint"):
        source = rewind.settled(other)
    damaged = aside.has(node, rewind.MARK)
    if damaged and aside.has(node, settings_kept.KEPT):
        settings_kept.put_back(node, into=control.data(node))
    settings = configured.read(node, slots.NAME, *rewind.SETTINGS)
    slot = slots.have(other, node, name=settings.values[slots.NAME])
    control.stop(node, seconds=seconds)
    work = Rejoin(pair, node, source, settings, seconds, parts)
    before = controldata.read(node)
    first = means(before, source, damaged=damaged)
    if first == "rewind" and reclone.is_fresh(node):
        first = "start"
    kept: dict[str, Any] = evidence.read(node)
    if first == "rewind" and not kept:
        with timed(parts, "evidence"):
            kept = evidence.keep(node, before, source)
    used = _by_all_means(work, first)
    aside.forget(node, settings_kept.KEPT, rewind.MARK)
    log.info("%s: %s follows %s (%s)", pair.name, node.name, other.name, used)
    return {
        "means": used,
        "tried": work.tried,
        "timeline": source.timeline,
        "old_timeline": before.timeline,
        "old_state": before.state,
        "slot": slot or None,
        "diverged_bytes": kept.get("diverged_bytes", 0 if first == "start" else None),
        "commits_only_there": kept.get("commits", 0),
        "evidence": kept,
        "parts": parts,
    }


def means(before: Control, source: Lineage, *, damaged: bool) -> Means:
    """What a stopped server needs first to follow the source. Pure.

    `damaged`: an earlier pg_rewind began and nobody saw its end. The control file is written last and still
    looks sound then.
    """
    if damaged:
        return "reclone"
    return "start" if lineage.is_ancestor(before, source) else "rewind"


def _follows(one: Seen, other: Seen) -> bool:
    return one.role == "standby" and one.follows and other.takes_writes


def _refuse_unless_possible(pair: Pair, me: Seen, source: Seen) -> None:
    """A server that takes writes is never stopped here, and one that nobody sees is never started."""
    if source.takes_writes and me.role in ("stopped", "standby"):
        return
    raise telling.failed(
        pair,
        f"{me.node} cannot follow {source.node} now: {me.text}; {source.text}",
        target=pair.name,
        runbook="A server cannot follow the other",
    )


def _by_all_means(work: Rejoin, first: Means) -> Means:
    """The first means that works. Raises StepFailed with what each one said."""
    for each in MEANS[MEANS.index(first) :]:
        log.info("%s: %s rejoins by: %s", work.pair.name, work.node.name, each)
        try:
            _by(work, each)
        except StepFailed as error:
            work.tried.append(f"{each}: {error.happened}")
            log.warning("%s: %s", work.pair.name, work.tried[-1])
            if not _next_may_help(work, each):
                break
            control.stop(work.node, seconds=work.seconds)
        else:
            return each
    raise telling.failed(
        work.pair,
        f"{work.node.name} does not follow {work.other.name}; tried {'; then '.join(work.tried)}",
        target=work.pair.name,
        runbook="The old primary does not rejoin",
    )


def _by(work: Rejoin, way: Means) -> None:
    node = work.node
    if way != "start":
        with timed(work.parts, way):
            if way == "rewind":
                rewind.rewind(node, work.source, settings=work.settings, seconds=work.seconds)
            else:
                reclone.reclone(node, work.other, settings=work.settings, slot=work.slot, seconds=work.seconds)
    with timed(work.parts, "start"):
        if way == "start":
            # Before anything starts it: with this file it comes up as a standby, whoever starts it.
            require(node.shell, "touch", f"{control.data(node)}/{control.SIGNAL}")
        control.start(node, seconds=min(work.seconds, START_SECONDS))
    with timed(work.parts, "stream"):
        _prove_it_streams(work)


def _next_may_help(work: Rejoin, failed: Means) -> bool:
    """A server that has nothing of its own but does not stream has another trouble: rewinding it only harms."""
    return failed != "start" or not lineage.is_ancestor(controldata.read(work.node), work.source)


def _prove_it_streams(work: Rejoin) -> None:
    """It streams from the new primary, on its timeline, and has replayed what was written after it started."""
    mark = observe.observe(work.other, work.node).lsn or work.source.lsn
    last: Seen | None = None

    stalled = time.monotonic() + STALL_SECONDS

    def ended() -> bool:
        nonlocal last, stalled
        now = observe.observe(work.node, work.other)
        if now != last:
            stalled = time.monotonic() + STALL_SECONDS
        last = now
        return _is_there(now, work.source, mark) or time.monotonic() > stalled

    observe.until(ended, seconds=work.seconds)
    if last is None or not _is_there(last, work.source, mark):
        where = f"at {control.written(last.lsn)}" if last and last.lsn else "nowhere"
        raise StepFailed(
            f"{last.text if last else work.node.name}, {where} on timeline {last.timeline if last else None}; "
            f"it should stream timeline {work.source.timeline} and be at {control.written(mark)}",
            target=work.node.name,
        )


def _is_there(seen: Seen, source: Lineage, mark: int) -> bool:
    return seen.follows and seen.timeline == source.timeline and (seen.lsn or 0) >= mark
