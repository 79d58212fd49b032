"""From a target's samples to what is reviewed: each resource and part with its daily frame and its limit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

from day2.inventory.capacity import CapacityPolicy, Reviewed
from day2.inventory.model import Environment
from day2.ledger.metric_days import Days
from day2.ledger.metrics import Series
from day2.operations.capacity_review.headroom import POLICIES, Headroom
from day2.operations.capacity_review.review import Subject
from day2.operations.capacity_review.series import Incident, Rules, Samples, daily


@dataclass(frozen=True)
class Reader:
    """What frames are made with, the same for every target."""

    environment: Environment
    policy: CapacityPolicy
    now: datetime

    def subjects(self, target: str, found: Sequence[Days]) -> list[Subject]:
        """What is reviewed of one target. A metric that has no sample is no subject."""
        reviewed = self.policy.reviewed
        limits = {each.series: _newest(each) for each in found}
        made = []
        for each in found:
            if rule := reviewed.get(each.series.metric):
                made.append(self._subject(target, each, rule, _limit(each.series, rule, limits)))
        return made

    def _subject(self, target: str, days: Days, rule: Reviewed, limit: float | None) -> Subject:
        part = days.series.part
        return Subject(
            target=target,
            resource=f"{rule.name} {part}" if part else rule.name,
            unit=rule.unit,
            tier=self.environment.tier,
            frame=daily(_samples(days, rule), now=self.now, rules=self._rules(target, rule)),
            limit=limit,
            owner=self.environment.measured[target].owner or self.environment.owner,
        )

    def _rules(self, target: str, rule: Reviewed) -> Rules:
        """An incident is given in days of UTC, as frames are."""
        about = [each for each in self.policy.incidents if not each.targets or target in each.targets]
        return Rules(
            is_counter=rule.counter,
            incidents=tuple(
                Incident(datetime.combine(each.since, time(), UTC), datetime.combine(each.until, time(), UTC), each.why)
                for each in about
            ),
        )


def headrooms(environment: Environment, policy: CapacityPolicy) -> Mapping[str, Headroom]:
    """What stays free and how long more takes, by tier: the policy's own words win."""
    usual = POLICIES[environment.tier]
    share = usual.share if policy.headroom_percent is None else policy.headroom_percent / 100
    return {environment.tier: Headroom(share=share, lead=usual.lead if policy.lead is None else policy.lead)}


def by_target(found: Iterable[Days]) -> dict[str, list[Days]]:
    """Series by their target."""
    made: dict[str, list[Days]] = {}
    for each in found:
        made.setdefault(each.series.target, []).append(each)
    return made


def _samples(days: Days, rule: Reviewed) -> Samples:
    """The highest value of each day; of a counter what it showed last, so that its increase is that of the day."""
    import numpy as np

    values = days.last if rule.counter else days.high
    return Samples(np.array(days.seconds, dtype=float), np.array(values, dtype=float))


def _newest(days: Days) -> float | None:
    return days.last[-1] if days.last else None


def _limit(series: Series, rule: Reviewed, limits: Mapping[Series, float | None]) -> float | None:
    """The newest limit that is in force; none where nobody knows one."""
    if rule.limit_metric is None:
        return rule.fixed
    found = limits.get(Series(series.target, rule.limit_metric, series.part))
    return found if found else None
