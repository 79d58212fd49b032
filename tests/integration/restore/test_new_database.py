"""Restores under a new name: equal to the source, whole or not there, and nothing else touched."""

from __future__ import annotations

import pytest

from day2 import validation
from day2.operations.database_restore import destinations, order, preflight, proof, staged
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


def test_a_restore_leaves_what_another_is_building(kept, shared, target, scratch):
    ordered = kept.order("logical", scratch)
    with staged.building(ordered, target(COPY), measures={}) as built:
        assert staged.sweep(target(COPY).server) == []
        assert databases(shared) == OTHERS | {built.name}
    assert staged.sweep(target(COPY).server) == [built.name], "not moved to its place, and nobody there any more"


@pytest.mark.parametrize(
    "change",
    [
        "create or replace function double(n int) returns int language sql as 'select n * 3'",
        "alter table kept alter n type bigint",
        "alter table kept alter n drop not null",
        "alter table kept drop constraint positive",
        "alter table kept disable trigger user",
        "drop index kept_word",
        "drop view seen",
    ],
)
def test_objects_that_differ_are_named_in_every_version(shared, target, change):
    """What stands in for the text of definitions when a point goes to a newer server."""
    server = target("compared").server
    with shared.connect() as connection:
        connection.execute("create database compared")
    with shared.connect("compared") as connection:
        connection.execute(
            "create function double(n int) returns int language sql as 'select n * 2';"
            "create table kept (n int not null constraint positive check (n > 0), word text);"
            "create index kept_word on kept (word); create view seen as select word from kept;"
            "create function nothing() returns trigger language plpgsql as 'begin return new; end';"
            "create trigger t before insert on kept for each row execute function nothing()"
        )
        before = proof.objects(server.at("compared"))
        connection.execute("analyze")
        measures = {"differences": [], "differences_total": 0}
        proof.compare_objects(before, proof.objects(server.at("compared")), measures=measures)
        assert (measures["schema_equal"], measures["differences_total"]) == (True, 0)
        connection.execute(change)
        proof.compare_objects(before, proof.objects(server.at("compared")), measures=measures)
    assert measures["schema_equal"] is False
    assert measures["differences_total"] > 0
