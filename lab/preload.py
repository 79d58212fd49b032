"""The library that lets a server count its statements. It must be there when the server starts."""

from __future__ import annotations

from day2.postgres.binaries import Binaries
from day2.postgres.scratch import libraries

LIBRARY = "pg_stat_statements"


def preload(binaries: Binaries) -> dict[str, str]:
    """The setting that loads it; nothing where the programs do not bring it."""
    return {"shared_preload_libraries": LIBRARY} if libraries(LIBRARY, binaries)[0] else {}
