"""Figures as tables: for the terminal, and the same rows in Markdown for docs/bench.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from bench.measure import Comparison, median
from day2.units import size


@dataclass(frozen=True)
class Grid:
    """A title, column heads and rows of text. A row starting with its name is left-aligned."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        table = Table(title=self.title)
        for number, head in enumerate(self.heads):
            table.add_column(head, justify="left" if number == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        lines = [self.heads, ("---", *["---:"] * (len(self.heads) - 1)), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row(compared: Comparison) -> dict[str, Any]:
    """A comparison as plain values: its medians, and every sample."""
    return {
        "name": compared.name,
        "bare_command": compared.bare_command,
        "goal": compared.goal,
        "wall": [median(compared.ours, "wall"), median(compared.bare, "wall"), compared.wall_ratio],
        "client_cpu": [median(compared.ours, "client_cpu"), median(compared.bare, "client_cpu")],
        "cpu": [median(compared.ours, "cpu"), median(compared.bare, "cpu"), compared.cpu_ratio],
        "peak_pss": [max(each.peak_pss for each in side) for side in (compared.ours, compared.bare)],
        "bytes": compared.ours[-1].bytes,
        "load": compared.load,
        "ours": [asdict(each) for each in compared.ours],
        "bare": [asdict(each) for each in compared.bare],
    }


def compared(title: str, rows: Sequence[dict[str, Any]]) -> Grid:
    """Rows of `row`, ours and the other side's as `ours / bare`."""
    heads = ("ours / bare", "wall s", "ratio", "CPU s", "ratio", "of it client", "peak memory", "stored", "goal")
    return Grid(title, heads, tuple(_compared(each) for each in rows))


def _compared(each: dict[str, Any]) -> tuple[str, ...]:
    wall, cpu, client, peak, goal = (each[key] for key in ("wall", "cpu", "client_cpu", "peak_pss", "goal"))
    met = "–" if goal is None else f"≤ {goal:.2f} {_met(wall[2], cpu[2], goal)}"
    return (
        each["name"],
        f"{wall[0]:.1f} / {wall[1]:.1f}",
        f"{wall[2]:.2f}",
        f"{cpu[0]:.1f} / {cpu[1]:.1f}",
        f"{cpu[2]:.2f}",
        f"{client[0]:.1f} / {client[1]:.1f}",
        f"{size(peak[0])} / {size(peak[1])}",
        size(each["bytes"]),
        met,
    )


def _met(wall: float, cpu: float, goal: float) -> str:
    missed = [name for name, ratio in (("wall", wall), ("CPU", cpu)) if ratio > goal]
    return f"missed: {' and '.join(missed)}" if missed else "met"
