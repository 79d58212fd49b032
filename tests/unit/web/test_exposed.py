"""What is offered of an environment: each value once, by labels that somebody declared."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from day2 import inventory
from day2.ledger.metrics import Sample, Series
from day2.ledger.tally import Tally
from day2.metrics.openmetrics import Exposed, name, render
from day2.web import exposed
from day2.web.exposed import Facts

AT = datetime(2027, 3, 7, 3, 0, tzinfo=UTC)
BEGAN = datetime(2027, 1, 1, tzinfo=UTC)
DISK, LAG = Series("host/web-01", "disk_percent", "/"), Series("database/orders", "replay_lag_seconds")
ENVIRONMENT = inventory.load(Path(__file__).parents[3] / "include/environments/production.yaml")


def offered(facts: Facts) -> dict[str, list[tuple[dict[str, str], float]]]:
    page = render(exposed.exposed(ENVIRONMENT, facts)).decode()
    found: dict[str, Any] = {}
    for family in text_string_to_metric_families(page):
        for each in family.samples:
            found.setdefault(each.name, []).append((each.labels, each.value))
    return found


def sample(series: Series, value: float) -> Sample:
    return Sample(series, AT, value)


def test_a_sample_says_whose_it_is() -> None:
    found = offered(Facts((sample(DISK, 91.5), sample(LAG, 4.0))))
    assert found["day2_disk_percent"] == [
        ({"environment": "production", "target": "host/web-01", "part": "/", "owner": "platform-team",
          "tier": "production"}, 91.5)
    ]  # fmt: skip
    assert found["day2_replay_lag_seconds"][0][0]["owner"] == "shop-team"
    assert found["day2_series"][0][1] == 2


def test_where_it_stands_and_since_when() -> None:
    found = offered(Facts(standings={DISK: {"level": "critical", "since": AT.isoformat()}}, looked_at=AT))
    ((labels, level),) = found["day2_level"]
    assert (labels["metric"], labels["part"], level) == ("disk_percent", "/", 2)
    assert found["day2_level_since_timestamp_seconds"][0][1] == AT.timestamp()
    assert found["day2_last_look_timestamp_seconds"][0][1] == AT.timestamp()


def test_silence_is_the_worst_level_and_never_a_look_is_zero() -> None:
    found = offered(Facts(standings={DISK: {"level": "absent", "since": None}}))
    assert found["day2_level"][0][1] == 3
    assert found["day2_last_look_timestamp_seconds"][0][1] == 0


@pytest.mark.parametrize(("target", "shown"), [("host/removed", False), ("receipt/mail", True), ("host/web-02", True)])
def test_the_silence_of_what_was_taken_out_of_the_inventory_is_no_alarm(target: str, shown: bool) -> None:
    found = offered(Facts(standings={Series(target, "cpu_percent"): {"level": "absent", "since": None}}))
    assert ("day2_level" in found) == shown


def test_a_metric_without_a_threshold_stands_nowhere() -> None:
    found = offered(Facts(standings={Series("host/web-01", "cpus"): {"level": "critical", "since": None}}))
    assert "day2_level" not in found


def test_an_operation_that_never_passed_is_as_old_as_the_ledger() -> None:
    tally = Tally(9, BEGAN, {("database_backup", "PASSED"): 3, ("database_backup", "FAILED"): 1},
                  {("database_backup", "PASSED"): AT, ("database_backup", "FAILED"): AT})  # fmt: skip
    found = offered(Facts(tally=tally))
    passed = {labels["operation"]: value for labels, value in found["day2_last_passed_timestamp_seconds"]}
    assert passed["database_backup"] == AT.timestamp()
    assert passed["dr_drill"] == BEGAN.timestamp()
    assert {labels["verdict"]: value for labels, value in found["day2_runs_total"]} == {"PASSED": 3, "FAILED": 1}
    gaps = {labels["operation"]: value for labels, value in found["day2_schedule_interval_seconds"]}
    assert gaps["database_backup"] >= 86_400
    assert gaps.keys() - passed.keys() == {"health_check"}, "its age is told by its samples"


def test_a_sample_that_bears_a_name_of_ours_is_left_out_and_counted() -> None:
    found = offered(Facts((sample(Series("host/web-01", "level"), 1.0), sample(DISK, 1.0))))
    assert "day2_level" not in found
    assert found["day2_series_left_out"][0][1] == 1


def test_a_page_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposed, "MOST_SERIES", 3)
    found = offered(Facts(tuple(sample(Series("host/web-01", "disk_percent", f"/{n}"), 1.0) for n in range(5))))
    assert len(found["day2_disk_percent"]) == 3
    assert found["day2_series_left_out"][0][1] == 2


def test_two_values_of_one_series_are_one() -> None:
    page = render([Exposed("x", {"target": "a"}, 1.0), Exposed("x", {"target": "a"}, 2.0)]).decode()
    assert page.count('day2_x{target="a"}') == 1


@pytest.mark.parametrize(("metric", "is_"), [("disk_total", "day2_disk_total_now"), ("a-b", "day2_a_b")])
def test_a_gauge_is_not_named_as_a_counter(metric: str, is_: str) -> None:
    assert name(metric) == is_


def test_an_environment_that_cannot_be_read_says_so() -> None:
    (found,) = exposed.unknown("staging")
    assert (found.metric, found.labels["environment"], found.value) == ("environment_up", "staging", 0)
