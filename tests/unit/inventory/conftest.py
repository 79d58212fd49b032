"""A good inventory in a temporary home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.inventory.homes import GOOD, Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A good inventory of one environment."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "changes.ics").write_text("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    home = Home(tmp_path)
    home.write(GOOD)
    return home
