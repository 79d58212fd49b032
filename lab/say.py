"""What the lab tells the person who started it: short lines, as things happen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from day2 import units

# Wide enough for a table when the output goes to a file, where rich would take 80.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
timings: dict[str, float] = {}


def say(text: str, style: str = "") -> None:
    """One line. Never markup: names may contain brackets."""
    console.print(text, markup=False, style=style, soft_wrap=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say how long something took, and remember it for the list of slowest parts."""
    started = time.monotonic()
    yield
    timings[what] = time.monotonic() - started
    say(f"  {what}: {units.duration(timings[what])}")


def say_slowest(count: int = 6) -> None:
    """The slowest parts so far, slowest first. Parts that ran at the same time overlap."""
    slowest = sorted(timings.items(), key=lambda pair: pair[1], reverse=True)[:count]
    parts = ", ".join(f"{what} {units.duration(seconds)}" for what, seconds in slowest)
    say(f"Slowest parts: {parts}")
