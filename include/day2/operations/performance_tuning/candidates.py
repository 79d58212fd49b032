"""Which indexes a statement could use: from its predicates as sqlglot reads them, never from names alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Constants of these types lose their type where pg_stat_statements puts a parameter: `interval $1` does not parse.
TYPED = re.compile(r"\b(interval|date|timestamptz|timestamp|time|bit|numeric)\s+(\$\d+)", re.IGNORECASE)
# sqlglot takes `$1,$` for the beginning of a dollar-quoted string.
PARAMETER = re.compile(r"(\$\d+)")
MOST_COLUMNS = 3


@dataclass
class Wanted:
    """What one statement asks of one table's columns, in the order of its text."""

    equal: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)


def readable(text: str) -> str:
    """A normalised statement as one that may be parsed again."""
    return TYPED.sub(r"\2::\1", text).rstrip("; \n\t")


def parse(text: str) -> Any | None:
    """The statement's tree, or None: not one statement, not one that reads tables, or not understood."""
    import sqlglot
    from sqlglot import errors, exp

    # What it does not know it tells the log of, with the whole text.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        found = sqlglot.parse(PARAMETER.sub(r"\1 ", readable(text)), dialect="postgres")
    except (errors.SqlglotError, RecursionError):
        return None
    work = (exp.Select, exp.SetOperation, exp.Insert, exp.Update, exp.Delete)
    return found[0] if len(found) == 1 and isinstance(found[0], work) else None


def names(tree: Any) -> set[tuple[str, str]]:
    """Schema (empty where none is said) and name of every table in a tree."""
    from sqlglot import exp

    inner = {each.alias_or_name for each in tree.find_all(exp.CTE)}
    named = [each for each in tree.find_all(exp.Table) if isinstance(each.this, exp.Identifier)]
    return {(_schema(each), _name(each.this)) for each in named if each.name not in inner or each.db}


def is_ambiguous(tree: Any, known: Iterable[tuple[str, str]]) -> bool:
    """Whether a table is named without its schema, and there are two of that name."""
    named = [name for _, name in known]
    return any(not schema and named.count(name) > 1 for schema, name in names(tree))


def candidates(
    tree: Any, columns: Mapping[tuple[str, str], frozenset[str]]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Schema, table and columns of each index worth a try. `columns` are those of the tables that are known."""
    from sqlglot import exp

    seen = set()
    for query in tree.find_all(exp.Select, exp.Update, exp.Delete):
        for (schema, table), wanted in _wanted(query, columns).items():
            for chosen in _combinations(wanted):
                if (schema, table, chosen) not in seen:
                    seen.add((schema, table, chosen))
                    yield schema, table, chosen


def _combinations(wanted: Wanted) -> Iterator[tuple[str, ...]]:
    """Columns compared for equality first, then one that is compared by order or sorted by."""
    equal = list(dict.fromkeys(wanted.equal))[:MOST_COLUMNS]
    for column in dict.fromkeys(wanted.joined):
        yield (column,)
        if column not in equal and equal:
            yield (*equal[: MOST_COLUMNS - 1], column)
    if equal:
        yield tuple(equal)
        yield (equal[0],)
    for column in dict.fromkeys([*wanted.ranges, *wanted.order[:1]]):
        if column not in equal:
            yield (*equal[: MOST_COLUMNS - 1], column)
    if wanted.ranges and not equal:
        yield (wanted.ranges[0],)


def _wanted(query: Any, columns: Mapping[tuple[str, str], frozenset[str]]) -> dict[tuple[str, str], Wanted]:
    from sqlglot import exp

    aliases = _aliases(query, columns)
    found: dict[tuple[str, str], Wanted] = {}

    def of(column: Any) -> Wanted | None:
        place = _place(column, aliases, columns)
        return found.setdefault(place, Wanted()) if place else None

    where = query.args.get("where")
    joins = [join.args.get("on") for join in query.args.get("joins") or []]
    for condition in [where.this if where else None, *joins]:
        for each in _conjuncts(condition):
            _note(each, of)
    order = query.args.get("order")
    for each in order.expressions if order else []:
        if isinstance(each.this, exp.Column) and (wanted := of(each.this)):
            wanted.order.append(_name(each.this.this))
    return found


def _note(condition: Any, of: Any) -> None:
    """Sort one condition into what it asks of its column."""
    from sqlglot import exp

    left, right = condition.this, condition.args.get("expression")
    if isinstance(condition, exp.EQ):
        both = isinstance(left, exp.Column) and isinstance(right, exp.Column)
        for side in (left, right):
            if isinstance(side, exp.Column) and (wanted := of(side)):
                (wanted.joined if both else wanted.equal).append(_name(side.this))
    elif isinstance(condition, exp.In) and isinstance(left, exp.Column):
        if wanted := of(left):
            wanted.equal.append(_name(left.this))
    elif isinstance(condition, exp.GT | exp.GTE | exp.LT | exp.LTE | exp.Between):
        for side in (left, right):
            if isinstance(side, exp.Column) and (wanted := of(side)):
                wanted.ranges.append(_name(side.this))


def _conjuncts(condition: Any) -> Iterator[Any]:
    from sqlglot import exp

    if isinstance(condition, exp.Paren):
        yield from _conjuncts(condition.this)
    elif isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    elif condition is not None:
        yield condition


def _aliases(query: Any, columns: Mapping[tuple[str, str], frozenset[str]]) -> dict[str, tuple[str, str]]:
    """The tables of this query alone, by what it calls them."""
    found = {}
    for table in _tables(query):
        name = _name(table.this)
        if place := _known(_schema(table), name, columns):
            found[table.alias or name] = place
    return found


def _tables(query: Any) -> Iterator[Any]:
    """Those that it reads itself, also by joins and USING; not its subqueries'."""
    from sqlglot import exp

    clauses = [query.args.get("from_") or query.args.get("from"), *(query.args.get("joins") or [])]
    sources = [*(each.this for each in clauses if each), query.this, *(query.args.get("using") or [])]
    tables = [each for each in sources if isinstance(each, exp.Table)]
    nested = [join.this for table in tables for join in table.args.get("joins") or []]
    for table in [*tables, *nested]:
        if isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier):
            yield table


def _known(schema: str, name: str, columns: Mapping[tuple[str, str], frozenset[str]]) -> tuple[str, str] | None:
    """The table that is meant: without a schema, the only one of its name. Two of them: nobody knows which."""
    found = [place for place in columns if place[1] == name and (not schema or place[0] == schema)]
    return found[0] if len(found) == 1 else None


def _place(
    column: Any, aliases: Mapping[str, tuple[str, str]], columns: Mapping[tuple[str, str], frozenset[str]]
) -> tuple[str, str] | None:
    """The table of a column: its qualifier's, or the only one that has such a column."""
    name = _name(column.this)
    if column.table:
        place = aliases.get(_name(column.args["table"]))
        return place if place and name in columns[place] else None
    having = [place for place in aliases.values() if name in columns[place]]
    return having[0] if len(having) == 1 else None


def _schema(table: Any) -> str:
    return _name(table.args["db"]) if table.args.get("db") else ""


def _name(identifier: Any) -> str:
    """A name as PostgreSQL stores it: in small letters unless it was quoted."""
    quoted = identifier.args.get("quoted")
    return str(identifier.name if quoted else identifier.name.lower())
