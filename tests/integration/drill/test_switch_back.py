"""Back to the primary of normal times, without losing a commit."""

from __future__ import annotations

from typing import Any

import pytest

from day2.operations.dr_drill import observe, rejoin, switch_back
from day2.operations.dr_drill.pair import Node
from tests.integration.drill.making import Living
from tests.integration.drill.test_rejoin import SECONDS, equal, notes, take_over, write


@pytest.fixture
def failed_over(pair: Living) -> Living:
    """A pair whose standby took over, with the old primary following it."""
    pair.ctl(pair.pair.primary, "stop", "--mode=fast")
    take_over(pair)
    rejoin.rejoin(pair.pair, seconds=SECONDS)
    return pair


class Routed:
    """Where clients were sent."""

    def __init__(self) -> None:
        self.to: list[str] = []

    def __call__(self, node: Node) -> dict[str, Any]:
        self.to.append(node.name)
        return {"to": node.name}


def back(pair: Living) -> tuple[dict[str, Any], Routed]:
    routed = Routed()
    return switch_back.switch_back(pair.pair, seconds=SECONDS, route=routed), routed


def test_it_ends_in_normal_with_every_row_and_the_slots_of_normal_times(failed_over: Living) -> None:
    write(failed_over, failed_over.pair.standby, "while away", 100)
    measures, routed = back(failed_over)
    print(measures)
    assert observe.now(failed_over.pair) == "normal"
    assert notes(failed_over, failed_over.pair.primary, "while away") == 100
    assert equal(failed_over)
    assert routed.to == ["orders"]
    assert measures["means"] == "start"
    assert measures["streams"]
    assert measures["slot_active"]
    assert 0 < measures["outage_seconds"] < 30
    slots = "select count(*) from pg_replication_slots"
    assert [failed_over.sql(each, slots) for each in failed_over.pair.nodes] == [1, 0]


def test_a_second_run_does_nothing_but_route_again(failed_over: Living) -> None:
    back(failed_over)
    measures, routed = back(failed_over)
    assert measures["already"]
    assert routed.to == ["orders"]
