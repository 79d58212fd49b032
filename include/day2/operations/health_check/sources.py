"""Samples from elsewhere: a source's queries, asked for each target, and their answers as ours.

In a query of PromQL, `{instance}` and `{target}` (its name) stand for it, `{instance_regex}` for use after `=~`.
A query without any of them is asked once; its series are given to targets by their label `target` or `instance`.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from day2.errors import Day2Error, StepFailed
from day2.inventory.health import Source
from day2.inventory.model import Environment
from day2.ledger.metrics import Sample, Series
from day2.metrics.cloudwatch import OLDEST, CloudWatch, Measure, measure, period
from day2.metrics.prometheus import Labels, Point, Prometheus
from day2.operations.health_check.cycle import Looked

log = logging.getLogger("day2")
# The labels that say which part of a target a series is of, the first that there is.
PARTS = ("part", "mountpoint", "path", "device", "datname", "interface")
PLACES = re.compile(r"\{(instance|target|instance_regex)\}")
# CloudWatch's newest points come minutes late, and its free ones are of five minutes.
LOOK_BACK = timedelta(minutes=20)
EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Of:
    """A target as a source knows it, `kind/name` to us: `instance` is its address, or what a tag says instead."""

    target: str
    instance: str

    @property
    def name(self) -> str:
        """What the inventory calls it."""
        return self.target.rpartition("/")[2]


@dataclass
class _Taken:
    """What was found so far, and what was not."""

    samples: list[Sample] = field(default_factory=list)
    gaps: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def looked(self, targets: Iterable[Of], nothing: str) -> Looked:
        """The same, where a target of which nothing was found is a gap too."""
        heard = {each.series.target for each in self.samples}
        for each in targets:
            if each.target not in heard and not self.gaps.get(each.target):
                self.gaps[each.target].append(nothing)
        return Looked(tuple(self.samples), {name: "; ".join(dict.fromkeys(why)) for name, why in self.gaps.items()})


def targets(environment: Environment, kind: str) -> tuple[Of, ...]:
    """Hosts, databases and their standbys, as sources of a kind know them.

    The tag `<kind>_instance` says it, else `instance`; else it is a host's address, and of a database its host's.
    CloudWatch knows nobody by an address: what has no tag is not asked of it.
    """
    addresses = {each.name: each.address if kind != "cloudwatch" else "" for each in environment.hosts}
    hosts = {each.name: _instance(each.tags, kind) or addresses[each.name] for each in environment.hosts}
    found = [Of(f"host/{name}", instance) for name, instance in hosts.items()]
    for each in environment.databases:
        found.append(Of(f"database/{each.name}", _instance(each.tags, kind) or hosts.get(each.host or "", "")))
        if each.standby:
            found.append(Of(f"standby/{each.name}", hosts.get(each.standby.host or "", "")))
    return tuple(each for each in found if each.instance)


def unseen(looked: Looked, newest: Mapping[Series, datetime]) -> Looked:
    """The same without what is known already: a point of CloudWatch is there until the next one comes."""
    new = (each for each in looked.samples if each.series not in newest or each.at > newest[each.series])
    return replace(looked, samples=tuple(new))


def together(own: Looked, others: Iterable[Looked]) -> Looked:
    """What several sources saw, as one look. A target that one of them missed stays a gap of that one."""
    seen = [own, *others]
    gaps: dict[str, list[str]] = defaultdict(list)
    for each in seen:
        for name, why in each.gaps.items():
            gaps[name].append(why)
    samples = tuple(sample for each in seen for sample in each.samples)
    return replace(own, samples=samples, gaps={name: "; ".join(why) for name, why in gaps.items()})


def look_prometheus(source: Source, server: Prometheus, of: Iterable[Of], *, at_once: int) -> Looked:
    """What each target is now. A query that fails is a gap of its targets; the others go on."""
    of, taken = tuple(of), _Taken()
    for question, found in _answers(source, server.instant, of, at_once=at_once):
        _take(taken, question, found)
    return taken.looked(of, f"{server.url} has nothing of it")


def history_prometheus(
    source: Source, server: Prometheus, of: Iterable[Of], span: tuple[datetime, datetime], *, step: timedelta
) -> Iterator[Sample]:
    """What there was, one query at a time. Raises Unavailable, StepFailed: half a history is none."""
    of = tuple(of)
    for question, found in _answers(source, lambda query: server.range(query, *span, step), of, at_once=1):
        if isinstance(found, Day2Error):
            raise found
        taken = _Taken()
        _take(taken, question, found)
        if taken.gaps:
            raise StepFailed(next(iter(taken.gaps.values()))[0], target=next(iter(taken.gaps)))
        yield from taken.samples


def look_cloudwatch(source: Source, account: CloudWatch, of: Iterable[Of], *, now: datetime) -> Looked:
    """The newest point of each metric of each target: its own time, so that the same again is no new sample."""
    of, taken = tuple(of), _Taken()
    series, unreadable = _measures(source, of)
    try:
        found = account.read(series, now - LOOK_BACK, now, every=EVERY)
    except Day2Error as error:
        found, unreadable = {}, [error.happened]
    for each, points in found.items():
        taken.samples += [Sample(name, *points[-1]) for name in series[each]]
    for why in unreadable:
        for each_target in of:
            taken.gaps[each_target.target].append(why)
    return taken.looked(of, "CloudWatch has nothing of it")


def history_cloudwatch(
    source: Source, account: CloudWatch, of: Iterable[Of], span: tuple[datetime, datetime], *, now: datetime
) -> Iterator[Sample]:
    """What there was, at most of the last 455 days, by hours or finer. Raises Unavailable, StepFailed."""
    since, until = max(span[0], now - OLDEST), span[1]
    series, unreadable = _measures(source, tuple(of))
    if unreadable:
        raise StepFailed(unreadable[0], next_step="correct the source's `queries`")
    every = period(now - since, timedelta(hours=1))
    for each, points in account.read(series, since, until, every=every).items():
        for name in series[each]:
            yield from (Sample(name, at, value) for at, value in points)


def part(labels: Mapping[str, str]) -> str:
    """Which part of a target a series is of; empty for the whole of it."""
    return next((labels[each] for each in PARTS if labels.get(each)), "")


def asked(query: str, of: Of) -> str:
    """A query with the target in it, spelt so that no name can end the text it stands in. Pure."""
    words = {"instance": of.instance, "target": of.name, "instance_regex": re.escape(of.instance)}
    return PLACES.sub(lambda found: _quoted(words[found[1]]), query)


Answer = dict[Labels, list[Point]]


@dataclass(frozen=True)
class _Question:
    """A query that is asked: of one target, or of all of them where it names none."""

    metric: str
    query: str
    of: tuple[Of, ...]
    common: bool = False


def _questions(source: Source, of: tuple[Of, ...]) -> Iterator[_Question]:
    for metric, query in source.queries.items():
        if PLACES.search(query):
            yield from (_Question(metric, asked(query, each), (each,)) for each in of)
        else:
            yield _Question(metric, query, of, common=True)


def _answers(
    source: Source, ask: Callable[[str], Answer], of: tuple[Of, ...], *, at_once: int
) -> Iterator[tuple[_Question, Answer | Day2Error]]:
    def one(question: _Question) -> tuple[_Question, Answer | Day2Error]:
        try:
            return question, ask(question.query)
        except Day2Error as error:
            return question, error

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(one, _questions(source, of))


def _take(taken: _Taken, question: _Question, found: Answer | Day2Error) -> None:
    if isinstance(found, Day2Error):
        log.warning("%s: a gap: %s", question.metric, found.happened)
        for each in question.of:
            taken.gaps[each.target].append(found.happened)
        return
    several: dict[Series, list[list[Point]]] = defaultdict(list)
    known_as = _known_as(question.of) if question.common else {}
    for key, points in found.items():
        labels = dict(key)
        for name in _whose(labels, known_as) if question.common else (question.of[0].target,):
            several[Series(name, question.metric, part(labels))].append(points)
    for series, some in several.items():
        if len(some) > 1:
            # Which of them is meant is not ours to guess: one of four CPUs is not a host's CPU.
            where = f"{series.metric} of {series.part}" if series.part else series.metric
            taken.gaps[series.target].append(f"{where} has {len(some)} series at once: aggregate them in the query")
        else:
            taken.samples += [Sample(series, at, value) for at, value in some[0]]


def _known_as(of: Iterable[Of]) -> dict[tuple[str, str], list[str]]:
    """Targets by the label that names them: several databases may be on one instance."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in of:
        for label, value in {("target", each.target), ("target", each.name), ("instance", each.instance)}:
            found[label, value].append(each.target)
    return found


def _whose(labels: Mapping[str, str], known_as: Mapping[tuple[str, str], list[str]]) -> list[str]:
    """The targets that a series of a common query is of; none, if it is somebody else's."""
    if "target" in labels:
        return known_as.get(("target", labels["target"]), [])
    instance = labels.get("instance", "")
    without_port = re.sub(r":\d+$", "", instance)
    return known_as.get(("instance", instance)) or known_as.get(("instance", without_port), [])


def _measures(source: Source, of: tuple[Of, ...]) -> tuple[dict[Measure, list[Series]], list[str]]:
    found: dict[Measure, list[Series]] = defaultdict(list)
    unreadable = []
    for metric, query in source.queries.items():
        try:
            for each in of:
                of_target = measure(query, each.instance)
                found[of_target].append(Series(each.target, metric, part(dict(of_target.dimensions))))
        except StepFailed as error:
            unreadable.append(error.happened)
    return found, unreadable


def _instance(tags: Mapping[str, str], kind: str) -> str:
    return tags.get(f"{kind}_instance") or tags.get("instance", "")


def _quoted(text: str) -> str:
    """Inside a string of PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
