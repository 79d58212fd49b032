"""The probe's samples on their way to the ledger: in a thread of their own, because the ledger may be away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from day2.errors import Day2Error, Unavailable
from day2.ledger.probe import Sample

log = logging.getLogger("day2")
EVERY_SECONDS = 0.5


class Sink(Protocol):
    """Where samples go: day2.ledger.probe.Sink, or what stands for it in a test."""

    def first(self) -> int: ...

    def deliver(self, samples: Sequence[Sample]) -> None: ...

    def samples(self) -> list[Sample]: ...

    def stops(self) -> list[datetime]: ...

    def asked_to_stop(self) -> bool: ...


class Delivery:
    """Takes samples at once and hands them on every half second, in order, until the sink has them."""

    def __init__(self, name: str, sink: Sink) -> None:
        self.stop_asked = threading.Event()
        self._name, self._sink = name, sink
        self._waiting: list[Sample] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._work, name=f"deliver {name}", daemon=True)
        self._thread.start()

    def put(self, samples: list[Sample]) -> None:
        """Keep samples until they are delivered. Returns at once."""
        with self._lock:
            self._waiting += samples

    def close(self, seconds: float) -> None:
        """Deliver what waits. Raises Unavailable when the sink did not take it in time."""
        self._closing.set()
        self._thread.join(seconds)
        if left := len(self._waiting):
            raise Unavailable(
                f"{left} samples of the outside probe could not be written: {self._trouble or 'the ledger is slow'}",
                target=self._name,
                left="the earlier samples are in the ledger; markers of the missing ones may be in the database",
                next_step="bring the ledger back, then run this step again: it goes on with the next number",
                runbook="The outside probe does not run",
            )

    def _work(self) -> None:
        while not self._closing.wait(EVERY_SECONDS):
            self._hand_on()
        while self._waiting:
            self._hand_on()
            time.sleep(0.1 if self._waiting else 0)

    def _hand_on(self) -> None:
        with self._lock:
            batch = list(self._waiting)
        try:
            if batch:
                self._sink.deliver(batch)
            if not self.stop_asked.is_set() and self._sink.asked_to_stop():
                self.stop_asked.set()
        except Day2Error as error:
            self._say(error, len(batch))
            return
        with self._lock:
            del self._waiting[: len(batch)]
        if self._trouble:
            log.info("%s: the ledger is back; the %d samples kept meanwhile are written", self._name, len(batch))
            self._trouble = ""

    def _say(self, error: Day2Error, waiting: int) -> None:
        if not self._trouble:
            log.warning("%s: the probe goes on and keeps %d samples: %s", self._name, waiting, error.happened)
        self._trouble = error.happened
