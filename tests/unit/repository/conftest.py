from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from day2.repository.folder import FolderStore

MEMORY = Path("/dev/shm")


@pytest.fixture
def store() -> Iterator[FolderStore]:
    """An empty repository, in memory where there is such a place: every write is flushed to it."""
    folder = Path(tempfile.mkdtemp(prefix="day2-", dir=MEMORY if MEMORY.is_dir() else None))
    yield FolderStore(folder / "repository")
    shutil.rmtree(folder)
