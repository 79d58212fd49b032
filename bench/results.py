"""Where figures are kept: one JSON file a day, a part of the bench at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine

FOLDER = Path(__file__).parent / "results"
PROGRAMS = ("pg_basebackup", "pg_dump", "zstd", "age", "tar", "aws")


def save(part: str, rows: list[dict[str, Any]], *, scale: float, load: float, folder: Path = FOLDER) -> Path:
    """Write a part's rows into today's file; a reduced scale has a file of its own."""
    folder.mkdir(exist_ok=True)
    suffix = "" if scale == 1 else f"-scale-{scale:g}"
    path = folder / f"{datetime.now(UTC):%Y-%m-%d}{suffix}.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    content[part] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scale": scale,
        "load": [load, machine.load()],
        "machine": machine.describe(PROGRAMS),
        "rows": rows,
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def newest(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The newest full-scale figures of each part."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("????-??-??.json")):
        found |= json.loads(path.read_text())
    return found
