"""An inventory folder that starts out good, and is broken one edit at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from day2 import inventory

GOOD = (Path(__file__).parent / "production.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Home:
    """A home folder with environments/ and calendars/."""

    folder: Path

    def write(self, text: str, name: str = "production.yaml") -> Path:
        """Write an environment file."""
        path = self.folder / "environments" / name
        path.write_text(text, encoding="utf-8")
        return path

    def edit(self, old: str, new: str) -> None:
        """Change the good file in one place."""
        assert GOOD.count(old) == 1, f"{old!r} is {GOOD.count(old)} times in the file"
        self.write(GOOD.replace(old, new))

    def problems(self) -> list[str]:
        """Every problem of every file, as text."""
        _, broken = inventory.read_all(self.folder)
        return [str(problem) for error in broken for problem in error.problems]
