"""Samples from elsewhere: what a file must look like, and what is not believed."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from day2.errors import StepFailed
from day2.ledger.metrics import Sample, Series
from day2.operations.capacity_review import backfill

HEAD = "target,metric,part,at,value\n"


def read(text: str) -> list[Sample]:
    return list(backfill.from_csv(io.StringIO(text), name="samples.csv"))


def test_columns_may_be_in_any_order_and_a_part_may_be_empty() -> None:
    [sample] = read("at,value,part,metric,target\n2026-11-01T02:00:00+02:00,7.5,,cpu_percent,host/web-01\n")
    assert sample == Sample(Series("host/web-01", "cpu_percent"), datetime(2026, 11, 1, tzinfo=UTC), 7.5)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("target,metric,at,value\n", r"samples\.csv:1: the columns must be"),
        ("", r"samples\.csv:1: the columns must be"),
        (HEAD + "host/a,cpu_percent,,2026-11-01T00:00:00,1\n", r"samples\.csv:2: .* has no time zone"),
        (HEAD + "host/a,cpu_percent,,2026-11-01T00:00:00Z,1\n,cpu,,2026-11-01T00:00:00Z,1\n", r"csv:3: .*empty"),
        (HEAD + "host/a,cpu_percent,,yesterday,1\n", r"samples\.csv:2: .*yesterday"),
        (HEAD + "host/a,cpu_percent,,2026-11-01T00:00:00Z,much\n", r"samples\.csv:2: .*much"),
        (HEAD + "host/a,cpu_percent,\n", r"samples\.csv:2: "),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, why: str) -> None:
    with pytest.raises(StepFailed, match=why):
        read(text)
