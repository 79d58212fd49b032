"""Progress lines during long transfers: how much, how fast, how much longer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from day2.units import duration, size

log = logging.getLogger("day2")
EVERY_SECONDS = 10.0


class Progress:
    """Call it with the bytes moved so far; it logs at most one line every ten seconds.

    `share` gives how much of the source was read, 0 to 1, or None if nobody knows.
    """

    def __init__(self, label: str, *, share: Callable[[], float | None] = lambda: None) -> None:
        self._label = label
        self._share = share
        self._begun = self._last = time.monotonic()
        self.bytes = 0

    def __call__(self, moved: int) -> None:
        self.bytes = moved
        now = time.monotonic()
        if now - self._last < EVERY_SECONDS:
            return
        self._last = now
        spent = now - self._begun
        line = f"{self._label}: {size(moved)} moved, {size(moved / spent)}/s"
        share = self._share()
        if share:
            left = spent * (1 - min(share, 1.0)) / share
            line += f", {share:.0%} of the source, about {duration(left)} to go"
        log.info("%s", line)

    @classmethod
    def of(cls, label: str, total: int) -> Progress:
        """Progress through a known number of bytes."""
        progress = cls(label, share=lambda: progress.bytes / total if total else None)
        return progress

    def done(self) -> None:
        """One line for the whole transfer."""
        spent = max(time.monotonic() - self._begun, 0.001)
        log.info("%s: %s in %s, %s/s", self._label, size(self.bytes), duration(spent), size(self.bytes / spent))
