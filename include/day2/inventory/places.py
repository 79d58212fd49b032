"""Where environment files and calendars are.

`DAY2_INVENTORY` names a folder of environment files. Else `DAY2_HOME` names a folder with
`environments/` and `calendars/` in it. Else it is the project's own `include/`.
"""

from __future__ import annotations

import os
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2]


def environments_folder(home: Path | None = None) -> Path:
    """The folder of environment files; `home` goes before both variables."""
    if home is None and (folder := os.environ.get("DAY2_INVENTORY")):
        return Path(folder)
    return (home or Path(os.environ.get("DAY2_HOME") or INCLUDE)) / "environments"


def calendars_folder(home: Path | None = None) -> Path:
    """The folder of calendars."""
    return (home or Path(os.environ.get("DAY2_HOME") or INCLUDE)) / "calendars"
