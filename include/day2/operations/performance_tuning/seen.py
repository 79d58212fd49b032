"""What is remembered of a database from one run to the next, so that changes made by hand are noticed."""

from __future__ import annotations

from typing import Any

from day2.operations.performance_tuning.session import session
from day2.postgres.server import Server, rows


def seen(server: Server) -> dict[str, Any]:
    """Settings that are not the defaults, the database's own ones, and every index that can be used: plain JSON."""
    with session(server) as connection:
        settings = rows(connection, "tuning_all_settings")
        own = rows(connection, "tuning_database_settings")
        indexes = rows(connection, "tuning_all_indexes")
    return {
        "database": server.dbname,
        "settings": {each.pop("name"): each for each in settings},
        "database_settings": {each["name"]: each["value"] for each in own},
        "indexes": {each["name"]: each["definition"] for each in indexes},
    }
