"""What a run's own entries say: when a resource was changed last, and what is to be brought back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from day2.ledger import Entry
from day2.operations.scale_resource import history, progress
from tests.unit.scaling.making import AT

RUN = "scale_resource.production/one"
CHANGED = {"changed_at": (AT + timedelta(seconds=5)).isoformat()}
PLANNED = {"targets": [{"name": "workers", "direction": "more"}, {"name": "web", "direction": "stay"}]}


class Entries:
    """A ledger that only reads."""

    def __init__(self, *entries: Entry) -> None:
        self._entries = entries

    def entries(self, *, kind: str, since: datetime) -> Iterator[Entry]:
        return (each for each in self._entries if each.kind == kind and each.recorded_at >= since.isoformat())


def entry(
    kind: str, *, seq: int = 1, run: str = RUN, target: str = "workers", step: str = "scale", **more: Any
) -> Entry:
    body = {"attempt": 1, "step": step, "target": target, "try": more.pop("try_number", 1)}
    body |= {"started": AT.isoformat(), "host": "h", "pid": 1} if kind == "intent" else {}
    if kind == "outcome":
        told = {"outcome": "succeeded", "started": AT.isoformat(), "ended": AT.isoformat(), "error": None}
        body |= told | {"measures": {}, "artefacts": [], "left": ""}
    return Entry(
        seq=1, recorded_at=AT.isoformat(), kind=kind, run=run, body=body | more, prev_hash="", hash=""
    )  # fmt: skip


def last(*entries: Entry, **more: Any) -> dict[str, datetime]:
    return history.last_changes(Entries(*entries), "production", since=AT - timedelta(hours=1), **more)  # type: ignore[arg-type]


def test_a_change_is_what_an_outcome_says_was_changed_also_one_that_failed():
    changed = entry("outcome", measures=CHANGED, outcome="failed")
    assert last(entry("intent"), changed) == {"workers": AT + timedelta(seconds=5)}
    assert last(entry("intent"), entry("outcome")) == {}, "what stayed has not been changed"


def test_a_killed_worker_may_have_changed_it():
    assert last(entry("intent")) == {"workers": AT}


def test_neither_other_environments_nor_this_run_itself_count():
    other = "scale_resource.staging/one"
    assert last(entry("intent", run=other), entry("outcome", run=other, measures=CHANGED)) == {}
    assert last(entry("intent"), entry("outcome", measures=CHANGED), but_not_of=RUN) == {}


def test_the_way_back_is_a_change_too_and_the_newest_counts():
    later = {"changed_at": (AT + timedelta(minutes=5)).isoformat()}
    found = last(entry("outcome", measures=CHANGED), entry("outcome", step="undo", measures=later))
    assert found == {"workers": AT.astimezone(UTC) + timedelta(minutes=5)}


def unfinished(*entries: Entry) -> list[str]:
    numbered = [entry_with(each, seq) for seq, each in enumerate(entries, 1)]
    return [each["name"] for each in progress.unfinished(PLANNED, numbered)]


def entry_with(one: Entry, seq: int) -> Entry:
    return Entry(**{**vars(one), "seq": seq})


def test_what_was_asked_for_and_did_not_come_is_brought_back():
    assert unfinished(entry("intent"), entry("outcome", outcome="failed", measures=CHANGED)) == ["workers"]


def test_what_a_killed_worker_may_have_asked_for_is_brought_back():
    assert unfinished(entry("intent")) == ["workers"]
    retried = entry("intent", try_number=2)
    failed = entry("outcome", try_number=2, outcome="failed", measures={"found": "4"})
    assert unfinished(entry("intent"), retried, failed) == ["workers"]


def test_whether_this_run_asked_before_is_read_from_its_entries():
    assert progress.asked([entry("intent")], "workers")
    assert progress.asked([entry("intent"), entry("outcome", outcome="failed", measures=CHANGED)], "workers")
    assert not progress.asked([entry("intent"), entry("outcome", outcome="failed")], "workers")
    assert not progress.asked([entry("intent")], "web")


def test_what_failed_before_it_asked_what_succeeded_and_what_stayed_are_left_alone():
    assert unfinished(entry("intent"), entry("outcome", outcome="failed")) == []
    assert unfinished(entry("intent"), entry("outcome", measures=CHANGED)) == []
    staying = entry("intent", target="web")
    assert unfinished(staying, entry("outcome", target="web", outcome="failed")) == []
