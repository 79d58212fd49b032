"""Every fault that is planted in the lab is found, under its load, by the kind and the object it was planted as."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from day2 import inventory
from day2.inventory import Environment
from day2.operations.performance_tuning.advise import advise
from day2.operations.performance_tuning.collect import collect
from day2.operations.performance_tuning.configured import thresholds
from day2.operations.performance_tuning.facts import Machine
from day2.operations.performance_tuning.hypothetical import weigh
from day2.operations.performance_tuning.model import Advice
from day2.postgres.server import Server
from lab.ports import LOOPBACK
from lab.tunable import DATABASE, FAULTS, LOAD, Bazaar

from .conftest import PASSWORD

GB = 1024**3
LOADED_SECONDS = 25


@pytest.fixture(scope="module")
def production() -> Environment:
    return next(each for each in inventory.environments() if each.name == "production")


@pytest.fixture(scope="module")
def advice(bazaar: Bazaar, production: Environment) -> Iterator[Advice]:
    """What is found in the planted database, with production's own limits, but for how long one has to wait."""
    bazaar.start()
    time.sleep(LOADED_SECONDS)
    find = production.tuning_policy(production.database(DATABASE)).find
    short = timedelta(seconds=10)
    limits = thresholds(find.model_copy(update={"transaction_age": short, "unused_window": short}))
    server = Server(LOOPBACK, bazaar.server.port, "day2_tuning", DATABASE, PASSWORD)
    machine = Machine(ram_bytes=4 * GB, cpus=2, disk_bytes=100 * GB, disk_free_bytes=50 * GB)
    facts = weigh(server, collect(server), limits, machine=machine)
    assert bazaar.server.processes.pid(LOAD), "the load ended by itself"
    yield advise(facts, limits, machine=machine)
    bazaar.stop()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: f"{each.kind}-{each.object}")
def test_a_planted_fault_is_found(advice: Advice, fault) -> None:
    found = [each.object for each in advice.recommendations if each.kind == fault.kind]
    assert any(fault.object in each for each in found), found


def test_nothing_is_found_that_was_not_planted(advice: Advice) -> None:
    unplanted = [
        each.key
        for each in advice.recommendations
        if not any(each.kind == fault.kind and fault.object in each.object for fault in FAULTS)
    ]
    assert unplanted == []
