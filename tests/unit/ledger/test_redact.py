"""What looks like a secret is masked; what only looks a little like one is not."""

from __future__ import annotations

import pytest

from day2.ledger.redact import redacted, text


@pytest.mark.parametrize(
    ("told", "masked"),
    [
        ("postgresql://u:hunter2@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:hun@ter2@h/d", "postgresql://u:***@h/d"),
        ("https://:hunter2@h", "https://:***@h"),
        ("host=h password=hunter2 port=5", "host=h password=*** port=5"),
        (r"password = 'hun \' ter2' x", "password = *** x"),
        ("PGPASSWORD=hunter2 pg_dump", "PGPASSWORD=*** pg_dump"),
        ("--token=abc", "--token=***"),
        ("aws_secret_access_key=abc", "aws_secret_access_key=***"),
        ("AGE-SECRET-KEY-1ABCDEF", "AGE-SECRET-KEY-1***"),
        ("postgresql://h:5432/d", "postgresql://h:5432/d"),
        ("password authentication failed", "password authentication failed"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
    ],
)
def test_a_secret_is_masked(told: str, masked: str) -> None:
    assert text(told) == masked


def test_secrets_deep_inside_are_masked_and_the_rest_is_kept() -> None:
    assert redacted({"Password": "x", "api_key": "y", "tokens": 3}) == {
        "Password": "***",
        "api_key": "***",
        "tokens": 3,
    }
    assert redacted({"a": [{"password=x": 1}], "n": (1, None, True)}) == {
        "a": [{"password=***": 1}],
        "n": [1, None, True],
    }


@pytest.mark.parametrize(
    "long", ["a" * 200_000, "token_" + "a_" * 100_000, "password" * 20_000, "://" + "a:" * 100_000]
)
@pytest.mark.timeout(10)
def test_a_long_text_costs_no_more_than_its_length(long: str) -> None:
    assert redacted({long: long}) == {long: long} or "***" in redacted({long: long})[long]
