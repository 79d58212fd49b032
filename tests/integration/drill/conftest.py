"""A fresh pair for each test: a drill changes which server is which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.drill.making import Living, living


@pytest.fixture
def pair(servers_folder: Path) -> Iterator[Living]:
    with living(servers_folder) as made:
        yield made
