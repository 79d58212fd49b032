"""One thing that must hold before a drill starts, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was observed, and what is needed. A critical one that is not ok forbids a start."""

    name: str
    ok: bool
    observed: str
    needed: str
    severity: Severity = "critical"

    @property
    def forbids(self) -> bool:
        """Whether nothing may start because of it."""
        return not self.ok and self.severity == "critical"
