"""Restores in place: proven first, swapped at once, and the way back stays open."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from day2 import validation
from day2.errors import StepFailed
from day2.operations.database_restore import destinations, order, preflight, staged, swap
from day2.repository.folder import FolderStore
from tests.integration.restore.conftest import OTHERS
from tests.integration.restore.making import NAME, back_up, databases, dumped, maintenance

LIVING = 'leben "d"; $(id)'


@pytest.fixture
def living(shared, target):
    """A database of that name with data of its own, which must never be lost."""
    with shared.connect() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(LIVING)))
    with shared.connect(LIVING) as connection:
        connection.execute("create table treasure as select 42 as answer")
    return target(LIVING)


def treasure(server, name: str) -> int:
    with server.connect(name) as connection:
        row = connection.execute("select answer from public.treasure").fetchone()
        assert row is not None
        return row[0]


def blank(ordered):
    return order.blank(ordered, target="orders", destination="in_place")


@contextmanager
def clients(server, count: int) -> Iterator[list[str]]:
    """Pools that never give up: they connect, query and, when thrown out, connect again. Yields what they meet."""
    met: list[str] = []
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            try:
                with server.connect(LIVING) as connection:
                    while not done.wait(0.01):
                        connection.execute("select 1")
            except psycopg.OperationalError as error:
                met.append(str(error).strip())

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for each in threads:
        each.start()
    try:
        yield met
    finally:
        done.set()
        for each in threads:
            each.join(30)


def test_the_new_data_takes_the_name_and_the_old_data_is_kept(kept, source, shared, living, scratch):
    ordered = kept.order("logical", scratch)
    called = []

    def safety() -> str:
        called.append(treasure(shared, LIVING))
        return "a-verified-point"

    with shared.connect("bystander") as bystander, clients(shared, 6) as met:
        seen = preflight.inspect(ordered, destination="in_place", target=living)
        assert seen.problems == ()
        assert seen.facts["sessions"] >= 5, "the impact preview counts who would be thrown out"
        measures = blank(ordered)
        destinations.in_place(ordered, living, safety=safety, measures=measures)
        assert bystander.execute("select 1").fetchone() == (1,), "sessions of other databases live on"
    assert called == [42]
    assert measures["safety_point"] == "a-verified-point"
    result = validation.run([measures], "database_restore")
    assert result.passed, result.report()
    assert dumped(maintenance(shared), LIVING) == dumped(maintenance(source), NAME)
    # A session that is ended while it connects has no words for it; the bystander shows that the server lived.
    ends = ("terminating connection", "does not exist", "server closed the connection unexpectedly")
    assert all(any(end in each for end in ends) for each in met), met
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        shared.connect(measures["old_data"])


def test_the_way_back_is_as_written(kept, shared, living, scratch):
    measures = blank(ordered := kept.order("logical", scratch))
    destinations.in_place(ordered, living, safety=lambda: "p", measures=measures)
    with shared.connect() as connection:
        connection.execute(measures["go_back"].encode())
    assert treasure(shared, LIVING) == 42


def test_the_old_data_is_dropped_as_written(kept, shared, living, scratch):
    measures = blank(ordered := kept.order("logical", scratch))
    destinations.in_place(ordered, living, safety=lambda: "p", measures=measures)
    with shared.connect() as connection:
        connection.execute(measures["drop_old"].encode())
    assert databases(shared) == OTHERS | {LIVING}


def test_without_a_verified_safety_point_nothing_happens(kept, shared, living, scratch):
    def safety() -> str:
        raise StepFailed("the safety recovery point did not restore")

    measures = blank(ordered := kept.order("logical", scratch))
    with pytest.raises(StepFailed, match="safety recovery point"):
        destinations.in_place(ordered, living, safety=safety, measures=measures)
    assert measures["safety_point_verified"] is False
    assert untouched(shared)
    assert not validation.run([measures], "database_restore").passed


def test_a_result_that_differs_never_takes_the_name(kept, shared, living, scratch):
    ordered = with_another_fingerprint(kept.order("logical", scratch))
    measures = blank(ordered)
    with pytest.raises(StepFailed, match=r"public\.everything: same count, other content"):
        destinations.in_place(ordered, living, safety=lambda: "p", measures=measures)
    assert untouched(shared)
    assert (measures["tables_expected"] - measures["tables_equal"], measures["server_writable"]) == (1, None)
    assert not validation.run([measures], "database_restore").passed


def test_a_swap_that_fails_half_way_changed_nothing(kept, shared, living, scratch):
    ordered = kept.order("logical", scratch)

    def build_and_swap() -> None:
        with staged.building(ordered, living, measures=blank(ordered)) as built:
            # The first rename works; what should take the name is gone.
            swap.swap(dataclasses.replace(built, name="gone"), kept="kept")

    with pytest.raises(StepFailed, match=r"\"gone\" does not exist.*nothing was renamed"):
        build_and_swap()
    assert untouched(shared)


def test_a_database_that_does_not_answer_gives_the_name_back(source, kept, shared, living, scratch, awkward_point):
    measures = blank(ordered := awkward_point(LIVING))
    with pytest.raises(StepFailed, match=r"does not accept a write: no writes here.*the old database is back"):
        destinations.in_place(ordered, living, safety=lambda: "p", measures=measures)
    assert measures["server_writable"] is False
    assert untouched(shared)


def test_what_stands_in_the_way_is_said_before_anything_is_touched(kept, shared, living, target, scratch):
    ordered = kept.order("logical", scratch)
    nothing = preflight.inspect(ordered, destination="in_place", target=target("nowhere"))
    assert "no database 'nowhere'" in " ".join(nothing.problems)
    through_itself = dataclasses.replace(living, server=living.server.at(LIVING))
    seen = preflight.inspect(ordered, destination="in_place", target=through_itself)
    assert "connect to `postgres` instead" in " ".join(seen.problems)


def untouched(shared) -> bool:
    return databases(shared) == OTHERS | {LIVING} and treasure(shared, LIVING) == 42


def with_another_fingerprint(ordered):
    """A manifest that expects other content: what a restore of damaged data looks like."""
    described = ordered.origin.described
    content = ordered.content
    tables = tuple(
        each.model_copy(update={"fingerprint": "1"}) if each.name == "everything" else each for each in content.tables
    )
    changed = described.model_copy(update={"databases": (content.model_copy(update={"tables": tables}),)})
    return dataclasses.replace(ordered, origin=dataclasses.replace(ordered.origin, described=changed))


@pytest.fixture
def awkward_point(source, kept, scratch, tmp_path) -> Iterator[Callable[[str], order.Order]]:
    """A point of a database that takes no writes under one name: `awkward_point(name)`."""
    with source.connect() as connection:
        connection.execute("create database stubborn")

    def make(name: str) -> order.Order:
        with source.connect("stubborn") as connection:
            connection.execute(
                sql.SQL(
                    "create function refuse() returns event_trigger language plpgsql as $f$ begin"
                    " if current_database() = {} then raise 'no writes here'; end if; end $f$"
                ).format(sql.Literal(name))
            )
            connection.execute("create event trigger refusing on ddl_command_start execute function refuse()")
        store = FolderStore(tmp_path)
        point = back_up(source, store, key=kept.key, engine="logical", dbname="stubborn")
        return dataclasses.replace(kept, store=store, logical=point).order("logical", scratch)

    yield make
    with source.connect() as connection:
        connection.execute("drop database stubborn with (force)")
