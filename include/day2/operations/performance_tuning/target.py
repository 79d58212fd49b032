"""What a statement is about. Only the kinds of statement known here are ever run. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from day2.errors import PlanRefused
from day2.operations.performance_tuning.model import Change

Subject = Literal["index", "setting", "database setting", "table options", "table", "index rebuild"]

NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_\u0080-\uffff][\w$]*)'
QUOTED = r"""'(?:[^']|'')*'|"(?:[^"]|"")*\""""
QUALIFIED = rf"(?:(?P<schema>{NAME})\.)?(?P<name>{NAME})"
FORMS: tuple[tuple[Subject, str], ...] = (
    (
        "index",
        rf"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{NAME})\s+"
        rf"ON\s+(?:ONLY\s+)?(?:(?P<schema>{NAME})\.)?(?P<table>{NAME})\s.*",
    ),
    ("index", rf"DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?{QUALIFIED}"),
    ("index rebuild", rf"REINDEX\s+(?:\(.*?\)\s+)?INDEX\s+CONCURRENTLY\s+{QUALIFIED}"),
    (
        "setting",
        r"ALTER\s+SYSTEM\s+(?:SET|RESET)\s+(?P<name>(?!all\b)[a-z_][\w.]*)(?:\s*(?:=|\sTO\s)\s*(?P<value>.+))?",
    ),
    (
        "database setting",
        rf"ALTER\s+DATABASE\s+(?P<schema>{NAME})\s+(?:SET|RESET)\s+(?P<name>(?!all\b)[a-z_][\w.]*)(?:\s*(?:=|\sTO\s)\s*(?P<value>.+))?",
    ),
    ("table options", rf"ALTER\s+TABLE\s+(?:ONLY\s+)?{QUALIFIED}\s+(?:SET|RESET)\s*\([^;]*\)"),
    ("table", rf"(?:ANALYZE|VACUUM)\s*(?:\([^)]*\)\s*)?(?:(?:FREEZE|ANALYZE|VERBOSE)\s+)*{QUALIFIED}"),
)


@dataclass(frozen=True)
class Target:
    """An index, a setting or a table, by its name as the server keeps it; of a database's setting, `schema` names it.

    `value` is what a setting gets, as written; `tablespace` is where an index is made, if not in the default one.
    """

    subject: Subject
    name: str
    schema: str = ""
    value: str = ""
    tablespace: str = ""

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def target(statement: str) -> Target:
    """What a statement is about. Raises PlanRefused for anything that tuning does not do."""
    text = statement.strip().rstrip(";").strip()
    one = ";" not in re.sub(QUOTED, "", text)
    for subject, form in FORMS if one else ():
        if found := re.fullmatch(form, text, re.IGNORECASE | re.DOTALL):
            names = found.groupdict()
            value = (names.get("value") or "").strip("'")
            return Target(subject, _plain(names["name"]), _plain(names.get("schema") or ""), value)
    raise PlanRefused(
        f"tuning does not run statements of this kind: {text[:200]}",
        left="nothing was changed",
        next_step="run it by hand if it is what you want; the next run sees what it did",
    )


def of(change: Change) -> Target:
    """What a change is about: its statement and its reverse must agree."""
    found = target(change.statement)
    if not reversible(change):
        return found
    back = target(change.reverse)
    schemas = {found.schema, back.schema} - {""}
    if (found.subject, found.name) != (back.subject, back.name) or len(schemas) > 1:
        raise PlanRefused(
            f"{change.reverse!r} does not undo {change.statement!r}: it is about {back.label}, not {found.label}",
            left="nothing was changed",
        )
    return replace(found, schema=found.schema or back.schema)


def reversible(change: Change) -> bool:
    """Whether there is a statement that undoes it. A vacuum or a rebuild needs none."""
    return bool(change.reverse.strip()) and not change.reverse.lstrip().startswith("--")


def makes_index(statement: str) -> bool:
    """Whether it is one that builds an index."""
    return bool(re.match(r"\s*CREATE\b", statement, re.IGNORECASE))


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
