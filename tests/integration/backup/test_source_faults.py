"""The source stops, changes or is damaged while it is copied."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from day2.errors import Day2Error, StepFailed
from day2.operations.database_backup import logical, preflight, prove, take
from day2.postgres import fingerprint
from day2.repository import points
from tests.integration.backup.conftest import ENGINES, INSTALLED, leftovers, new_server, slots

pytestmark = pytest.mark.integration


@contextmanager
def beside(work: Callable[[], None]) -> Iterator[None]:
    """Run `work` again and again beside the block, as a live application does."""
    over, errors = threading.Event(), []

    def loop() -> None:
        try:
            while not over.is_set():
                work()
        except Exception as error:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(error)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)
    assert not errors, errors


@pytest.mark.parametrize("engine", ENGINES)
def test_a_source_that_stops_in_the_middle_fails_clearly_and_the_next_try_succeeds(
    s3, s3_store, bulky, job_for, engine, monkeypatch
):
    job = job_for(bulky, s3_store, engine=engine, dbname="bulk")
    write = s3_store.write

    def stopping(key, source, *, expected_bytes):
        first = [source.read(1)]
        bulky.stop("immediate")
        # Nothing is lost on the way: what the server has sent is read to its end, and under load that may be all of it.
        rest = SimpleNamespace(read=lambda size=-1: first.pop() if first else source.read(size))
        return write(key, rest, expected_bytes=expected_bytes)

    monkeypatch.setattr(s3_store, "write", stopping)
    with pytest.raises(Day2Error) as failed:
        take.back_up(job)
    monkeypatch.undo()
    bulky.start()
    assert failed.value.transient, "the task must try again by itself"
    assert failed.value.runbook == "Source server stopped or unreachable"
    assert points.points(s3_store, "orders") == []
    assert leftovers(s3, s3_store) == []
    assert slots(bulky) == []
    taken = take.back_up(job)
    assert [each.id for each in points.points(s3_store, "orders")] == [taken["point"]]


def test_a_source_that_is_down_is_found_before_anything_is_written(s3_store, job_for, servers):
    from lab.ports import free_port

    class Nowhere:
        port = free_port()

    job = job_for(Nowhere(), s3_store)
    [problem] = preflight.inspect(job).problems
    assert "cannot connect" in problem
    assert "Source server stopped or unreachable" in problem
    with pytest.raises(Day2Error) as failed:
        take.back_up(job)
    assert failed.value.transient


@pytest.fixture
def accounts(bulky) -> Iterator[Callable[[], None]]:
    """Money that moves between rows while a sequence counts; the total never changes. Gives one move."""
    with bulky.connect("bulk") as connection:
        connection.execute("create table accounts (id int primary key, cents bigint)")
        connection.execute("insert into accounts select n, 1000 from generate_series(1, 500) n")
        connection.execute("create table moves (id bigint primary key, cents int)")
        for name, by in (("ups", 10), ("downs", -3)):
            connection.execute(f"create sequence {name} increment by {by} maxvalue 1000000 minvalue -1000000")

        def move() -> None:
            with connection.transaction():
                connection.execute(
                    "update accounts set cents = cents + case when id % 2 = 0 then 1 else -1 end where id <= 400"
                )
                connection.execute("insert into moves values (nextval('ups'), nextval('downs'))")

        yield move
        connection.execute("drop table accounts, moves; drop sequence ups, downs; drop schema if exists day2 cascade")


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_that_change_during_the_copy_do_not_tear_it(s3_store, bulky, job_for, key, accounts, engine):
    job = job_for(bulky, s3_store, engine=engine, dbname="bulk")
    with beside(accounts):
        point = points.find(s3_store, "orders", take.back_up(job)["point"])
    measured: dict = {}
    prove.restore_test(job, point.id, identity=key, measures=measured)
    assert measured["differences"] == []
    content = next(
        each for each in points.manifest(s3_store, point).databases if each.name == "bulk"
    )  # fmt: skip
    pinned = {each.name: each.pinned for each in content.tables}
    if engine == "logical":
        assert all(pinned.values()), "a snapshot does not move"
        with bulky.connect("bulk") as connection:
            live = connection.execute("select count(*) from moves").fetchone()
        assert live > (next(each.rows for each in content.tables if each.name == "moves"),), "the writer did write"
    else:
        assert not pinned["accounts"], "what was written to meanwhile is not claimed to be equal"
        assert pinned["noise"], "what stood still is compared"


def test_the_snapshot_is_one_moment(s3_store, bulky, job_for, key, accounts, monkeypatch):
    """What the dump holds adds up, although every row changed while it ran."""
    totals = []
    compare = prove.examine

    def look(made, described, measures):
        with made.server("bulk").connect() as connection:
            totals.append(connection.execute("select sum(cents)::int, count(*) from public.accounts").fetchone())
        compare(made, described, measures)

    monkeypatch.setattr(prove, "examine", look)
    job = job_for(bulky, s3_store, dbname="bulk")
    with beside(accounts):
        taken = take.back_up(job)
    prove.restore_test(job, taken["point"], identity=key, measures={})
    assert totals == [(500_000, 500)]


def test_sequences_that_count_on_are_right_although_the_fingerprint_is_slow(
    s3_store, bulky, job_for, key, accounts, monkeypatch
):
    content = fingerprint.content

    def slow(*arguments, **more):
        time.sleep(1.5)
        return content(*arguments, **more)

    monkeypatch.setattr(logical.fingerprint, "content", slow)
    job = job_for(bulky, s3_store, dbname="bulk")
    with beside(accounts):
        taken = take.back_up(job)
    monkeypatch.undo()
    measured: dict = {}
    prove.restore_test(job, taken["point"], identity=key, measures=measured)
    assert measured["differences"] == []


def test_a_database_dropped_since_the_plan_is_told_as_such(s3, s3_store, bulky, job_for):
    with bulky.connect() as connection:
        connection.execute('create database "short lived"')
    job = job_for(bulky, s3_store, dbname="short lived")
    assert preflight.inspect(job).problems == ()
    with bulky.connect() as connection:
        connection.execute('drop database "short lived"')
    with pytest.raises(StepFailed, match='database "short lived" does not exist') as failed:
        take.back_up(job)
    assert (failed.value.transient, failed.value.runbook) == (False, "A database vanished")
    assert leftovers(s3, s3_store) == []


def test_a_table_dropped_during_a_physical_copy_is_no_difference(s3_store, bulky, job_for, key, monkeypatch):
    with bulky.connect("bulk") as connection:
        connection.execute("create table aaa_first (n int); insert into aaa_first values (1)")
        content = fingerprint.content

        def dropping(*arguments, **more):
            with bulky.connect("bulk") as other:
                other.execute("drop table if exists aaa_first")
            return content(*arguments, **more)

        monkeypatch.setattr(fingerprint, "content", dropping)
        job = job_for(bulky, s3_store, engine="physical", dbname="bulk")
        try:
            taken = take.back_up(job)
        finally:
            monkeypatch.undo()
            connection.execute("drop table if exists aaa_first")
    measured: dict = {}
    prove.restore_test(job, taken["point"], identity=key, measures=measured)
    assert measured["differences"] == []
    assert measured["tables_compared"] == measured["tables_expected"]


@pytest.fixture(scope="module")
def damaged(servers):
    """A server with a page of a table overwritten on disk, and its checksum wrong."""
    server = new_server(servers, INSTALLED[0], name="damaged")
    with server.connect() as connection:
        connection.execute("create database shop")
    with server.connect("shop") as connection:
        connection.execute("create table goods as select n, md5(n::text) as name from generate_series(1, 2000) n")
        connection.execute("checkpoint")
        [path] = connection.execute("select pg_relation_filepath('goods')").fetchone()
    server.stop()
    with (server.data / path).open("r+b") as file:
        file.seek(3 * 8192 + 5000)
        file.write(os.urandom(16))
    server.start()
    yield server
    server.stop("immediate")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_damaged_page_in_the_source_never_becomes_a_point(s3, s3_store, damaged, job_for, engine):
    job = job_for(damaged, s3_store, engine=engine, dbname="shop")
    with pytest.raises(StepFailed) as failed:
        take.back_up(job)
    said = str(failed.value)
    assert "invalid page" in said or "checksum" in said
    assert failed.value.runbook == "A PostgreSQL program failed"
    assert points.points(s3_store, "orders") == []
    assert leftovers(s3, s3_store) == []


def test_a_damaged_page_that_only_the_fingerprint_reads_is_a_clear_failure_too(s3_store, damaged, job_for):
    with (
        pytest.raises(StepFailed, match=r"public\.goods.*invalid page"),
        fingerprint.snapshot(job_for(damaged, s3_store, dbname="shop").server) as (session, _),
    ):
        fingerprint.content(session, schema_sha256="")
