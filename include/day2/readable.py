"""The one thing every byte stream here can do."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    """`read(size)` gives up to `size` bytes, all there are for -1, and nothing only at the end."""

    def read(self, size: int = -1, /) -> bytes: ...
