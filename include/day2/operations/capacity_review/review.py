"""One review: what was looked at, how each resource stands, and what the last review left behind. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import ceil
from typing import Literal

from day2.operations.capacity_review.backtest import Comparison, Published, publish
from day2.operations.capacity_review.forecast import AHEAD_DAYS, Forecast, forecasts
from day2.operations.capacity_review.headroom import POLICIES, STANDINGS, Headroom, Judgement, Standing, judge
from day2.operations.capacity_review.intervals import COVERAGE
from day2.operations.capacity_review.rightsizing import Proposal
from day2.operations.capacity_review.series import Daily
from day2.units import size

Unit = Literal["bytes", "count", "percent"]
# `expired`: nobody said what became of it, and it is no longer asked for.
Fate = Literal["done", "open", "rejected", "expired"]
PRESSING: tuple[Standing, ...] = ("full", "act", "plan")


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One resource of one target, what was used of it each day, and its limit; none where there is none."""

    target: str
    resource: str
    unit: Unit
    tier: str
    frame: Daily
    limit: float | None
    owner: str = ""

    @property
    def name(self) -> str:
        return f"{self.target} {self.resource}"

    def said(self, amount: float | None) -> str:
        """An amount of it as people read it."""
        if amount is None:
            return "—"
        if self.unit == "bytes":
            return size(amount)
        return f"{amount:.0f} %" if self.unit == "percent" else f"{amount:,.0f}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """A subject, its forecast, and how it stands against its limit."""

    subject: Subject
    forecast: Forecast
    judgement: Judgement | None

    @property
    def standing(self) -> Standing:
        """`unknown` where there is no limit to stand against."""
        return self.judgement.standing if self.judgement else "unknown"

    @property
    def why(self) -> str:
        return self.judgement.why if self.judgement else "no limit is known"

    @property
    def share(self) -> float | None:
        """What is used of the limit now."""
        current, limit = self.subject.frame.current, self.subject.limit
        return None if current is None or not limit else current / limit

    @property
    def needed(self) -> str | None:
        """The limit that would keep the headroom, in words; none where the present one does."""
        needed = self.judgement.needed if self.judgement else None
        if not needed or not self.subject.limit:
            return None
        # A percentage has no larger limit: what it is of has to grow.
        if self.subject.unit == "percent":
            return f"{ceil(10 * needed / self.subject.limit) / 10} times as much"
        return self.subject.said(needed)

    @property
    def soonest(self) -> date:
        """The early date, or the last there is: what to sort by."""
        found = self.judgement.full.early if self.judgement else None
        return found or date.max


@dataclass(frozen=True, kw_only=True)
class Request:
    """Something that a review asked for, and what became of it.

    `limit` is what it was when it was asked for, `wanted` what would keep the headroom; none where a limit is
    no amount that can be raised. `seen` counts the reviews that asked for it.
    """

    target: str
    what: str
    made_on: date
    owner: str
    due: date
    fate: Fate = "open"
    note: str = ""
    resource: str = ""
    limit: float | None = None
    wanted: float | None = None
    seen: int = 1

    @property
    def key(self) -> str:
        """What the next review finds it by."""
        return f"{self.target} {self.resource}"

    def is_overdue(self, today: date) -> bool:
        return self.fate == "open" and self.due < today


@dataclass(frozen=True, kw_only=True)
class Sized:
    """What rightsizing proposes for one target."""

    target: str
    proposal: Proposal


@dataclass(frozen=True, kw_only=True, eq=False)
class Review:
    """Everything a page needs. `comparisons` are the last review's forecasts against what happened."""

    environment: str
    owner: str
    at: datetime
    rows: Sequence[Row]
    comparisons: Sequence[Comparison] = ()
    last_made_on: date | None = None
    earlier: Sequence[Request] = ()
    sized: Sequence[Sized] = ()
    policies: Mapping[str, Headroom] = field(default_factory=lambda: POLICIES)

    @property
    def published(self) -> Published:
        return publish(self.comparisons, made_on=self.last_made_on)

    @property
    def counts(self) -> Counter[Standing]:
        return Counter(row.standing for row in self.rows)

    def standing(self, *names: Standing) -> list[Row]:
        """The rows that stand so, in their order."""
        return [row for row in self.rows if row.standing in names]


def rows(
    subjects: Sequence[Subject],
    *,
    policies: Mapping[str, Headroom] = POLICIES,
    ahead: int = AHEAD_DAYS,
    coverage: float = COVERAGE,
) -> list[Row]:
    """Forecast and judge every subject, worst first."""
    made = forecasts({each.name: each.frame for each in subjects}, ahead=ahead, coverage=coverage)
    return ordered(judged(each, made[each.name], policies) for each in subjects)


def ordered(found: Iterable[Row]) -> list[Row]:
    """Worst first."""
    return sorted(found, key=lambda row: (STANDINGS.index(row.standing), row.soonest, -(row.share or 0)))


def judged(subject: Subject, forecast: Forecast, policies: Mapping[str, Headroom]) -> Row:
    """A subject and its forecast, held against its limit."""
    judgement = None
    if subject.limit is not None:
        policy = policies[subject.tier]
        judgement = judge(forecast, current=subject.frame.current, limit=subject.limit, policy=policy)
    return Row(subject=subject, forecast=forecast, judgement=judgement)


def requests(review: Review) -> list[Request]:
    """What this review asks for, of whom and until when; the next one opens with what became of it.

    What is too late to be had in time is due at once. What was asked for before and is still open keeps its day.
    """
    still_open = {each.key: each for each in review.earlier if each.fate == "open"}
    found = []
    for row in review.standing(*PRESSING):
        if row.judgement is None:
            continue
        made = _request(row, row.judgement, review)
        if before := still_open.get(made.key):
            made = replace(made, made_on=before.made_on, due=min(before.due, made.due), seen=before.seen + 1)
        found.append(made)
    return found


def _request(row: Row, judged: Judgement, review: Review) -> Request:
    subject, today = row.subject, review.at.date()
    due = judged.act_by or judged.headroom_gone.expected or row.forecast.horizon
    return Request(
        target=subject.target,
        what=_asked(row, judged),
        made_on=today,
        owner=subject.owner or review.owner,
        due=max(due, today),
        resource=subject.resource,
        limit=subject.limit,
        wanted=None if subject.unit == "percent" else judged.needed,
    )


def _asked(row: Row, judged: Judgement) -> str:
    subject = row.subject
    if row.needed and subject.unit == "percent":
        return f"{subject.resource}: {row.needed} of it, or less use"
    if row.needed:
        return f"{subject.resource}: {row.needed} instead of {subject.said(subject.limit)}, or less use"
    return f"{subject.resource}: {judged.why}"
