"""CloudWatch's protocol, spoken by moto over HTTP: pages, many questions, gaps. AWS itself was not asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from day2.errors import Day2Error, StepFailed, Unavailable
from day2.inventory.health import Source
from day2.metrics.cloudwatch import MOST_QUERIES, CloudWatch, measure
from day2.operations.health_check import sources
from day2.operations.health_check.sources import Of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(second=0, microsecond=0)
ORDERS, BILLING = Of("database/orders", "orders-1"), Of("database/billing", "billing-1")
QUERIES = {"cpu_percent": "AWS/RDS/CPUUtilization/Average", "connections": "AWS/RDS/DatabaseConnections/Maximum"}


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield boto3.client(
        "cloudwatch",
        endpoint_url=f"http://{host}:{port}",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
    )
    server.stop()


@pytest.fixture(scope="module")
def account(aws: Any) -> CloudWatch:
    """An hour of CPU of one database, with a gap; and one old point."""
    dimension = [{"Name": "DBInstanceIdentifier", "Value": "orders-1"}]
    values = [(NOW - each * MINUTE, float(each)) for each in range(1, 60) if not 20 <= each < 30]
    values.append((NOW - 100 * DAY, 77.0))
    data = [
        {"MetricName": "CPUUtilization", "Dimensions": dimension, "Timestamp": at, "Value": value}
        for at, value in values
    ]
    for first in range(0, len(data), 20):
        aws.put_metric_data(Namespace="AWS/RDS", MetricData=data[first : first + 20])
    return CloudWatch(aws)


def source(**queries: str) -> Source:
    return Source(kind="cloudwatch", connection="aws", queries=queries)


def test_the_newest_point_is_the_sample_and_another_look_is_nothing_new(account: CloudWatch) -> None:
    looks = [sources.look_cloudwatch(source(**QUERIES), account, [ORDERS, BILLING], now=NOW) for _ in range(2)]
    (sample,) = looks[0].samples
    assert (sample.series.target, sample.series.metric, sample.at, sample.value) == (
        "database/orders", "cpu_percent", NOW - MINUTE, 1.0
    )  # fmt: skip
    assert looks[0].gaps == {"database/billing": "CloudWatch has nothing of it"}
    assert looks[1] == looks[0]


def test_what_was_not_measured_is_missing_and_not_zero(account: CloudWatch) -> None:
    asked = measure(QUERIES["cpu_percent"], "orders-1")
    points = account.read([asked], NOW - HOUR, NOW, every=MINUTE)[asked]
    minutes = [(NOW - at) // MINUTE for at, _ in points]
    assert minutes == [each for each in range(59, 0, -1) if not 20 <= each < 30]


def test_a_history_reaches_back_for_as_long_as_it_is_kept(account: CloudWatch) -> None:
    span = (NOW - 3650 * DAY, NOW)
    found = list(sources.history_cloudwatch(source(**QUERIES), account, [ORDERS], span, now=NOW))
    assert 77.0 in [each.value for each in found]
    assert all(each.at > NOW - 456 * DAY for each in found)
    assert len({(each.series, each.at) for each in found}) == len(found)


def test_more_questions_than_one_call_takes_are_several_calls(account: CloudWatch) -> None:
    asked = [measure(QUERIES["cpu_percent"], f"db-{number}") for number in range(MOST_QUERIES + 1)]
    wanted = measure(QUERIES["cpu_percent"], "orders-1")
    found = account.read([*asked, wanted], NOW - 5 * MINUTE, NOW, every=MINUTE)
    assert list(found) == [wanted]


class Paged:
    """CloudWatch in two pages, of which the second repeats a point: moto answers everything at once."""

    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **asked: Any) -> Iterator[Any]:
        for moments in ([0, 1], [1, 2]):
            times = [NOW - HOUR + each * MINUTE for each in moments]
            result = {"Id": "m0", "StatusCode": "PartialData", "Timestamps": times, "Values": [1.0] * len(times)}
            yield {"MetricDataResults": [result]}


def test_pages_are_put_together_and_no_point_comes_twice() -> None:
    asked = measure(QUERIES["cpu_percent"], "orders-1")
    found = CloudWatch(Paged()).read([asked], NOW - HOUR, NOW, every=MINUTE)
    assert [(at - NOW + HOUR) // MINUTE for at, _ in found[asked]] == [0, 1, 2]


def test_an_endpoint_that_is_gone_is_a_gap_of_each_target(aws: Any) -> None:
    gone = boto3.client(
        "cloudwatch", endpoint_url="http://127.0.0.1:1", region_name="eu-west-1", aws_access_key_id="x",
        aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )  # fmt: skip
    found = sources.look_cloudwatch(source(**QUERIES), CloudWatch(gone), [ORDERS, BILLING], now=NOW)
    assert found.samples == ()
    assert set(found.gaps) == {"database/orders", "database/billing"}
    with pytest.raises(Unavailable, match="CloudWatch does not answer: EndpointConnectionError"):
        list(sources.history_cloudwatch(source(**QUERIES), CloudWatch(gone), [ORDERS], (NOW - DAY, NOW), now=NOW))


def test_a_query_that_cannot_be_read_stops_no_other(account: CloudWatch) -> None:
    found = sources.look_cloudwatch(source(**QUERIES, load="Mine/load1/Average"), account, [ORDERS], now=NOW)
    assert [each.series.metric for each in found.samples] == ["cpu_percent"]
    assert "is not namespace/metric/statistic" in found.gaps["database/orders"]


@pytest.mark.parametrize(
    ("code", "kind"), [("Throttling", Unavailable), ("AccessDenied", StepFailed), ("InvalidParameterValue", StepFailed)]
)
def test_a_refusal_says_whether_later_helps(code: str, kind: type[Day2Error]) -> None:
    from botocore.exceptions import ClientError

    class Refusing(Paged):
        meta = type("Meta", (), {"endpoint_url": "https://monitoring"})

        def paginate(self, **asked: Any) -> Iterator[Any]:
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetMetricData")
            yield

    with pytest.raises(kind, match=f"{code}: no"):
        CloudWatch(Refusing()).read([measure(QUERIES["cpu_percent"], "x")], NOW - HOUR, NOW, every=MINUTE)
