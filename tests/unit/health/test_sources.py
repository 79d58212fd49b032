"""A source's queries asked for the inventory's targets: whose a series is, and what a gap is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.inventory.health import HealthPolicy, Source
from day2.ledger.metrics import Sample, Series
from day2.metrics.cloudwatch import Measure, measure, period
from day2.operations.health_check import cycle, sources
from day2.operations.health_check.sources import Of

NOW = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
A, B = Of("host/web-01", "10.0.0.1"), Of("host/web-02", "10.0.0.2")


@dataclass
class Scripted:
    """A Prometheus of which each query has its answer: values by labels, or an error."""

    answers: Mapping[str, Any]
    url: str = "http://prometheus"

    def instant(self, query: str) -> Any:
        found = self.answers.get(query, {})
        if isinstance(found, Day2Error):
            raise found
        return {frozenset(dict(labels).items()): [(NOW, value)] for labels, value in found.items()}


def source(**queries: str) -> Source:
    return Source(kind="prometheus", connection="prom", queries=queries)


def look(answers: Mapping[str, Any], *of: Of, **queries: str) -> cycle.Looked:
    return sources.look_prometheus(source(**queries), Scripted(answers), of, at_once=2)  # type: ignore[arg-type]


def test_a_query_is_asked_for_each_target() -> None:
    found = look(
        {'load1{instance="10.0.0.1:9100"}': {(): 1.0}, 'load1{instance="10.0.0.2:9100"}': {(): 2.0}},
        A, B, load='load1{instance="{instance}:9100"}',
    )  # fmt: skip
    assert found.samples == (
        Sample(Series("host/web-01", "load"), NOW, 1.0),
        Sample(Series("host/web-02", "load"), NOW, 2.0),
    )
    assert found.gaps == {}


def test_a_common_query_is_asked_once_and_its_series_go_to_whom_they_name() -> None:
    of_a, of_b = (("instance", "10.0.0.1:9100"), ("mountpoint", "/")), (("instance", "10.0.0.2"), ("mountpoint", "/"))
    found = look({"disk": {of_a: 1.0, of_b: 2.0, (("instance", "10.0.0.9:9100"),): 3.0}}, A, B, disk_percent="disk")
    assert {(each.series, each.value) for each in found.samples} == {
        (Series("host/web-01", "disk_percent", "/"), 1.0), (Series("host/web-02", "disk_percent", "/"), 2.0)
    }  # fmt: skip


def test_somebody_elses_series_is_not_the_only_targets() -> None:
    found = look({"up": {(("instance", "10.0.0.9:9100"),): 1.0}}, A, up="up")
    assert found.samples == ()
    assert found.gaps == {"host/web-01": "http://prometheus has nothing of it"}


def test_the_label_target_says_whose_it_is_whatever_the_instance() -> None:
    found = look({"up": {(("target", "web-02"), ("instance", "10.0.0.1")): 1.0}}, A, B, up="up")
    assert [each.series.target for each in found.samples] == ["host/web-02"]


def test_a_source_that_is_down_is_a_gap_of_each_target_and_no_zero() -> None:
    down = Unavailable("Prometheus does not answer: ConnectionError")
    found = look({"up": down, "load": down}, A, B, up="up", load="load")
    assert found.samples == ()
    assert found.gaps == dict.fromkeys(("host/web-01", "host/web-02"), "Prometheus does not answer: ConnectionError")


def test_a_bad_query_stops_no_other() -> None:
    found = look(
        {"a(": StepFailed("the query `a(` was refused"), "b": {(("target", "web-01"),): 1.0}}, A, a="a(", b="b"
    )
    assert [each.series.metric for each in found.samples] == ["b"]
    assert found.gaps == {"host/web-01": "the query `a(` was refused"}


def test_several_series_of_one_part_are_not_guessed_between() -> None:
    found = look({"cpu": {(("instance", "10.0.0.1"), ("cpu", str(n))): 1.0 * n for n in range(4)}}, A, cpu="cpu")
    assert found.samples == ()
    assert found.gaps == {"host/web-01": "cpu has 4 series at once: aggregate them in the query"}


@pytest.mark.parametrize("name", ['a"} or vector(1) #', "a\\", "a\nb"])
def test_no_name_ends_the_text_it_stands_in(name: str) -> None:
    text = sources.asked('up{instance="{instance}"}', Of("host/web-01", name))
    inside = text.removeprefix('up{instance="').removesuffix('"}')
    assert inside.replace("\\\\", "").replace('\\"', "").count('"') == 0
    assert "\n" not in inside


def test_other_braces_stay() -> None:
    query = 'up{job="x",instance=~"{instance_regex}(:.*)?",t="{target}"}'
    assert sources.asked(query, A) == 'up{job="x",instance=~"10\\\\.0\\\\.0\\\\.1(:.*)?",t="web-01"}'


def test_a_clock_that_is_ahead_is_not_believed_and_the_same_again_is_nothing_new() -> None:
    policy = HealthPolicy()
    series = Series("host/web-01", "disk_percent", "/")
    samples = [Sample(series, NOW, 50.0), Sample(series, NOW, 50.0), Sample(series, NOW + timedelta(hours=1), 99.0)]
    judged = cycle.judge(samples, {}, policy, now=NOW)
    assert judged.standings[series].newest.value == 50.0  # type: ignore[union-attr]
    assert judged.dropped == {"from the future": 1, "old or a duplicate": 1}


def fleet() -> Any:
    host = SimpleNamespace(name="db-01", address="10.0.0.5", tags={})
    tagged = SimpleNamespace(name="web-01", address="10.0.0.6", tags={"instance": "w1", "cloudwatch_instance": "i-1"})
    standby = SimpleNamespace(host="web-01")
    return SimpleNamespace(
        hosts=(host, tagged),
        databases=(
            SimpleNamespace(name="orders", host="db-01", tags={}, standby=standby),
            SimpleNamespace(name="rds", host=None, tags={"instance": "rds-1"}, standby=None),
            SimpleNamespace(name="bare", host=None, tags={}, standby=None),
        ),
    )


def test_a_target_is_known_by_its_tag_else_by_its_address() -> None:
    found = {each.target: each.instance for each in sources.targets(fleet(), "prometheus")}
    assert found == {
        "host/db-01": "10.0.0.5", "host/web-01": "w1", "database/orders": "10.0.0.5", "standby/orders": "w1",
        "database/rds": "rds-1",
    }  # fmt: skip


def test_cloudwatch_is_asked_only_for_what_has_an_id_there() -> None:
    found = {each.target: each.instance for each in sources.targets(fleet(), "cloudwatch")}
    assert found == {"host/web-01": "i-1", "standby/orders": "i-1", "database/rds": "rds-1"}


def test_a_point_that_is_known_already_is_not_told_again() -> None:
    known, other = Series("host/a", "x"), Series("host/a", "y")
    looked = cycle.Looked((Sample(known, NOW, 1.0), Sample(other, NOW, 1.0)))
    assert sources.unseen(looked, {known: NOW}).samples == (Sample(other, NOW, 1.0),)
    assert sources.unseen(looked, {known: NOW - timedelta(minutes=1)}) == looked


def test_what_several_sources_saw_is_one_look() -> None:
    one = cycle.Looked((Sample(Series("a", "x"), NOW, 1.0),), {"b": "down"})
    two = cycle.Looked((Sample(Series("b", "x"), NOW, 1.0),), {"b": "nothing", "c": "down"})
    found = sources.together(one, [two])
    assert len(found.samples) == 2
    assert found.gaps == {"b": "down; nothing", "c": "down"}


def test_a_cloudwatch_query_names_its_instance_by_the_namespaces_dimension() -> None:
    assert measure("AWS/RDS/CPUUtilization/Average", "orders-1") == Measure(
        "AWS/RDS", "CPUUtilization", "Average", (("DBInstanceIdentifier", "orders-1"),)
    )


def test_a_cloudwatch_query_may_name_dimensions() -> None:
    found = measure("Mine/App/disk/p99?Box={instance}&path=/var/lib", "b 1")
    assert (found.namespace, found.dimensions) == ("Mine/App", (("Box", "b 1"), ("path", "/var/lib")))


@pytest.mark.parametrize("query", ["CPUUtilization", "AWS/RDS", "Mine/disk/Average", "//"])
def test_a_cloudwatch_query_that_says_too_little_is_refused(query: str) -> None:
    with pytest.raises(StepFailed, match="is not namespace/metric/statistic"):
        measure(query, "i-1")


def test_an_inventory_with_a_cloudwatch_query_that_says_too_little_is_refused() -> None:
    with pytest.raises(ValidationError, match="cpu: 'CPUUtilization' is not namespace/metric/statistic"):
        Source(kind="cloudwatch", connection="aws", queries={"cpu": "CPUUtilization"})


@pytest.mark.parametrize(
    ("days", "wanted", "is_"), [(1, 60, 60), (1, 90, 120), (20, 60, 300), (20, 3600, 3600), (70, 300, 3600)]
)
def test_old_points_are_only_there_in_long_periods(days: int, wanted: int, is_: int) -> None:
    assert period(timedelta(days=days), timedelta(seconds=wanted)) == timedelta(seconds=is_)
