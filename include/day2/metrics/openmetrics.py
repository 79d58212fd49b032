"""Samples for Prometheus to scrape: the newest value of each series, in the OpenMetrics text format. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PREFIX = "day2_"
# They say that a value is a counter's, a histogram's or an info's (the OpenMetrics specification, "Suffixes").
SUFFIXES = ("_total", "_count", "_sum", "_bucket", "_created", "_info")


@dataclass(frozen=True)
class Exposed:
    """One value of a metric with its labels. `at` is when it was seen; none for one that is true at the scrape."""

    metric: str
    labels: Mapping[str, str]
    value: float
    at: datetime | None = None
    says: str = ""
    counter: bool = False


def render(values: Iterable[Exposed]) -> bytes:
    """The page in OpenMetrics."""
    return page(values, OPENMETRICS)[0]


def page(values: Iterable[Exposed], accept: str) -> tuple[bytes, str]:
    """The page in the best format of those a scraper accepts, and that format's name, one family a metric.

    Of two values of the same labels the last is offered: never both.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder

    encoder, content_type = choose_encoder(accept)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(list(values)))
    return encoder(registry), content_type


def name(metric: str) -> str:
    """A metric's name as Prometheus has them. What is a suffix of another type of metric there is none any more."""
    spelt = PREFIX + re.sub(r"[^a-zA-Z0-9_]", "_", metric)
    return f"{spelt}_now" if spelt.endswith(SUFFIXES) else spelt


class _Once:
    """What a registry asks for its families."""

    def __init__(self, values: list[Exposed]) -> None:
        self._values = values

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, dict[tuple[tuple[str, str], ...], Exposed]] = {}
        for each in self._values:
            families.setdefault(name(each.metric), {})[tuple(sorted(each.labels.items()))] = each
        for called, by_labels in sorted(families.items()):
            some = [value for _, value in sorted(by_labels.items())]
            labels = sorted({label for each in some for label in each.labels})
            kind = CounterMetricFamily if some[0].counter else GaugeMetricFamily
            family = kind(called, some[0].says or called, labels=labels)
            for each in some:
                texts = [each.labels.get(label, "") for label in labels]
                family.add_metric(texts, each.value, timestamp=each.at.timestamp() if each.at else None)
            yield family
