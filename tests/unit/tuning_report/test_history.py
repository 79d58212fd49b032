"""What earlier runs gained and saw comes back from the ledger as it was, and only this environment's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from day2.ledger.store import Entry
from day2.operations.performance_tuning import history
from day2.operations.performance_tuning.model import Advice, Recommendation
from tests.unit.ledger.story import Story
from tests.unit.tuning_report.runs import INDEX, NOW, kept


class Book:
    """A ledger that was read into memory."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def entries(
        self, *, kind: str | None = None, run: str | None = None, since: datetime | None = None
    ) -> Iterator[Entry]:
        return (each for each in self.story.entries if kind in (None, each.kind) and run in (None, each.run))


def told(story: Story, kind: str, body: dict[str, Any]) -> Story:
    return story.tell(kind, **{key: value for key, value in body.items() if key != "attempt"})


def test_gains_come_back_in_order_and_only_of_this_environment():
    story = Story()
    told(story, history.GAINED, history.gain("production", [kept(1), kept(2)], attempt=1))
    told(story, history.GAINED, history.gain("staging", [kept(3)], attempt=1))
    told(story, history.GAINED, history.gain("production", [kept(4)], attempt=1))
    assert history.gains(Book(story), "production") == (kept(1), kept(2), kept(4))


def test_the_last_look_at_a_database_is_the_newest_of_its_own():
    story, later = Story(), Advice("shop", "2027-04-01T00:00:00+00:00", (INDEX,), (), {"version": 17})
    for advice in (Advice("shop", NOW.isoformat()), later, Advice("other", NOW.isoformat())):
        told(story, history.LOOKED, history.looked("production", advice, {"indexes": {}}, attempt=1))
    found = history.last_look(Book(story), "production", "shop")
    assert found is not None
    assert (found.advice, found.seen) == (later, {"indexes": {}})
    assert history.last_look(Book(story), "staging", "shop") is None


def noted(story: Story, *phases: str, item: Recommendation = INDEX, **facts: Any) -> None:
    for phase in phases:
        step = (phase, {"before": {}, **facts})
        told(story, history.NOTED, history.note("production", "shop", item, step, attempt=1))


@pytest.mark.parametrize(
    ("phases", "unfinished"),
    [
        (("apply",), True),
        (("apply", "applied"), True),
        (("apply", "applied", "revert"), True),
        (("apply", "applied", "revert", "reverted"), False),
        (("apply", "applied", "revert", "keep"), True),
        (("apply", "applied", "revert", "keep", "kept"), False),
        (("apply", "reverted", "apply"), True),
    ],
)
def test_a_change_is_unfinished_until_its_end_was_written_down(phases: tuple[str, ...], unfinished: bool):
    story = Story()
    noted(story, *phases)
    [course] = history.courses(Book(story), "production", "shop")
    assert course.unfinished is unfinished
    assert course.recommendation == INDEX


def test_a_change_that_is_begun_again_has_a_course_of_its_own():
    story = Story()
    noted(story, "apply", "reverted", "apply", "applied")
    [course] = history.courses(Book(story), "production", "shop")
    assert [phase for phase, _ in course.notes] == ["apply", "applied"]


def test_what_was_kept_tells_its_result_and_nothing_else_does():
    story = Story()
    noted(story, "apply", "applied", "keep", result={"outcome": "kept"})
    [course] = history.courses(Book(story), "production", "shop")
    assert course.result is None
    noted(story, "kept")
    [course] = history.courses(Book(story), "production", "shop")
    assert course.result == {"outcome": "kept"}
    assert history.courses(Book(story), "staging", "shop") == []
    assert history.courses(Book(story), "production", "other") == []


def test_a_run_has_ended_for_its_own_attempt_only():
    story = Story().tell(history.ENDED, environment="production")
    run = story.entries[0].run
    assert history.has_ended(Book(story), run, attempt=1)
    assert not history.has_ended(Book(story), run, attempt=2)
    assert not history.has_ended(Book(story), "another run", attempt=1)


def test_a_host_with_nothing_to_install_was_not_patched():
    story = Story()
    patched(story, packages=0)
    since = datetime(2020, 1, 1, tzinfo=UTC)
    assert history.last_patched(Book(story), "production", "db-01", since=since) is None
    patched(story, packages=3)
    found = history.last_patched(Book(story), "production", "db-01", since=since)
    assert found == datetime(2027, 3, 7, 2, 5, tzinfo=UTC)
    assert history.last_patched(Book(story), "production", "db-02", since=since) is None
    assert history.last_patched(Book(story), "staging", "db-01", since=since) is None


def patched(story: Story, *, packages: int) -> None:
    story.tell(
        "outcome", step="patch", target="db-01", outcome="succeeded", started=NOW.isoformat(), error=None, left="",
        ended="2027-03-07T02:05:00Z", measures={"packages": packages}, artefacts=[], **{"try": 1},
    )  # fmt: skip
    story.entries[-1] = replace(story.entries[-1], run="security_patching.production/r1")
