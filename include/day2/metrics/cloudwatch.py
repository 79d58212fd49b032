"""Samples out of CloudWatch, with GetMetricData. What it has no value for is a gap.

A point's time is the beginning of its period. Which periods it keeps for how long:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#metrics-retention
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from day2.errors import Day2Error, StepFailed, Unavailable

log = logging.getLogger("day2")
Point = tuple[datetime, float]
# Of one call (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html).
MOST_QUERIES = 500
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# Up to which age there are points of which period. Those of seconds, kept for three hours, are more than we need.
KEPT = ((15 * DAY, MINUTE), (63 * DAY, 5 * MINUTE), (455 * DAY, 60 * MINUTE))
OLDEST = KEPT[-1][0]
# The dimension that names what a metric is of. Other namespaces say theirs in the query.
DIMENSION = {
    "AWS/EC2": "InstanceId",
    "AWS/RDS": "DBInstanceIdentifier",
    "AWS/ElastiCache": "CacheClusterId",
    "AWS/AutoScaling": "AutoScalingGroupName",
    "CWAgent": "InstanceId",
}
LEFT = "no sample was taken: that is a gap, not a zero"
DENIED = {"AccessDenied", "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId"}
DENIED |= {"SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "Forbidden"}
LATER = {"Throttling", "ThrottlingException", "LimitExceeded", "ServiceUnavailable", "InternalFailure"}
LATER |= {"InternalServiceError", "InternalServiceFault", "InternalError"}


@dataclass(frozen=True)
class Measure:
    """One metric of one thing: what CloudWatch calls a metric, its statistic, and the dimensions that choose it."""

    namespace: str
    metric: str
    statistic: str
    dimensions: tuple[tuple[str, str], ...]


def measure(query: str, instance: str) -> Measure:
    """What `AWS/RDS/CPUUtilization/Average` asks of an instance; other dimensions follow, `?path=/&fstype=ext4`.

    `{instance}` in a dimension stands for the instance. Raises StepFailed.
    """
    named, _, more = query.partition("?")
    namespace, metric, statistic = (named.rsplit("/", 2) + ["", ""])[:3]
    dimensions = [(key, value.replace("{instance}", instance)) for key, value in parse_qsl(more)]
    if namespace in DIMENSION and DIMENSION[namespace] not in dict(dimensions):
        dimensions.append((DIMENSION[namespace], instance))
    if not (namespace and metric and statistic and dimensions):
        raise StepFailed(
            f"the query `{query}` is not namespace/metric/statistic, with ?Dimension={{instance}} where we know none",
            left=LEFT,
            next_step="correct it in the source's `queries`",
        )
    return Measure(namespace, metric, statistic, tuple(sorted(dimensions)))


def period(age: timedelta, wanted: timedelta) -> timedelta:
    """The shortest period, not shorter than wanted, of which CloudWatch still has points of that age. Pure."""
    finest = next((each for up_to, each in KEPT if age <= up_to), KEPT[-1][1])
    return math.ceil(wanted / finest) * finest


@dataclass(frozen=True)
class CloudWatch:
    """CloudWatch of one account and region, behind a boto3 client."""

    client: Any

    def read(
        self, measures: Iterable[Measure], since: datetime, until: datetime, *, every: timedelta
    ) -> dict[Measure, list[Point]]:
        """The points from `since` until before `until`, oldest first; no entry for what has none.

        `every` is whole seconds, of which CloudWatch has points of that age (`period`). Raises Unavailable, StepFailed.
        """
        asked = list(dict.fromkeys(measures))
        found: dict[Measure, dict[datetime, float]] = {}
        for first in range(0, len(asked), MOST_QUERIES):
            some = {f"m{number}": each for number, each in enumerate(asked[first : first + MOST_QUERIES])}
            for result in self._pages(some, since, until, every):
                points = found.setdefault(some[result["Id"]], {})
                # A page may repeat the point at which the last one ended.
                points.update(
                    zip((each.astimezone(UTC) for each in result["Timestamps"]), result["Values"], strict=True)
                )
        return {each: sorted(points.items()) for each, points in found.items() if points}

    def _pages(
        self, measures: Mapping[str, Measure], since: datetime, until: datetime, every: timedelta
    ) -> Iterator[dict[str, Any]]:
        from botocore.exceptions import BotoCoreError, ClientError

        pages = self.client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[_query(name, each, every) for name, each in measures.items()],
            StartTime=since,
            EndTime=until,
            ScanBy="TimestampAscending",
        )
        try:
            for page in pages:
                for each in page.get("Messages", ()):
                    log.warning("CloudWatch: %s: %s", each.get("Code"), each.get("Value"))
                for result in page["MetricDataResults"]:
                    # `Complete`, or `PartialData` with more of it on the next page.
                    if result.get("StatusCode") in {"InternalError", "Forbidden"}:
                        raise _refused(result["StatusCode"], f"of {measures[result['Id']]}", self._where())
                    yield result
        except ClientError as error:
            told = error.response.get("Error", {})
            raise _refused(told.get("Code", ""), told.get("Message", ""), self._where()) from error
        except BotoCoreError as error:
            raise Unavailable(
                f"CloudWatch does not answer: {type(error).__name__}",
                target=self._where(),
                left=LEFT,
                next_step="check that the endpoint answers from the worker, and the source's connection",
            ) from error

    def _where(self) -> str:
        return str(self.client.meta.endpoint_url)


def _query(name: str, each: Measure, every: timedelta) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in each.dimensions]
    metric = {"Namespace": each.namespace, "MetricName": each.metric, "Dimensions": dimensions}
    stat = {"Metric": metric, "Period": int(every.total_seconds()), "Stat": each.statistic}
    return {"Id": name, "MetricStat": stat, "ReturnData": True}


def _refused(code: str, said: str, where: str) -> Day2Error:
    if code in LATER:
        return Unavailable(f"CloudWatch cannot answer now: {code}: {said}", target=where, left=LEFT)
    if code in DENIED:
        return StepFailed(
            f"CloudWatch refuses us: {code}: {said}",
            target=where,
            left=LEFT,
            next_step="give the source's connection the right cloudwatch:GetMetricData",
            runbook="Credentials refused",
        )
    return StepFailed(
        f"CloudWatch refuses the question: {code}: {said}",
        target=where,
        left=LEFT,
        next_step="correct the source's `queries`",
    )
