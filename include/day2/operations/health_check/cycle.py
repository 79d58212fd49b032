"""One look at everything: side by side, bounded; what was seen is kept, what changed its level is told."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from day2.errors import Day2Error, StepFailed
from day2.inventory.health import HealthPolicy, Threshold
from day2.ledger.metrics import Metrics, Sample, Series
from day2.metrics import thresholds
from day2.metrics.thresholds import Change, Rule, Seen, Standing
from day2.operations.health_check.host_look import Value

log = logging.getLogger("day2")
FAILED = "look_failed"
# Looks at one target: a function that raises Day2Error where it does not answer.
Look = Callable[[], Iterable[Value]]


@dataclass(frozen=True)
class Looked:
    """What one cycle saw: samples, which targets gave none and why, and what a number alone does not say."""

    samples: tuple[Sample, ...]
    gaps: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[Series, str] = field(default_factory=dict)

    @property
    def said(self) -> int:
        """How many samples its targets gave: that one was asked in vain is none of them."""
        return sum(each.series.metric != FAILED for each in self.samples)


@dataclass(frozen=True)
class Judged:
    """Where each series with a threshold stands now, and what changed; samples that were not believed, by why."""

    standings: Mapping[Series, Standing]
    changes: tuple[tuple[Series, Rule, Change], ...]
    dropped: Mapping[str, int]


def look(looks: Mapping[str, tuple[Look, ...]], policy: HealthPolicy) -> Looked:
    """Look at every target, `at_once` at a time. One that does not answer is a gap and never stops the others.

    Whether it answered is a metric of its own: `look_failed`, 0 or 1.
    """
    samples: list[Sample] = []
    notes: dict[Series, str] = {}
    gaps: dict[str, list[str]] = {}
    jobs = [(target, each) for target, some in looks.items() for each in some]
    with ThreadPoolExecutor(policy.at_once) as pool:
        for target, at, found in pool.map(lambda job: (job[0], *_one(*job)), jobs):
            if isinstance(found, Day2Error):
                log.warning("%s: a gap: %s", target, found.happened)
                gaps.setdefault(target, []).append(found.happened)
                continue
            samples += [Sample(Series(target, each.metric, each.part), at, each.value) for each in found]
            notes |= {Series(target, each.metric, each.part): each.note for each in found if each.note}
    why = {target: "; ".join(some) for target, some in gaps.items()}
    now = datetime.now(UTC)
    samples += [Sample(Series(target, FAILED), now, float(target in why)) for target in looks]
    notes |= {Series(target, FAILED): told for target, told in why.items()}
    return Looked(tuple(samples), why, notes)


def with_more(looked: Looked, more: Mapping[str, Iterable[Value]], *, at: datetime) -> Looked:
    """The same, with values that were not asked of their targets: what the ledger knows of them."""
    values = [(target, each) for target, found in more.items() for each in found]
    some = [Sample(Series(target, each.metric, each.part), at, each.value) for target, each in values]
    return replace(looked, samples=(*looked.samples, *some))


def judge(
    samples: Iterable[Sample], known: Mapping[Series, Standing], policy: HealthPolicy, *, now: datetime
) -> Judged:
    """Hold new samples, and the silence of others, against the policy's thresholds. Pure."""
    new: dict[Series, list[Seen]] = defaultdict(list)
    for each in samples:
        new[each.series].append(Seen(each.at, each.value))
    standings: dict[Series, Standing] = {}
    changes: list[tuple[Series, Rule, Change]] = []
    dropped: dict[str, int] = defaultdict(int)
    for series in sorted(new.keys() | known.keys()):
        limit = policy.threshold(series.metric, series.target)
        if limit is None:
            continue
        rule = rule_of(limit, policy)
        found = thresholds.judge(rule, known.get(series, Standing()), new[series], now=now)
        standings[series] = found.standing
        changes += [(series, rule, change) for change in found.changes]
        for why, count in found.dropped.items():
            dropped[why] += count
    return Judged(standings, tuple(changes), dict(dropped))


def keep(metrics: Metrics, looked: Looked, policy: HealthPolicy, *, now: datetime) -> Judged:
    """Write the samples, judge them by where each series stood, and remember where it stands now.

    The samples first: a cycle that is killed after that is judged by the next one, from the same standings.
    """
    metrics.write(looked.samples)
    # What nobody chose, or what left the inventory, was not looked at: it is not missed.
    targets = {each.series.target for each in looked.samples}
    stood = metrics.standings().items()
    known = {series: thresholds.from_dict(body) for series, body in stood if series.target in targets}
    return judge(looked.samples, known, policy, now=now)


def remember(metrics: Metrics, judged: Judged) -> None:
    """Write down where everything stands: after its changes were told, so that none is lost; told twice at worst."""
    metrics.stand({series: thresholds.as_dict(each) for series, each in judged.standings.items()})


def rule_of(limit: Threshold, policy: HealthPolicy) -> Rule:
    """A policy's threshold as the rule that judges."""
    return Rule(limit.warning, limit.critical, limit.bad == "high", limit.margin, limit.hold, policy.absent_after)


def _one(target: str, each: Look) -> tuple[datetime, list[Value] | Day2Error]:
    """What a look saw, and when it ended."""
    try:
        found: list[Value] | Day2Error = list(each())
    except Day2Error as error:
        found = error
    except Exception as error:  # BLE001 - it is logged; whatever one target does, the others are looked at
        log.exception("%s: the look itself failed", target)
        found = StepFailed(f"the look itself failed: {type(error).__name__}: {error}", target=target)
    return datetime.now(UTC), found
