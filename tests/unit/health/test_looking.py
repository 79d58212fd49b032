"""What is looked at, and that what cannot even be prepared is a gap of its own."""

from __future__ import annotations

from typing import Any

import pytest

from day2 import inventory
from day2.errors import PlanRefused, Unavailable
from day2.hosts.shell import Done
from day2.inventory.health import HealthPolicy
from day2.operations.health_check import cycle, looking
from day2.operations.health_check.looking import Reach
from tests.unit.health.making import AT
from tests.unit.inventory.homes import GOOD

POLICY = HealthPolicy()


@pytest.fixture
def here(tmp_path: Any) -> Any:
    (tmp_path / "environments").mkdir()
    (tmp_path / "calendars").mkdir()
    (tmp_path / "calendars" / "changes.ics").write_text("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    (tmp_path / "environments" / "production.yaml").write_text(GOOD)
    [found] = inventory.environments(tmp_path)
    return found


def missing(what: Any) -> Any:
    raise PlanRefused(f"there is no connection for {getattr(what, 'name', what)!r}")


class Shell:
    """A host that is away; it says whether it was closed."""

    label, closed = "away", False

    def run(self, *_command: str, **_more: object) -> Done:
        raise Unavailable("web-01 does not answer")

    def close(self) -> None:
        self.closed = True


def test_everything_that_is_watched_can_be_looked_at(here: Any):
    reach = Reach(5, missing, missing, missing, missing)
    assert list(looking.looks(here, reach, here.watched, now=AT)) == list(here.watched)
    assert list(looking.looks(here, reach, ["host/web-01"], now=AT)) == ["host/web-01"]


def test_a_look_that_cannot_be_prepared_is_a_gap_and_the_others_go_on(here: Any):
    reach = Reach(5, missing, missing, missing, missing)
    targets = ["host/web-01", "database/orders", "standby/orders", "repository/primary"]
    found = cycle.look(looking.looks(here, reach, targets, now=AT), POLICY)
    assert list(found.gaps) == targets
    assert found.gaps["host/web-01"] == "there is no connection for 'ssh_web'"
    assert found.gaps["database/orders"].count("there is no connection for 'orders'") == 2, "the server, and its names"
    assert {(each.series.target, each.series.metric, each.value) for each in found.samples} == {
        (target, "look_failed", 1.0) for target in targets
    }, "and no zero of anything else"


def test_a_session_is_closed_also_when_the_host_does_not_answer(here: Any):
    shell = Shell()
    reach: Any = Reach(5, lambda _name: shell, missing, missing, missing)
    found = cycle.look(looking.looks(here, reach, ["host/web-01"], now=AT), POLICY)
    assert (found.gaps, shell.closed) == ({"host/web-01": "web-01 does not answer"}, True)


@pytest.mark.parametrize("target", ["host/web-01", "database/orders", "repository/primary", "host/nobody"])
def test_somebody_answers_for_every_target(here: Any, target: str):
    assert looking.owner(here, target) == "platform"
