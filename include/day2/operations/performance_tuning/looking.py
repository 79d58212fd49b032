"""How the target of a change is now, as plain values: what must be back after reverting is compared with this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from day2.errors import StepFailed
from day2.operations.performance_tuning.target import Target
from day2.postgres.server import SESSION, rows

if TYPE_CHECKING:
    import psycopg

QUERIES = {
    "index": "tuning_index",
    "index rebuild": "tuning_index",
    "setting": "tuning_setting",
    "database setting": "tuning_database_setting",
    "table options": "tuning_table_options",
    "table": "tuning_table",
}
# What every use of a table moves: never a sign that something was left behind.
MOVING = ("bytes", "dead_rows", "modified_rows", "transaction_age", "analyzed", "vacuumed")


def look(connection: psycopg.Connection[Any], target: Target) -> dict[str, Any]:
    """Whether it is there, and how. Raises StepFailed for a setting that our own session hides."""
    found = rows(connection, QUERIES[target.subject], name=target.name, schema=target.schema)
    if len(found) > 1:
        raise StepFailed(
            f"{target.label}: there are {len(found)} of that name; write its schema",
            left="nothing was changed by this look",
        )
    seen = found[0] if found else {}
    if target.subject == "setting" and target.name in {each.lower() for each in SESSION}:
        return _in_the_file(connection, seen, target)
    if target.subject == "database setting" and seen:
        return {**seen, "value": _as_kept(connection, target.name, seen["value"])}
    return seen


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Whether nothing differs but what moves by itself."""
    return _steady(one) == _steady(two)


def valid(seen: dict[str, Any]) -> bool:
    """Whether an index is there and can be used."""
    return bool(seen) and bool(seen["valid"])


def _steady(seen: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in seen.items() if key not in MOVING}


def _as_kept(connection: psycopg.Connection[Any], name: str, text: str) -> str:
    """A value in the setting's own unit: what was written as 4MB comes back as 4096kB."""
    with connection.transaction(force_rollback=True):
        connection.execute("select pg_catalog.set_config(%s, %s, true)", (name, text))
        [kept] = rows(connection, "tuning_as_set", name=name)
    return str(kept["value"])


def _in_the_file(connection: psycopg.Connection[Any], seen: dict[str, Any], target: Target) -> dict[str, Any]:
    """For a setting that each of our sessions sets for itself: only the file shows the server's value."""
    [allowed] = rows(connection, "tuning_may_read_files")
    if not allowed["may"]:
        raise StepFailed(
            f"{target.name}: this role may not read the server's configuration files, so nobody could see the effect",
            left="nothing was changed",
            next_step="GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_all_file_settings() TO the role",
            runbook="A privilege is missing",
        )
    in_files = rows(connection, "tuning_file_setting", name=target.name)
    last = in_files[-1] if in_files else {"value": None, "file": None}
    return {**last, "context": seen["context"], "pending_restart": seen["pending_restart"]}
