"""What is wrong with an inventory, said as `file:line: what is wrong; what to write`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from day2.errors import InventoryError

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """Something wrong at a place in the data, such as ("databases", 0, "region").

    `value` says that the text continues the field's name: `region 'eu' is …`.
    """

    location: Location
    text: str
    value: bool = True


@dataclass(frozen=True, order=True)
class Problem:
    """A finding with the file and line it stands on; line 0 is the file, or folder, as a whole."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text}"


class BrokenInventory(InventoryError):
    """Everything wrong with one file, or with several, one line a problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))

    def __str__(self) -> str:
        return self.happened
