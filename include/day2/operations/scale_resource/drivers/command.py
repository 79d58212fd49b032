"""Sizes that a command on a host reads and writes. A size is one argument, never a part of a shell's line."""

from __future__ import annotations

import re
from dataclasses import dataclass

from day2.errors import StepFailed
from day2.hosts.shell import Shell, require
from day2.inventory.scaling import PLACE, SIZE
from day2.operations.scale_resource.drivers.driver import Seen


@dataclass(frozen=True)
class Command:
    """What `read` prints is the size that is really there; `write` asks for another one."""

    shell: Shell
    name: str
    read_with: tuple[str, ...]
    write_with: tuple[str, ...]
    seconds: float
    simulated: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} on {self.shell.label}"

    def read(self) -> Seen:
        """What the command prints. Raises StepFailed when that is not the name of a size."""
        said = require(self.shell, *self.read_with, seconds=self.seconds).strip()
        if not re.match(SIZE, said):
            raise StepFailed(
                f"`{' '.join(self.read_with)}` printed {said[:100]!r}, which is not the name of a size",
                target=self.label,
                left="nothing was changed by this command",
                next_step="let it print the name of the present size, and nothing else",
                runbook="A size cannot be read",
            )
        return Seen(said, True, f"`{' '.join(self.read_with)}` says {said}")

    def write(self, size: str) -> None:
        """Run it. Raises StepFailed with its last words."""
        require(self.shell, *(each.replace(PLACE, size) for each in self.write_with), seconds=self.seconds)
