"""Wait until a size is really there, with a deadline that ends in what was seen last."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.operations.scale_resource.drivers.driver import Driver, Seen
from day2.units import duration

log = logging.getLogger("day2")
RUNBOOK = "A size is not there in time"


def write(driver: Driver, size: str) -> None:
    """Ask for a size. A refusal says what was asked, what is there now, and whether trying again may help."""
    try:
        driver.write(size)
    except Day2Error as error:
        kind = Unavailable if error.transient else StepFailed
        raise kind(
            f"it was asked to become {size}, and that failed: {error.happened}",
            target=error.target or driver.label,
            left=_now(driver),
            next_step=error.next_step,
            runbook=error.runbook,
        ) from error


def wait(driver: Driver, size: str, *, within: timedelta, every: timedelta) -> Seen:
    """Look until the size is there and in service. Raises StepFailed with what was seen last.

    An API that does not answer for a while is asked again: it is no answer, and no reason to go back.
    """
    deadline = time.monotonic() + within.total_seconds()
    while True:
        try:
            seen = driver.read()
            if seen.size == size and seen.settled:
                return seen
            said = seen.words
        except Unavailable as error:
            said = error.happened
        rest = deadline - time.monotonic()
        if rest <= 0:
            raise StepFailed(
                f"{size} is not there after {duration(within.total_seconds())}",
                target=driver.label,
                left=f"last seen: {said}",
                next_step="look at the resource itself: why does it not become what it was asked to be?",
                runbook=RUNBOOK,
            )
        log.info("%s: waiting for %s: %s", driver.label, size, said)
        time.sleep(min(rest, every.total_seconds()))


def _now(driver: Driver) -> str:
    try:
        return f"it is now: {driver.read().words}"
    except Day2Error as error:
        return f"unknown: it could not be read again either: {error.happened}"
