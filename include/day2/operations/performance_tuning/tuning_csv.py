"""A run of tuning as CSV: one row a finding, with what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from day2.operations.performance_tuning.model import Recommendation
from day2.operations.performance_tuning.story import Story, Tried
from day2.reports import table

HEADER = (
    "environment", "run", "at", "database", "kind", "object", "risk", "score", "says", "gain", "evidence",
    "statement", "reverse", "outcome", "decision", "ms_before", "ms_after", "ms_share", "ms_low", "ms_high",
    "blocks_before", "blocks_after", "blocks_share", "blocks_low", "blocks_high", "saved_seconds_an_hour",
)  # fmt: skip


def rows(story: Story) -> bytes:
    """Every finding of the run, those that were tried first."""
    return table.csv(HEADER, _rows(story))


def _rows(story: Story) -> Iterator[Sequence[object]]:
    head = (story.environment, story.run, story.at.isoformat())
    for each in story.tried:
        yield (*head, each.database, *_found(each.recommendation), *_outcome(each))
    for database, item in story.left:
        yield (*head, database, *_found(item), "advised", *[None] * 12)


def _found(item: Recommendation) -> tuple[object, ...]:
    evidence = "; ".join(f"{each.name}: {each.value} {each.unit}".rstrip() for each in item.evidence)
    change = (item.change.statement, item.change.reverse) if item.change else (None, None)
    return (item.kind, item.object, item.risk, item.score, item.says, item.gain, evidence, *change)


def _outcome(tried: Tried) -> tuple[object, ...]:
    figures: list[object] = []
    for metric in ("ms", "blocks"):
        found = tried.effect(metric)
        figures += [found.before, found.after, found.share, found.low, found.high] if found else [None] * 5
    return (tried.outcome, tried.decision, *figures, round(tried.saved, 3))
