"""Would commits wait for the standby that is patched? Told from the primary's setting and who follows it."""

from __future__ import annotations

import pytest

from day2.operations.security_patching import synchronous


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        ("", 0),
        ("  ", 0),
        ("two", 1),
        ("*", 1),
        ('two, "three"', 1),
        ("2 (two, three)", 2),
        ("FIRST 1 (two, three)", 1),
        ("any 2 (*)", 2),
        ("ANY  3(two,three,four)", 3),
        ("first", 1),
    ],
)
def test_how_many_a_commit_waits_for_is_read_from_the_setting(names, needed):
    assert synchronous.needed(names) == needed


def followers(**states: str) -> list[dict[str, str]]:
    return [{"name": name, "sync_state": state} for name, state in states.items()]


@pytest.mark.parametrize(
    ("names", "standbys", "waits"),
    [
        ("two", followers(two="sync"), True),
        ("two", followers(two="sync", three="async"), True),
        ("FIRST 1 (two, three)", followers(two="sync", three="potential"), False),
        ("FIRST 2 (two, three)", followers(two="sync", three="sync"), True),
        ("ANY 1 (two, three)", followers(two="quorum", three="quorum"), False),
        ("ANY 1 (two, three)", followers(two="quorum"), True),
        ("", followers(two="async"), False),
        ("three", followers(two="async", three="sync"), False),
    ],
)
def test_commits_wait_only_where_too_few_are_left(names, standbys, waits):
    assert synchronous.waits(names, standbys, "two") is waits
