"""The dashboard and the rules ask for nothing that the endpoint does not offer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from day2.operations.health_check.about import ABOUT
from day2.web import exposed

ROOT = Path(__file__).parents[3]
INCLUDE = ROOT / "include"
BOARD = (INCLUDE / "grafana/day2.json").read_text()
RULES = (INCLUDE / "prometheus/rules.yaml").read_text()


def asked(text: str) -> set[str]:
    return set(re.findall(r"\bday2_[a-z0-9_]+", text))


@pytest.mark.parametrize("text", [BOARD, RULES], ids=["dashboard", "rules"])
def test_every_metric_that_is_asked_for_is_offered(text: str) -> None:
    assert len(asked(text)) > 8
    assert asked(text) - exposed.names(ABOUT) == set()


def test_every_value_of_ours_is_on_the_dashboard_or_in_a_rule() -> None:
    # How many series there are, and since when one stands, is for whoever looks closer.
    closer = {"day2_series", "day2_level_since_timestamp_seconds"}
    assert exposed.names({}) - asked(BOARD) - asked(RULES) == closer


def test_every_rule_says_how_bad_it_is_and_where_help_is() -> None:
    help_page = (ROOT / "docs/monitoring.md").read_text()
    headings = {
        re.sub(r"[^a-z0-9 ]", "", each.lower()).replace(" ", "-") for each in re.findall("^#+ (.+)$", help_page, re.M)
    }
    rules = [each for group in yaml.safe_load(RULES)["groups"] for each in group["rules"]]
    assert {each["labels"]["severity"] for each in rules} == {"critical", "warning"}
    for each in rules:
        page, _, heading = each["annotations"]["runbook"].partition("#")
        assert (page, heading in headings) == ("docs/monitoring.md", True), each["alert"]


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(BOARD)["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
