"""What every test shares: a test's folder says what it needs, so its marker follows from the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["tests.booted"]

TESTS = Path(__file__).parent
MARKED = ("integration", "airflow", "ui")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in MARKED:
            item.add_marker(folder)
