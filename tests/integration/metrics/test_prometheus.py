"""A real Prometheus answers, with months that it has in its blocks; a target that fell silent is a gap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from day2.errors import StepFailed, Unavailable
from day2.inventory.health import Source
from day2.metrics.prometheus import MOST_POINTS, Prometheus
from day2.operations.health_check import sources
from day2.operations.health_check.sources import Of
from lab import prometheus
from lab.ports import free_port

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
A, B = Of("host/web-01", "10.0.0.1"), Of("host/web-02", "10.0.0.2")
DISK = 'disk_percent{instance="{instance}:9100"}'
GAP = range(20, 30)  # hours of the past of which there is nothing


def history() -> str:
    """Two targets by the quarter of an hour for twelve days, one of them with a gap, NaN, and no present."""
    first = NOW - 12 * DAY
    lines = ["# TYPE disk_percent gauge"]
    for number in range(12 * 96):
        at = first + number * 15 * MINUTE
        if (NOW - at) // HOUR not in GAP:
            lines.append(f'disk_percent{{instance="10.0.0.1:9100",mountpoint="/"}} {number % 96} {at.timestamp()}')
    lines += [f'disk_percent{{instance="10.0.0.2:9100",mountpoint="/"}} NaN {(NOW - HOUR).timestamp()}', "# EOF"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    try:
        prometheus.program("prometheus")
    except Unavailable as error:
        pytest.skip(error.happened)
    folder = tmp_path_factory.mktemp("prometheus")
    prometheus.write_history(folder, history())
    silent = f"{{job_name: silent, static_configs: [{{targets: ['127.0.0.1:{free_port()}']}}]}}"
    made = prometheus.start(
        folder, f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs: [{silent}]\n"
    )
    yield Prometheus(made.url, seconds=10)
    made.stop()


def source(**queries: str) -> Source:
    return Source(kind="prometheus", connection="prom", queries=queries)


def test_a_history_has_its_gaps_and_no_zeros_in_them(server: Prometheus) -> None:
    span = (NOW - 10 * DAY, NOW - HOUR)
    found = list(sources.history_prometheus(source(disk_percent=DISK), server, [A, B], span, step=15 * MINUTE))
    assert {(each.series.target, each.series.part) for each in found} == {("host/web-01", "/")}, (
        "what is NaN is nothing"
    )
    ages = {(NOW - each.at) // HOUR for each in found}
    assert not ages & set(range(GAP.start, GAP.stop - 1))
    assert len(found) > 900
    assert min(each.at for each in found) == NOW - 10 * DAY


def test_more_points_than_one_answer_holds_come_in_pieces(server: Prometheus) -> None:
    query = 'last_over_time(disk_percent{instance="10.0.0.1:9100"}[1h])'
    (points,) = server.range(query, NOW - 9 * DAY, NOW - 5 * DAY, timedelta(seconds=20)).values()
    assert len(points) == 4 * 4320 + 1 > MOST_POINTS
    assert len({at for at, _ in points}) == len(points)


def test_what_fell_silent_is_a_gap_and_the_others_go_on(server: Prometheus) -> None:
    query = 'last_over_time(disk_percent{instance="{instance}:9100"}[6h])'
    found = sources.look_prometheus(source(disk_percent=query, stale=DISK), server, [A, B], at_once=4)
    (sample,) = found.samples
    assert (sample.series.target, sample.series.metric, sample.series.part) == ("host/web-01", "disk_percent", "/")
    assert abs(sample.at - datetime.now(UTC)) < MINUTE
    assert found.gaps == {"host/web-02": f"{server.url} has nothing of it"}


def test_its_own_words_are_told(server: Prometheus) -> None:
    with pytest.raises(StepFailed, match="unclosed left parenthesis"):
        server.instant("sum(up")
    with pytest.raises(StepFailed, match=r"gives a matrix, not one value a series"):
        server.instant("up[5m]")
