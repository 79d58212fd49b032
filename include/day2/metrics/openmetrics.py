"""Samples for Prometheus to scrape: the newest value of each series, in the OpenMetrics text format. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PREFIX = "day2_"


@dataclass(frozen=True)
class Exposed:
    """One value of a metric with its labels, and when it was seen."""

    metric: str
    labels: Mapping[str, str]
    value: float
    at: datetime
    says: str = ""
    counter: bool = False


def render(values: Iterable[Exposed]) -> bytes:
    """The page. One family a metric; a value keeps the time at which it was seen, so that an old one is not new."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.openmetrics.exposition import generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(list(values)))
    page: bytes = generate_latest(registry)  # type: ignore[no-untyped-call]
    return page


def name(metric: str) -> str:
    """A metric's name as Prometheus has them."""
    return PREFIX + re.sub(r"[^a-zA-Z0-9_]", "_", metric)


class _Once:
    """What a registry asks for its families."""

    def __init__(self, values: list[Exposed]) -> None:
        self._values = values

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, list[Exposed]] = {}
        for each in self._values:
            families.setdefault(name(each.metric), []).append(each)
        for called, some in sorted(families.items()):
            labels = sorted({label for each in some for label in each.labels})
            kind = CounterMetricFamily if some[0].counter else GaugeMetricFamily
            family = kind(called, some[0].says or called, labels=labels)
            for each in sorted(some, key=lambda value: sorted(value.labels.items())):
                family.add_metric(
                    [each.labels.get(label, "") for label in labels], each.value, timestamp=each.at.timestamp()
                )
            yield family
