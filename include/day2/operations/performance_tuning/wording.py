"""Parts of statements and sentences that the rules share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from day2.operations.performance_tuning.model import Evidence

# For what leaves nothing to undo: it runs, and does nothing.
NOTHING_TO_REVERSE = "-- nothing to reverse: definitions and settings stay as they are"
LONGEST_NAME = 63
OURS = "day2_"
CONCURRENTLY = (
    "SHARE UPDATE EXCLUSIVE on {table}: reads and writes go on; it waits for transactions that began before it"
)


def evidence(name: str, value: float | str, unit: str, query: str) -> Evidence:
    """One number, rounded as people read it."""
    return Evidence(name, round(value, 3) if isinstance(value, float) else value, unit, query)


def share(value: float) -> str:
    """A share as per cent: `0.5` is `50 %`."""
    return f"{value:.0%}".replace("%", " %")


def create_concurrently(definition: str) -> str:
    """What pg_get_indexdef gave, as a statement that lets others write meanwhile."""
    for begins in ("CREATE UNIQUE INDEX ", "CREATE INDEX "):
        if definition.startswith(begins):
            return f"{begins}CONCURRENTLY {definition.removeprefix(begins)}"
    raise ValueError(f"not the definition of an index: {definition}")


def literal(text: str) -> str:
    """A value as a quoted constant."""
    return "'" + text.replace("'", "''") + "'"


def bare(quoted: str) -> str:
    """A name out of its quotes."""
    return quoted[1:-1].replace('""', '"') if quoted.startswith('"') else quoted


def parts(qualified: str) -> tuple[str, str]:
    """Schema and name, each still quoted, of what quote_ident made of them."""
    inside = False
    for place, letter in enumerate(qualified):
        inside ^= letter == '"'
        if letter == "." and not inside:
            return qualified[:place], qualified[place + 1 :]
    raise ValueError(f"a name without a schema: {qualified}")


def index_name(table: str, columns: Iterable[str]) -> str:
    """The name of an index that we make, quoted: ours by its beginning, the same for the same columns."""
    schema, name = parts(table)
    whole = OURS + "_".join([bare(name), *map(bare, columns)])
    if len(whole.encode()) > LONGEST_NAME:
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        whole = whole.encode()[: LONGEST_NAME - 9].decode(errors="ignore") + "_" + digest
    escaped = whole.replace('"', '""')
    return f'{schema}."{escaped}"'
