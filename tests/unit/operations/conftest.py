from __future__ import annotations

from tests.unit.repository.conftest import store

__all__ = ["store"]
