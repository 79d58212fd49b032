"""What retention may never remove, whatever the numbers say; and what it keeps, by example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.inventory.model import Retention
from day2.repository.retention import Candidate, decide

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
NONE = {"daily": 0, "weekly": 0, "monthly": 0, "yearly": 0, "minimum": 1}
# Around the clock changes and the turn of an ISO year, where calendars are odd.
ODD_DAYS = [
    datetime(2026, 10, 24, 20, tzinfo=UTC),
    datetime(2026, 12, 27, tzinfo=UTC),
    datetime(2026, 3, 28, tzinfo=UTC),
]

moments = st.one_of(
    st.builds(lambda hours: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours), st.integers(0, 27_000)),
    st.builds(lambda day, minutes: day + timedelta(minutes=minutes), st.sampled_from(ODD_DAYS), st.integers(0, 14_400)),
    st.builds(lambda minutes: datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=minutes), st.integers(0, 150)),
)
policies = st.builds(
    Retention,
    daily=st.integers(0, 10),
    weekly=st.integers(0, 6),
    monthly=st.integers(0, 6),
    yearly=st.integers(0, 3),
    minimum=st.integers(1, 6),
)


@st.composite
def histories(draw) -> list[Candidate]:
    """Points as a repository may hold them: tested or not, held, locked, several at one moment."""
    return [
        Candidate(
            id=f"{at:%Y%m%dT%H%M%SZ}-{number:08x}",
            taken_at=at.astimezone(BERLIN),
            verified=draw(st.sampled_from([True, True, False, None])),
            held=draw(st.integers(0, 9)) == 0,
            locked_until=draw(st.sampled_from([None, NOW - timedelta(seconds=1), NOW + timedelta(days=9)])),
        )
        for number, at in enumerate(draw(st.lists(moments, max_size=40)))
    ]


def kept(candidates, policy) -> set[str]:
    return {each.candidate.id for each in decide(candidates, policy, now=NOW) if each.keep}


def instant(candidate: Candidate) -> datetime:
    return candidate.taken_at.astimezone(UTC)


@given(histories(), policies)
def test_the_newest_verified_point_stays(history, policy):
    verified = [each for each in history if each.verified]
    if verified:
        newest = max(instant(each) for each in verified)
        assert any(instant(each) == newest for each in verified if each.id in kept(history, policy))


@given(histories(), policies)
def test_a_held_or_locked_point_stays(history, policy):
    protected = {each.id for each in history if each.held or (each.locked_until and each.locked_until > NOW)}
    assert protected <= kept(history, policy)


@given(histories(), policies)
def test_never_fewer_than_the_minimum_are_left(history, policy):
    staying = kept(history, policy)
    verified = [each.id for each in history if each.verified]
    assert len(staying & set(verified)) >= min(policy.minimum, len(verified))
    assert len(staying) >= min(policy.minimum, len(history))


@given(histories(), policies)
def test_a_point_waiting_for_its_restore_test_stays(history, policy):
    newest = max((instant(each) for each in history if each.verified), default=datetime.min.replace(tzinfo=UTC))
    waiting = {each.id for each in history if each.verified is None and instant(each) > newest}
    assert waiting <= kept(history, policy)


@given(histories(), policies, st.randoms(use_true_random=False))
def test_the_order_of_a_listing_does_not_matter(history, policy, random):
    shuffled = random.sample(history, len(history))
    assert decide(shuffled, policy, now=NOW) == decide(history, policy, now=NOW)


@given(histories(), policies)
def test_every_point_is_decided_once_and_one_that_stays_says_why(history, policy):
    decisions = decide(history, policy, now=NOW)
    assert sorted(each.candidate.id for each in decisions) == sorted(each.id for each in history)
    assert all(each.keep == bool(each.reasons) for each in decisions)


@given(histories(), policies)
@settings(max_examples=60)
def test_running_it_twice_removes_nothing_more(history, policy):
    staying = kept(history, policy)
    left = [each for each in history if each.id in staying]
    assert kept(left, policy) == staying


@given(histories(), policies)
@settings(max_examples=60)
def test_dying_half_way_through_the_removals_changes_no_decision_for_the_rest(history, policy):
    """Removal goes oldest first; the next run must still keep what this one wanted to keep."""
    decisions = decide(history, policy, now=NOW)
    leaving = [each.candidate.id for each in reversed(decisions) if not each.keep]
    gone = set(leaving[: len(leaving) // 2])
    left = [each for each in history if each.id not in gone]
    assert kept(left, policy) >= {each.candidate.id for each in decisions if each.keep}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(BERLIN)


def points(*times: str, failed: tuple[str, ...] = (), untested: tuple[str, ...] = ()) -> list[Candidate]:
    verdicts = dict.fromkeys(failed, False) | dict.fromkeys(untested, None)
    return [Candidate(each, at(each), verdicts.get(each, True)) for each in times]


@pytest.mark.parametrize(
    ("policy", "history", "expected"),
    [
        pytest.param(
            {"daily": 2}, points("2026-11-20T02:00Z", "2026-11-21T02:00Z", "2026-11-21T14:00Z", "2026-11-22T02:00Z"),
            {"2026-11-21T14:00Z", "2026-11-22T02:00Z"}, id="the newest of each of two days",
        ),
        pytest.param(
            {"daily": 2}, points("2026-11-01T02:00Z", "2026-11-22T02:00Z"),
            {"2026-11-01T02:00Z", "2026-11-22T02:00Z"}, id="days without a backup do not count",
        ),
        pytest.param(
            {"daily": 1}, points("2026-11-22T22:30Z", "2026-11-22T23:30Z"),
            {"2026-11-22T23:30Z"}, id="23:30 UTC is the next day in Berlin",
        ),
        pytest.param(
            {"daily": 2}, points("2026-11-22T22:30Z", "2026-11-22T23:30Z"),
            {"2026-11-22T22:30Z", "2026-11-22T23:30Z"}, id="two Berlin days on one UTC day",
        ),
        pytest.param(
            {"daily": 1}, points("2026-10-25T00:50Z", "2026-10-25T01:10Z"),
            {"2026-10-25T01:10Z"}, id="02:10 after the clocks went back is later than 02:50 before",
        ),
        pytest.param(
            {"daily": 1}, points("2026-03-29T00:50Z", "2026-03-29T01:10Z"),
            {"2026-03-29T01:10Z"}, id="the hour that does not exist in spring",
        ),
        pytest.param(
            {"daily": 2}, points("2026-10-24T22:30Z", "2026-10-25T22:30Z", "2026-10-25T23:30Z"),
            {"2026-10-25T22:30Z", "2026-10-25T23:30Z"}, id="the day of 25 hours is one day",
        ),
        pytest.param(
            {"weekly": 1}, points("2026-12-28T02:00Z", "2026-12-31T02:00Z", "2027-01-03T02:00Z"),
            {"2027-01-03T02:00Z"}, id="week 53 of 2026 reaches into 2027",
        ),
        pytest.param(
            {"weekly": 2}, points("2026-12-27T02:00Z", "2026-12-28T02:00Z", "2027-01-03T02:00Z", "2027-01-04T02:00Z"),
            {"2027-01-03T02:00Z", "2027-01-04T02:00Z"}, id="2027's first week begins on 4 January",
        ),
        pytest.param(
            {"yearly": 2}, points("2025-12-31T22:59Z", "2025-12-31T23:01Z", "2026-12-31T22:59Z"),
            {"2025-12-31T22:59Z", "2026-12-31T22:59Z"}, id="the year turns at midnight in Berlin",
        ),
        pytest.param(
            {"monthly": 2}, points("2026-09-30T02:00Z", "2026-10-31T02:00Z", "2026-10-31T23:30Z", "2026-11-02T02:00Z"),
            {"2026-10-31T02:00Z", "2026-11-02T02:00Z"}, id="23:30 UTC on 31 October is November in Berlin",
        ),
        pytest.param(
            {"daily": 1}, points("2026-11-22T02:00Z", "2026-11-22T14:00Z", failed=("2026-11-22T14:00Z",)),
            {"2026-11-22T02:00Z"}, id="a verified point stands for its day before a newer failed one",
        ),
        pytest.param(
            {"daily": 2}, points("2026-11-21T02:00Z", "2026-11-22T14:00Z", failed=("2026-11-22T14:00Z",)),
            {"2026-11-21T02:00Z", "2026-11-22T14:00Z"}, id="a day with nothing better keeps the failed one",
        ),
        pytest.param(
            {}, points("2026-11-20T02:00Z", "2026-11-22T02:00Z", untested=("2026-11-22T02:00Z",)),
            {"2026-11-20T02:00Z", "2026-11-22T02:00Z"}, id="an untested newer point does not push the verified one out",
        ),
        pytest.param(
            {"minimum": 2},
            points("2026-11-20T02:00Z", "2026-11-21T02:00Z", "2026-11-22T02:00Z", failed=("2026-11-21T02:00Z",)),
            {"2026-11-20T02:00Z", "2026-11-22T02:00Z"}, id="the minimum counts verified points",
        ),
        pytest.param(
            {"daily": 2, "weekly": 2, "monthly": 2, "yearly": 1},
            points("2026-09-15T02:00Z", "2026-10-20T02:00Z", "2026-11-14T02:00Z", "2026-11-15T02:00Z",
                   "2026-11-20T02:00Z", "2026-11-21T02:00Z", "2026-11-22T02:00Z"),
            {"2026-10-20T02:00Z", "2026-11-15T02:00Z", "2026-11-21T02:00Z", "2026-11-22T02:00Z"},
            id="grandfather, father and son together",
        ),
    ],
)  # fmt: skip
def test_grandfather_father_son(policy, history, expected):
    assert kept(history, Retention(**NONE | policy)) == expected


def test_in_the_repeated_hour_the_newest_verified_is_the_later_moment():
    """02:50 came first: Python compares two times of one zone by the clock on the wall."""
    before, after = points("2026-10-25T00:50Z", "2026-10-25T01:10Z")
    decisions = decide([before, after], Retention(**NONE), now=NOW)
    assert [each.candidate for each in decisions] == [after, before]
    assert decisions[0].reasons == ("newest verified", "minimum of 1 verified")
    assert not decisions[1].keep


def test_a_lock_that_ended_this_second_no_longer_protects():
    old, new = points("2026-11-20T02:00Z", "2026-11-22T02:00Z")
    locked = Candidate(old.id, old.taken_at, True, locked_until=NOW)
    assert kept([locked, new], Retention(**NONE)) == {new.id}
