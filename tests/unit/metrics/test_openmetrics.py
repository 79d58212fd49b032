"""What we offer for scraping is what Prometheus's own parser reads, whatever names targets have."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from day2.metrics.openmetrics import Exposed, render

AT = datetime(2027, 3, 7, 3, 0, 30, 500000, tzinfo=UTC)


def parsed(*values: Exposed) -> dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, float]]:
    families = text_string_to_metric_families(render(values).decode())
    return {
        (sample.name, tuple(sorted((key, text) for key, text in sample.labels.items() if text))): (
            sample.value, float(sample.timestamp)
        )
        for family in families for sample in family.samples
    }  # fmt: skip


def exposed(metric: str = "disk_percent", value: float = 91.5, **fields) -> Exposed:
    labels = fields.pop("labels", {"target": "db-01", "part": "/data"})
    return Exposed(metric, labels, value, AT, **fields)


def test_a_value_keeps_its_labels_and_its_time():
    assert parsed(exposed()) == {
        ("day2_disk_percent", (("part", "/data"), ("target", "db-01"))): (91.5, AT.timestamp()),
    }


def test_a_counter_is_a_counter():
    assert list(parsed(exposed("network_sent_bytes", 7, counter=True, labels={"target": "a"}))) == [
        ("day2_network_sent_bytes_total", (("target", "a"),))
    ]


def test_without_values_there_is_a_page_that_ends_properly():
    assert render([]) == b"# EOF\n"


@given(st.text(), st.text(), st.floats(allow_nan=False))
def test_any_name_can_be_read_back(target: str, part: str, value: float):
    labels = {key: text for key, text in (("part", part), ("target", target)) if text}
    assert parsed(exposed(labels={"target": target, "part": part}, value=value)) == {
        ("day2_disk_percent", tuple(sorted(labels.items()))): (value, AT.timestamp())
    }
