"""What each `$n` of a normalised statement is compared with: where values for it can be taken from. Pure.

pg_stat_statements keeps no values. The rows of the table that a parameter is compared with have some, as often as
they occur; that is not what people asked for, and it is said so, but it is no invention either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from day2.operations.performance_tuning.candidates import parse

Role = Literal["equal", "low", "high", "pattern", "list", "constant"]
# A page of results, the first one.
LIMIT, OFFSET = "10", "0"
PREFIX = 3


@dataclass(frozen=True)
class Parameter:
    """One `$n`: an expression over one of these tables gives values for it, or it is a constant."""

    number: int
    role: Role
    expression: str = ""
    tables: tuple[str, ...] = ()
    constant: str = ""


class NoValue(ValueError):
    """Nobody can say what this statement was called with."""


def parameters(text: str) -> list[Parameter]:
    """Each parameter of a statement that reads, by number. Raises NoValue saying why it cannot be replayed."""
    from sqlglot import exp

    tree = parse(text)
    if tree is None:
        raise NoValue("it is not one statement that can be read")
    if not isinstance(tree, exp.Select | exp.SetOperation) or tree.find(exp.Insert, exp.Update, exp.Delete):
        raise NoValue("it changes data")
    found = {int(each.name): each for each in tree.find_all(exp.Parameter)}
    return [_parameter(number, found[number]) for number in sorted(found)]


def value(parameter: Parameter, sample: Sequence[str], number: int) -> str:
    """A literal for one call: the first bound of a range is the smaller of two samples. `number` is the call's."""
    if parameter.role == "constant":
        return parameter.constant
    if not sample:
        raise NoValue(f"there is no value to compare ${parameter.number} with")
    # A prime step, so that two parameters of one call do not walk through the rows together.
    one = sample[number % len(sample)]
    if parameter.role in ("low", "high"):
        two = sample[(number * 7 + len(sample) // 2) % len(sample)]
        ends = sorted((sample.index(one), sample.index(two)))
        return _literal(sample[ends[0 if parameter.role == "low" else 1]])
    if parameter.role == "pattern":
        return _literal(one[:PREFIX] + "%")
    if parameter.role == "list":
        inner = one.replace("\\", "\\\\").replace('"', '\\"')
        return _literal(f'{{"{inner}"}}')
    return _literal(one)


def _parameter(number: int, node: Any) -> Parameter:
    from sqlglot import exp

    child, parent = node, node.parent
    while isinstance(parent, exp.Paren | exp.Cast | exp.Any):
        if isinstance(parent, exp.Cast) and parent.to.is_type("interval"):
            break
        child, parent = parent, parent.parent
    if isinstance(parent, exp.Limit | exp.Fetch):
        return Parameter(number, "constant", constant=LIMIT)
    if isinstance(parent, exp.Offset):
        return Parameter(number, "constant", constant=OFFSET)
    role, other = _compared(parent, child)
    if other is None or not other.find(exp.Column) or other.find(exp.Parameter, exp.AggFunc, exp.Query):
        raise NoValue(f"nothing says what ${number} was: it is in {parent.sql(dialect='postgres')[:100]}")
    if isinstance(child, exp.Any):
        role = "list"
    return Parameter(number, role, other.sql(dialect="postgres"), _tables(other))


def _compared(parent: Any, child: Any) -> tuple[Role, Any]:
    """How a parameter is compared, and with what."""
    from sqlglot import exp

    if isinstance(parent, exp.Between):
        return ("low" if parent.args["low"] is child else "high"), parent.this
    if isinstance(parent, exp.In):
        return "equal", parent.this
    if not isinstance(parent, exp.Predicate) or not isinstance(parent, exp.Binary):
        return "equal", None
    left = parent.left is child
    other = parent.right if left else parent.left
    if isinstance(parent, exp.Like | exp.ILike):
        return "pattern", other
    if isinstance(parent, exp.GT | exp.GTE):
        return ("high" if left else "low"), other
    if isinstance(parent, exp.LT | exp.LTE):
        return ("low" if left else "high"), other
    return "equal", other


def _tables(expression: Any) -> tuple[str, ...]:
    """The tables around an expression that it may be about, as they stand in a FROM; the nearest first."""
    from sqlglot import exp

    asked = {each.table for each in expression.find_all(exp.Column) if each.table}
    found: list[str] = []
    scope = expression.find_ancestor(exp.Select)
    while scope is not None:
        for table in scope.find_all(exp.Table):
            if not asked or table.alias_or_name in asked:
                found.append(_bare(table))
        scope = scope.find_ancestor(exp.Select)
    return tuple(dict.fromkeys(found))


def _bare(table: Any) -> str:
    """The table without what is joined to it."""
    copy = table.copy()
    copy.set("joins", None)
    return str(copy.sql(dialect="postgres"))


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"
