"""One look at everything: side by side, bounded; what was seen is kept, what changed its level is told."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from day2.errors import Day2Error
from day2.inventory.health import HealthPolicy, Threshold
from day2.ledger.metrics import Metrics, Sample, Series
from day2.metrics import thresholds
from day2.metrics.thresholds import Change, Rule, Seen, Standing
from day2.operations.health_check.host_look import Value

log = logging.getLogger("day2")
# Looks at one target: a function that raises Day2Error where it does not answer.
Look = Callable[[], Iterable[Value]]


@dataclass(frozen=True)
class Looked:
    """What one cycle saw: samples, and which targets gave none and why."""

    samples: tuple[Sample, ...]
    gaps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """Where each series with a threshold stands now, and what changed; samples that were not believed, by why."""

    standings: Mapping[Series, Standing]
    changes: tuple[tuple[Series, Rule, Change], ...]
    dropped: Mapping[str, int]


def look(looks: Mapping[str, tuple[Look, ...]], policy: HealthPolicy) -> Looked:
    """Look at every target, `at_once` at a time. One that does not answer is a gap and never stops the others."""
    samples: list[Sample] = []
    gaps: dict[str, str] = {}
    jobs = [(target, each) for target, some in looks.items() for each in some]
    with ThreadPoolExecutor(policy.at_once) as pool:
        for target, found in pool.map(lambda job: (job[0], _one(*job)), jobs):
            if isinstance(found, Day2Error):
                log.warning("%s: a gap: %s", target, found.happened)
                gaps[target] = f"{gaps[target]}; {found.happened}" if target in gaps else found.happened
            else:
                samples += found
    return Looked(tuple(samples), gaps)


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
        limit = policy.threshold(series.metric)
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
    known = {series: thresholds.from_dict(body) for series, body in metrics.standings().items()}
    return judge(looked.samples, known, policy, now=now)


def remember(metrics: Metrics, judged: Judged) -> None:
    """Write down where everything stands: after its changes were told, so that none is lost; told twice at worst."""
    metrics.stand({series: thresholds.as_dict(each) for series, each in judged.standings.items()})


def rule_of(limit: Threshold, policy: HealthPolicy) -> Rule:
    """A policy's threshold as the rule that judges."""
    return Rule(limit.warning, limit.critical, limit.bad == "high", limit.margin, limit.hold, policy.absent_after)


def _one(target: str, each: Look) -> list[Sample] | Day2Error:
    try:
        values = list(each())
    except Day2Error as error:
        return error
    at = datetime.now(UTC)
    return [Sample(Series(target, value.metric, value.part), at, value.value) for value in values]
