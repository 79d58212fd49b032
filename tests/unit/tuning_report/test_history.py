"""What earlier runs gained and saw comes back from the ledger as it was, and only this environment's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from day2.ledger.store import Entry
from day2.operations.performance_tuning import history
from day2.operations.performance_tuning.model import Advice
from tests.unit.ledger.story import Story
from tests.unit.tuning_report.runs import INDEX, NOW, kept


class Book:
    """A ledger that was read into memory."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def entries(self, *, kind: str | None = None, run: str | None = None) -> Iterator[Entry]:
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
