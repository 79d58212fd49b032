"""Restores under a new name: equal to the source, whole or not there, and nothing else touched."""

from __future__ import annotations

import pytest

from day2 import validation
from day2.operations.database_restore import destinations, order, preflight
from tests.integration.restore.conftest import OTHERS
from tests.integration.restore.making import NAME, databases, dumped, maintenance

COPY = "copie \"of\" ö=1; $(id) %s \\ 'x'"


@pytest.mark.parametrize("engine", ["logical", "physical"])
def test_a_new_database_equals_the_source(kept, source, shared, target, scratch, engine):
    placed, ordered = target(COPY), kept.order(engine, scratch)
    assert preflight.inspect(ordered, destination="new_database", target=placed).problems == ()
    measures = order.blank(ordered, target="orders", destination="new_database")
    tables = destinations.new_database(ordered, placed, measures=measures)
    assert measures["differences"] == []
    assert len(tables) == measures["tables_equal"] == measures["tables_expected"]
    result = validation.run([measures], "database_restore")
    assert result.passed, result.report()
    unlogged = ["--no-unlogged-table-data"] if engine == "physical" else []
    assert dumped(maintenance(shared), COPY, *unlogged) == dumped(maintenance(source), NAME, *unlogged)
    assert databases(shared) == OTHERS | {COPY}
