"""What the parts of something cost, one after the other, in this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Parts:
    """Wall clock, CPU and the highest memory so far of each part, in order."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure a part: seconds, CPU seconds of this process, bytes."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        row = {"part": name, "wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        self.rows.append(row | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
