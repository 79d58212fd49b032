"""What a suite file may say, and the refusal of suites that would pass anything.

A suite is Great Expectations' own JSON plus a stable id and a sentence an auditor can read. It comes
from a folder the operator controls, never from a parameter: `$DAY2_HOME/suites`, then ours.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from day2.errors import Day2Error

OURS = Path(__file__).resolve().parents[2] / "suites"
NOT_NULL = "expect_column_values_to_not_be_null"

Severity = Literal["critical", "warning", "info"]

# Each makes Great Expectations leave rows out and still answer success; a row left out is not a row that passed.
LEAVES_ROWS_OUT = frozenset({"mostly", "row_condition", "condition_parser", "ignore_row_if"})


class SuiteError(Day2Error):
    """A suite is missing or wrong. No fact was judged."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Meta(Model):
    """What we add to an expectation: how the record names it."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)?$", description="stable; exports refer to it")
    check: str = Field(min_length=10, description="the sentence that is true when the check passes")
    measured: str | None = Field(None, description="of two columns, the one that was measured; column_A if unset")


class Expectation(Model):
    """One check, in Great Expectations' words."""

    type: str = Field(pattern=r"^expect_[a-z_]+$")
    kwargs: dict[str, Any]
    severity: Severity = "critical"
    meta: Meta

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, the measured one first."""
        named = [self.kwargs[key] for key in ("column", "column_A", "column_B") if key in self.kwargs]
        return tuple(sorted(named, key=lambda column: column != self.meta.measured))


class Derived(Model):
    """A column computed from another, because an expectation cannot do arithmetic."""

    column: str
    multiply: float = 1
    add: float = 0

    def of(self, row: Mapping[str, Any]) -> float | None:
        """Its value in this row; none where its source is not a number."""
        value = row.get(self.column)
        # Nine digits, so that 1 - 0.01 * 30 is 0.7 to a reader too.
        return round(value * self.multiply + self.add, 9) if isinstance(value, int | float) else None


class Suite(Model):
    """The checks of one operation."""

    name: str
    describes: str
    derived: dict[str, Derived] = {}
    expectations: tuple[Expectation, ...] = Field(min_length=1)

    @cached_property
    def required(self) -> frozenset[str]:
        """The columns that have a not-null check of their own."""
        return frozenset(each.kwargs["column"] for each in self.expectations if each.type == NOT_NULL)

    @model_validator(mode="after")
    def _each_check_has_its_own_id(self) -> Self:
        counted = Counter(each.meta.id for each in self.expectations)
        if twice := sorted(name for name, count in counted.items() if count > 1):
            raise ValueError(f"check ids used twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _no_row_is_left_out(self) -> Self:
        for each in self.expectations:
            if found := sorted(LEAVES_ROWS_OUT & each.kwargs.keys()):
                raise ValueError(f"{each.meta.id}: {', '.join(found)} would leave rows unjudged and still pass")
        return self

    @model_validator(mode="after")
    def _nulls_are_caught(self) -> Self:
        # Great Expectations skips nulls: a fact that was never measured would pass every comparison.
        for each in self.expectations:
            if each.type in ("expect_column_to_exist", NOT_NULL):
                continue
            sources = {self.derived[name].column if name in self.derived else name for name in each.columns}
            if missing := sorted(sources - self.required):
                raise ValueError(f"{each.meta.id}: add {NOT_NULL} for {', '.join(missing)}")
        return self


def load(name: str) -> Suite:
    """The suite of that name, checked. Raises SuiteError."""
    path = _find(name)
    try:
        suite = Suite.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise SuiteError(
            f"suite {name!r} is wrong: {_first(error)}",
            left="no fact was judged",
            next_step=f"correct {path}",
        ) from error
    if suite.name != name:
        raise SuiteError(f"suite {name!r} calls itself {suite.name!r}", next_step=f"correct `name` in {path}")
    return suite


def folders() -> tuple[Path, ...]:
    """Where suites are looked for, first match wins."""
    home = os.environ.get("DAY2_HOME")
    return (Path(home) / "suites", OURS) if home else (OURS,)


def _find(name: str) -> Path:
    if re.fullmatch(r"[a-z][a-z0-9_]*", name):
        for folder in folders():
            if (path := folder / f"{name}.json").is_file():
                return path
    known = sorted({path.stem for folder in folders() for path in folder.glob("*.json")})
    raise SuiteError(
        f"there is no suite {name!r} (known: {', '.join(known) or 'none'})",
        left="no fact was judged",
        next_step=f"put {name}.json in {folders()[0]}",
    )


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
