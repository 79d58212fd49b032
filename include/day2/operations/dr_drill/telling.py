"""Errors of the way back: each says what state every server is in, and the commands that finish the job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from day2.errors import Day2Error, StepFailed
from day2.operations.dr_drill import by_hand, observe, sessions
from day2.operations.dr_drill.pair import Pair, Seen, state

# `observe.described` says it of both servers.
TOLD = ": state "
STARTING_SECONDS = 60.0


def steady(pair: Pair) -> tuple[Seen, Seen]:
    """Both servers, when none is starting up: an attempt that died may have told one to start."""
    last: list[tuple[Seen, Seen]] = []

    def none_starts() -> bool:
        last[:] = [observe.look(pair)]
        return "starting" not in (each.role for each in last[0])

    observe.until(none_starts, seconds=STARTING_SECONDS, every=0.2)
    return last[0]


def failed(pair: Pair, happened: str, *, target: str, runbook: str) -> StepFailed:
    """An error about one server of a pair, having looked at both."""
    seen = observe.look(pair)
    return StepFailed(
        happened,
        target=target,
        left=observe.described(*seen),
        next_step=_next(pair, seen),
        runbook=runbook,
    )


@contextmanager
def stated(pair: Pair) -> Iterator[None]:
    """Give an error from below, which knows of one server or host only, the state of both.

    A whole step is in it, so sessions are kept for as long.
    """
    with sessions.kept():
        try:
            yield
        except Day2Error as error:
            if TOLD in error.left:
                raise
            raise _with_both(pair, error) from error


def _with_both(pair: Pair, error: Day2Error) -> Day2Error:
    seen = observe.look(pair)
    now = observe.described(*seen)
    return type(error)(
        error.happened,
        target=error.target or pair.name,
        left="; ".join(filter(None, (now, error.left))),
        next_step="; ".join(filter(None, (error.next_step, _next(pair, seen)))),
        runbook=error.runbook,
    )


def _next(pair: Pair, seen: tuple[Seen, Seen]) -> str:
    """Every step looks first and goes on from there, so running it again is always an answer."""
    commands = "; ".join(by_hand.commands(pair, state(*seen)))
    return f"run this step again, or finish by hand: {commands}" if commands else "run this step again"


@contextmanager
def timed(parts: dict[str, float], name: str) -> Iterator[None]:
    """Write down how many seconds a part took, also when it fails."""
    begun = time.monotonic()
    try:
        yield
    finally:
        parts[name] = round(parts.get(name, 0.0) + time.monotonic() - begun, 3)
