"""Suites of a test's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Expectation = dict[str, Any]


@pytest.fixture
def write_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a suite called `own` into the operator's folder."""
    monkeypatch.setenv("DAY2_HOME", str(tmp_path))
    (tmp_path / "suites").mkdir()

    def write(*expectations: Expectation, **more: Any) -> Path:
        path = tmp_path / "suites" / "own.json"
        path.write_text(json.dumps({"name": "own", "describes": "a test", "expectations": expectations} | more))
        return path

    return write


@pytest.fixture
def expectation() -> Callable[..., Expectation]:
    """One expectation as a suite file holds it, called `the_check`."""

    def make(kind: str, *, name: str = "the_check", severity: str = "critical", **kwargs: Any) -> Expectation:
        meta = {"id": name, "check": "a sentence that is true when the check passes"}
        return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": meta}

    return make


@pytest.fixture
def required(expectation: Callable[..., Expectation]) -> Callable[[str], Expectation]:
    """The not-null check of a column."""
    return lambda column: expectation("expect_column_values_to_not_be_null", name=f"measured.{column}", column=column)
