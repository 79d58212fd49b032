"""An environment as values for Prometheus: what was seen last, where it stands, and what ended how. Pure.

Values carry no time: one that is older than the policy's `absent_after` is left out, so that it is missing there too.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from day2.inventory import cron
from day2.inventory.health import HealthPolicy
from day2.inventory.model import Environment
from day2.ledger.metrics import Sample, Series
from day2.ledger.tally import BUSY, Tally
from day2.metrics.openmetrics import Exposed, name

PASSED = "PASSED"
# Of targets that an inventory lists.
KINDS = {"host", "database", "standby", "service", "repository"}
LEVELS = {"ok": 0, "warning": 1, "critical": 2, "absent": 3}
# A page that grew without end would end the Prometheus that reads it: 1,000 targets have 20 metrics each.
MOST_SERIES = 50_000
# Our own, beside what was sampled; no metric of a sample may have one of these names.
SAYS = {
    "environment_up": "1: its ledger answered, 0: it did not, and nothing else is known of this environment",
    "series": "Series that were sampled lately",
    "series_left_out": "Series that are not on this page, because they are too many or bear a name of ours",
    "last_look_timestamp_seconds": "When health_check judged last; 0: never",
    "level": "Where a metric with a threshold stands: 0 ok, 1 warning, 2 critical, 3 nothing is heard of it",
    "level_since_timestamp_seconds": "Since when it stands there",
    "recovery_point_objective_seconds": "How old the newest verified recovery point may get, by the policy",
    "runs": "Runs by their verdict, of every operation but health_check",
    "last_passed_timestamp_seconds": "When an operation passed last; if never, when the ledger began",
    "schedule_interval_seconds": "The longest time that an operation's schedule leaves between two runs",
}


@dataclass(frozen=True)
class Facts:
    """What the ledger knows of an environment at a moment."""

    samples: Sequence[Sample] = ()
    standings: Mapping[Series, Mapping[str, Any]] = field(default_factory=dict)
    looked_at: datetime | None = None
    tally: Tally = Tally()


def exposed(environment: Environment, facts: Facts) -> list[Exposed]:
    """Every value of an environment, each once."""
    whole, owner = {"environment": environment.name, "tier": environment.tier}, owners(environment)
    labels = {
        each: whole | {"target": each.target, "part": each.part, "owner": owner.get(each.target, environment.owner)}
        for each in {*facts.standings, *(sample.series for sample in facts.samples)}
    }
    taken = {name(each) for each in SAYS}
    shown = [each for each in facts.samples if name(each.series.metric) not in taken]
    shown = sorted(shown, key=lambda each: each.series)[:MOST_SERIES]
    found = [_one("environment_up", whole, 1), _one("series", whole, len(facts.samples))]
    found.append(_one("series_left_out", whole, len(facts.samples) - len(shown)))
    found.append(_one("last_look_timestamp_seconds", whole, _seconds(facts.looked_at)))
    found += [
        Exposed(each.series.metric, labels[each.series], each.value, says=f"{each.series.metric}, as seen last")
        for each in shown
    ]
    policy = environment.policies.health_check or HealthPolicy()
    standing = {
        series: each
        for series, each in facts.standings.items()
        # What lost its threshold stands where it stood then: that says nothing any more.
        if not _gone(series.target, owner) and policy.threshold(series.metric, series.target)
    }
    for series, each in sorted(standing.items())[:MOST_SERIES]:
        found += _standing({**labels[series], "metric": series.metric}, each)
    found += _objectives(environment, whole)
    return [*found, *_runs(whole, facts.tally), *_schedules(environment, whole, facts.tally)]


def unknown(environment: str) -> list[Exposed]:
    """What there is to say of an environment whose inventory or ledger cannot be read."""
    return [_one("environment_up", {"environment": environment, "tier": ""}, 0)]


def names(sampled: Mapping[str, Any]) -> set[str]:
    """Every name of a metric that the endpoint may offer, for samples of these metrics."""
    own = {f"{name(each)}_total" if each == "runs" else name(each) for each in SAYS}
    return own | {name(each) for each in sampled}


def owners(environment: Environment) -> dict[str, str]:
    """Who answers for each target, `kind/name`."""
    some: list[tuple[str, str | None]] = [(f"repository/{each.name}", None) for each in environment.repositories]
    some += [(f"host/{each.name}", each.owner) for each in environment.hosts]
    some += [(f"service/{each.name}", each.owner) for each in environment.services]
    for each in environment.databases:
        some += [(f"database/{each.name}", each.owner), (f"standby/{each.name}", each.owner)]
    return {target: owner or environment.owner for target, owner in some}


def _gone(target: str, here: Container[str]) -> bool:
    """Whether it was taken out of the inventory: its silence is no alarm."""
    return target not in here and target.partition("/")[0] in KINDS


def _standing(labels: Mapping[str, str], standing: Mapping[str, Any]) -> Iterator[Exposed]:
    yield _one("level", labels, LEVELS.get(standing["level"], LEVELS["absent"]))
    if standing.get("since"):
        yield _one("level_since_timestamp_seconds", labels, _seconds(datetime.fromisoformat(standing["since"])))


def _objectives(environment: Environment, whole: Mapping[str, str]) -> Iterator[Exposed]:
    """With the labels of the age that is compared with it."""
    for each in environment.databases:
        of = {**whole, "target": f"database/{each.name}", "part": "", "owner": each.owner or environment.owner}
        yield _one("recovery_point_objective_seconds", of, environment.backup_policy(each).rpo.total_seconds())


def _runs(whole: Mapping[str, str], tally: Tally) -> Iterator[Exposed]:
    for (operation, verdict), count in tally.counts.items():
        yield _one("runs", {**whole, "operation": operation, "verdict": verdict}, count, counter=True)


def _schedules(environment: Environment, whole: Mapping[str, str], tally: Tally) -> Iterator[Exposed]:
    for operation in type(environment.policies).model_fields:
        schedule = getattr(getattr(environment.policies, operation), "schedule", None)
        if not schedule:
            continue
        of = {**whole, "operation": operation}
        yield _one("schedule_interval_seconds", of, cron.longest_gap(schedule, environment.timezone).total_seconds())
        at = tally.newest.get((operation, PASSED), tally.began)
        if at and operation != BUSY:
            yield _one("last_passed_timestamp_seconds", of, _seconds(at))


def _one(metric: str, labels: Mapping[str, str], value: float, *, counter: bool = False) -> Exposed:
    return Exposed(metric, labels, value, says=SAYS[metric], counter=counter)


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
