"""Errors of the way back: each says what state every server is in, and the commands that finish the job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from day2.errors import Day2Error, StepFailed
from day2.operations.dr_drill import by_hand, observe
from day2.operations.dr_drill.pair import Pair, state


def failed(pair: Pair, happened: str, *, target: str, runbook: str) -> StepFailed:
    """An error about one server of a pair, having looked at both."""
    seen = observe.look(pair)
    return StepFailed(
        happened,
        target=target,
        left=observe.described(*seen),
        next_step="; ".join(by_hand.commands(pair, state(*seen))),
        runbook=runbook,
    )


@contextmanager
def stated(pair: Pair) -> Iterator[None]:
    """Give an error from below, which knows of one server or host only, the state of both."""
    try:
        yield
    except Day2Error as error:
        seen = observe.look(pair)
        now = observe.described(*seen)
        if now in error.left:
            raise
        raise type(error)(
            error.happened,
            target=error.target or pair.name,
            left="; ".join(filter(None, (now, error.left))),
            next_step="; ".join(filter(None, (error.next_step, *by_hand.commands(pair, state(*seen))))),
            runbook=error.runbook,
        ) from error


@contextmanager
def timed(parts: dict[str, float], name: str) -> Iterator[None]:
    """Write down how many seconds a part took, also when it fails."""
    begun = time.monotonic()
    try:
        yield
    finally:
        parts[name] = round(parts.get(name, 0.0) + time.monotonic() - begun, 3)
