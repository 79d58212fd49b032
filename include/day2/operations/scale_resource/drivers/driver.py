"""What a driver can do, and what it says of a resource."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Seen:
    """A resource as its API shows it.

    `size` is what it is told to be. `settled`: that is really there, and in service. `words` say how it stands.
    """

    size: str
    settled: bool
    words: str


class Driver(Protocol):
    """One resource behind its API. `label` is how messages name it; `simulated` says that it is not the real one."""

    @property
    def label(self) -> str: ...

    @property
    def simulated(self) -> bool: ...

    def read(self) -> Seen:
        """How it stands now. Raises StepFailed if it cannot be told, Unavailable if the API does not answer."""
        ...

    def write(self, size: str) -> None:
        """Ask for a size, once, and do not wait for it. Raises StepFailed when that is refused, and Unavailable."""
        ...
