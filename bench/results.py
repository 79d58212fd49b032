"""Where figures are kept: one JSON file a day, a part of the bench at a time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine

FOLDER = Path(__file__).parent / "results"
NAMED_BY = {
    "act": "name",
    "proof": "name",
    "restore": "name",
    "dag": "targets",
    "parse": "file",
    "drill": "part",
    "patch": "name",
    "forecasts": "part",
    "health": "part",
}
PROGRAMS = ("pg_basebackup", "pg_dump", "zstd", "age", "tar", "aws")
PROGRAMS_OF = {"patch": ("apt-get",)}


def save(
    part: str, row: dict[str, Any], *, scale: float, folder: Path = FOLDER, programs: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Write a row into today's file, in the place of an earlier one of its name; returns the part's rows.

    A reduced scale has a file of its own. `programs` are those whose versions matter, if not the usual ones.
    """
    folder.mkdir(exist_ok=True)
    suffix = "" if scale == 1 else f"-scale-{scale:g}"
    path = folder / f"{datetime.now(UTC):%Y-%m-%d}{suffix}.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    name = NAMED_BY[part]
    known = content.get(part, {}).get("rows", [])
    rows = {each[name]: each for each in (*known, row)}
    content[part] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": scale,
        "machine": machine.describe(programs or PROGRAMS_OF.get(part, PROGRAMS)),
        "rows": sorted(rows.values(), key=lambda each: each[name]) if part == "dag" else list(rows.values()),
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    found: list[dict[str, Any]] = content[part]["rows"]
    return found


def newest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The newest full-scale figures of each part."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("????-??-??.json")):
        found |= json.loads(path.read_text())
    return found
