"""docs/bench.md: the words are written by hand, what is between the markers by `python -m bench docs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import drills, looks, orchestration, parsing, patching, reviews, tables
from bench.tables import Grid
from lab.places import CHECKOUT

PAGE = CHECKOUT / "docs" / "bench.md"
BEGIN, END = "<!-- figures of {part}: begin -->", "<!-- figures of {part}: end -->"
SYSTEM = ("processor", "memory", "system")
GRIDS: dict[str, Callable[[list[dict[str, Any]]], Grid]] = {
    "act": lambda rows: tables.compared("", rows),
    "proof": lambda rows: tables.compared("", rows),
    "restore": lambda rows: tables.compared("", rows),
    "dag": orchestration.grid,
    "parse": parsing.grid,
    "drill": drills.grid,
    "patch": patching.grid,
    "forecasts": reviews.grid,
    "health": looks.grid,
}


def write(found: dict[str, dict[str, Any]], page: Path = PAGE) -> Path:
    """Replace the figures of each part that has any; the rest of the page stays."""
    text = page.read_text()
    for part, made in found.items():
        text = _replaced(text, part, f"{_when(made)}\n\n{GRIDS[part](made['rows']).markdown()}")
    page.write_text(text)
    return page


def _when(made: dict[str, Any]) -> str:
    loads = [each for row in made["rows"] for each in row["load"]]
    described = made["machine"]
    programs = ", ".join(f"{name} {number}" for name, number in described.items() if name not in SYSTEM)
    where = ", ".join(described[name] for name in SYSTEM)
    return f"{made['at'][:10]}, load average {min(loads)} to {max(loads)}, on {where}; {programs}."


def _replaced(text: str, part: str, figures: str) -> str:
    begin, end = BEGIN.format(part=part), END.format(part=part)
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{figures}\n{end}{after}" if rest else text
