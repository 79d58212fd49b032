"""With the settings of docs/monitoring.md Airflow's own metrics and traces arrive at a collector."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).parents[3]
SETTINGS = (ROOT / "docs/monitoring.md").read_text()
# What each Airflow process does when it begins, and one thing to tell.
PROCESS = """
import airflow.settings
from airflow.configuration import conf
from airflow.observability import stats
from airflow.observability.metrics import stats_utils
from opentelemetry import metrics, trace

airflow.settings.initialize()
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
stats.incr("scheduler_heartbeat", 3)
with trace.get_tracer("airflow").start_as_current_span("dag_run.health_check.production"):
    pass
metrics.get_meter_provider().force_flush()
trace.get_tracer_provider().force_flush()
"""


class Collector(HTTPServer):
    """Reads OTLP over HTTP, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.metrics: list[Any] = []
        self.spans: list[Any] = []


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        if self.path == "/v1/metrics":
            self.server.metrics += ExportMetricsServiceRequest.FromString(body).resource_metrics
        elif self.path == "/v1/traces":
            self.server.spans += ExportTraceServiceRequest.FromString(body).resource_spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield made
        made.shutdown()


def documented() -> dict[str, str]:
    """The variables that the page tells to set."""
    return dict(re.findall(r"^((?:AIRFLOW__|OTEL_)\w+)=(\S+)$", SETTINGS, re.MULTILINE))


def service(told: Any) -> str:
    return str({each.key: each.value.string_value for each in told.resource.attributes}["service.name"])


def test_metrics_and_traces_arrive_with_the_documented_settings(collector: Collector, tmp_path: Path) -> None:
    settings = documented()
    assert len(settings) == 7
    settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_port}"
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")}
    env |= settings | {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    names = {
        metric.name: [point.as_int or point.as_double for point in metric.sum.data_points]
        for each in collector.metrics for scope in each.scope_metrics for metric in scope.metrics
    }  # fmt: skip
    assert names["airflow.scheduler_heartbeat"] == [3]
    spans = [span.name for each in collector.spans for scope in each.scope_spans for span in scope.spans]
    assert "dag_run.health_check.production" in spans
    assert {service(each) for each in (*collector.metrics, *collector.spans)} == {"airflow"}
