"""What a run of tuning has to tell: what was found, what was tried, and what earlier runs gained. Pure values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from day2.operations.performance_tuning.effect import WITH
from day2.operations.performance_tuning.model import (
    Advice,
    Change,
    Evidence,
    NotPossible,
    Outcome,
    Recommendation,
)

HOUR = 3600


@dataclass(frozen=True)
class Effect:
    """A cost of one call before and with a change. `share` is by how much it grew: -0.3 is 30 % less.

    `low` and `high` are the ends of its interval; none where there is no end.
    """

    metric: str
    before: float
    after: float
    share: float | None
    low: float | None = None
    high: float | None = None

    @property
    def surely_less(self) -> bool:
        """Whether all of its interval is below zero."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True)
class Watched:
    """A guard: something else that must not get worse, and whether it did."""

    name: str
    worse: bool
    says: str


@dataclass(frozen=True)
class Seen:
    """One block of time of the measurement, and what a call cost in it."""

    name: str
    seconds: float
    calls: float
    ms: float
    blocks: float


Part = TypeVar("Part", Effect, Seen, Watched)


@dataclass(frozen=True)
class Tried:
    """One change that was tried, or was put off, and what came of it."""

    database: str
    recommendation: Recommendation
    outcome: Outcome
    decision: str
    at: str
    seconds: float = 0.0
    effects: tuple[Effect, ...] = ()
    seen: tuple[Seen, ...] = ()
    guards: tuple[Watched, ...] = ()

    def effect(self, metric: str) -> Effect | None:
        """The effect on the change's own statements; none if it was not measured."""
        return next((each for each in self.effects if each.metric == metric), None)

    @property
    def gain(self) -> Effect | None:
        """The cost that surely fell: time, or where time cannot be told from noise, blocks. None if none did."""
        surely = (each for each in (self.effect("ms"), self.effect("blocks")) if each and each.surely_less)
        return next(surely, None)

    @property
    def saved(self) -> float:
        """Seconds of the server's time that it saves an hour, at the load under which it was measured.

        Nothing, where the interval around the time of a call holds zero: then nobody can say.
        """
        spent = self.effect("ms")
        with_it = next((each for each in self.seen if each.name == WITH), None)
        if self.outcome != "kept" or spent is None or not spent.surely_less or with_it is None or not with_it.seconds:
            return 0.0
        return (spent.before - spent.after) / 1000 * with_it.calls / with_it.seconds * HOUR


@dataclass(frozen=True)
class Kept:
    """What a kept change gained, small enough to keep for years: a point of the cumulative effect."""

    at: str
    run: str
    database: str
    key: str
    says: str
    metric: str
    share: float | None
    saved: float

    @property
    def what(self) -> str:
        """Its kind and object, as people read them."""
        kind, _, name = self.key.partition(":")
        return f"{kind.replace('_', ' ')} {named(kind, name)}"

    def as_dict(self) -> dict[str, Any]:
        """For a ledger entry."""
        return asdict(self)


@dataclass(frozen=True)
class Story:
    """All that the report says."""

    environment: str
    owner: str
    mode: str
    run: str
    at: datetime
    advice: tuple[Advice, ...]
    tried: tuple[Tried, ...] = ()
    earlier: tuple[Kept, ...] = ()
    minimum_gain: float = 0.1
    confidence: float = 0.95

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What this run adds to the effect of the year."""
        return tuple(_kept(each, self.run) for each in self.tried if each.outcome == "kept")

    @property
    def left(self) -> list[tuple[str, Recommendation]]:
        """What was found and not tried, by database: for people, or for another run."""
        tried = {(each.database, each.recommendation.key) for each in self.tried}
        return [
            (advice.database, each)
            for advice in self.advice
            for each in advice.recommendations
            if (advice.database, each.key) not in tried
        ]


def _kept(tried: Tried, run: str) -> Kept:
    item, gain = tried.recommendation, tried.gain
    metric, share = (gain.metric, gain.share) if gain else ("", None)
    return Kept(tried.at, run, tried.database, item.key, item.says, metric, share, tried.saved)


def named(kind: str, name: str) -> str:
    """The object without its kind before it: `work_mem` of `setting work_mem`."""
    return name.removeprefix(f"{kind.replace('_', ' ')} ")


def advice(record: Mapping[str, Any]) -> Advice:
    """What a record holds of an advice, as it was."""
    return Advice(
        database=record["database"],
        at=record["at"],
        recommendations=tuple(recommendation(each) for each in record["recommendations"]),
        not_possible=tuple(NotPossible(**each | {"kinds": tuple(each["kinds"])}) for each in record["not_possible"]),
        facts=record.get("facts", {}),
    )


def recommendation(record: Mapping[str, Any]) -> Recommendation:
    """What a record holds of a recommendation, as it was."""
    change = record.get("change")
    made = Change(**{**change, "measured_by": tuple(change["measured_by"])}) if change else None
    return Recommendation(
        **{**record, "evidence": tuple(Evidence(**each) for each in record["evidence"]), "change": made}
    )


def tried(database: str, at: str, record: Mapping[str, Any]) -> Tried:
    """What a record holds of one attempt, as the report tells it."""
    return Tried(
        database=database,
        recommendation=recommendation(record["recommendation"]),
        outcome=record["outcome"],
        decision=record["decision"],
        at=at,
        seconds=record.get("seconds", 0.0) or sum(each["seconds"] for each in record["seen"]),
        effects=tuple(_read(Effect, each) for each in record["effects"]),
        seen=tuple(_read(Seen, each) for each in record["seen"]),
        guards=tuple(_read(Watched, each) for each in record["guards"]),
    )


def _read(kind: type[Part], record: Mapping[str, Any]) -> Part:
    """The fields that the report tells; a record may hold more."""
    return kind(**{each.name: record[each.name] for each in fields(kind) if each.name in record})


def total(kept: Sequence[Kept]) -> float:
    """Seconds an hour that these changes save. Each was measured with the earlier ones in place, so they add up."""
    return sum(each.saved for each in kept)
