"""Prometheus' own tool reads our page, accepts our rules, and fires them when it should and not before."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from day2 import inventory
from day2.errors import Unavailable
from day2.ledger.metrics import Sample, Series
from day2.ledger.tally import Tally
from day2.metrics.openmetrics import page
from day2.web.exposed import Facts, exposed
from lab import prometheus
from lab.prometheus import promtool

ROOT = Path(__file__).parents[3]
INCLUDE = ROOT / "include"
AT = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def _tool() -> None:
    try:
        prometheus.program("promtool")
    except Unavailable as error:
        pytest.skip(error.happened)


def test_the_rules_are_accepted() -> None:
    assert re.search(r"SUCCESS: 1\d rules found", promtool("check", "rules", str(INCLUDE / "prometheus/rules.yaml")))


def test_the_rules_fire_when_they_should_and_not_before() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(Path(__file__).with_name("rules_test.yaml")))


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    example = (INCLUDE / "prometheus/scrape.yaml").read_text()
    (tmp_path / "token").touch()
    (tmp_path / "prometheus.yml").write_text(example.replace("/etc/prometheus/day2.token", str(tmp_path / "token")))
    (tmp_path / "rules.yaml").write_text((INCLUDE / "prometheus/rules.yaml").read_text())
    assert "SUCCESS" in promtool("check", "config", str(tmp_path / "prometheus.yml"))


def test_the_page_is_one_that_prometheus_finds_nothing_wrong_with() -> None:
    series = [Series("host/web-01", metric, "/") for metric in ("disk_percent", "disk_total", "network_errors")]
    standing = {each: {"level": "warning", "since": AT.isoformat()} for each in series}
    tally = Tally(1, AT, {("dr_drill", "PASSED"): 1})
    environment = inventory.load(INCLUDE / "environments/production.yaml")
    values = exposed(environment, Facts([Sample(each, AT, 1.5) for each in series], standing, AT, tally))
    assert promtool("check", "metrics", text=page(values, "text/plain")[0].decode()) == ""


def expressions() -> Iterator[str]:
    """Every question of the dashboard, its variables filled in."""
    board = json.loads((INCLUDE / "grafana/day2.json").read_text())
    for panel in board["panels"]:
        for each in panel.get("targets", ()):
            yield each["expr"].replace("$environment", ".*").replace("$target", ".*")


def test_the_dashboards_questions_are_promql(tmp_path: Path) -> None:
    rules = [{"record": f"dashboard:{number}", "expr": each} for number, each in enumerate(expressions())]
    assert len(rules) > 15
    (tmp_path / "dashboard.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert "SUCCESS" in promtool("check", "rules", str(tmp_path / "dashboard.yaml"))
