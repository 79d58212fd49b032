"""A copy of everything, restored and found equal: each engine, on each PostgreSQL installed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from day2 import validation
from day2.operations.database_backup import facts, planning, preflight, prove, take
from day2.repository import points
from tests.integration.backup.conftest import AWKWARD, AWKWARD_ROLE, ENGINES, VERSIONS

pytestmark = pytest.mark.integration
SCHEMA = 'sché ma."x"=1'
TABLE = 'Größe "x".y; $(touch pwned) %s'


def prove_it(job, key) -> dict:
    """Back up and prove; everything measured, by step."""
    taken = take.back_up(job)
    tested: dict = {}
    prove.restore_test(job, taken["point"], identity=key, measures=tested)
    return {"back_up": taken, "restore_test": tested}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("installation", VERSIONS)
def test_everything_comes_back_equal(server_of, s3_store, job_for, key, installation, engine):
    server = server_of(installation)
    job = job_for(server, s3_store, engine=engine)
    assert preflight.inspect(job).problems == ()
    measured = prove_it(job, key)
    tested = measured["restore_test"]
    assert tested["differences"] == []
    assert tested["tables_equal"] == tested["tables_expected"] == tested["tables_compared"]
    assert tested["objects_verified"] == tested["objects_expected"] == (1 if engine == "physical" else 2)
    assert (tested["amcheck_errors"], tested["page_checksum_errors"], tested["scratch_removed"]) == (0, 0, True)
    assert tested["encrypted"]
    row = facts.database_row(job, measured, now=datetime.now(UTC))
    result = validation.run([row], facts.SUITE)
    assert result.passed, result.report()
    assert json.loads(json.dumps(measured)), "measures go into the ledger as JSON"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_manifest_describes_what_was_there(source, s3_store, job_for, engine):
    job = job_for(source, s3_store, engine=engine)
    point = points.find(s3_store, "orders", take.back_up(job)["point"])
    described = points.manifest(s3_store, point)
    assert (described.dbname, described.engine, described.run) == (AWKWARD, engine, job.run)
    assert AWKWARD_ROLE in described.roles
    with source.connect() as connection:
        found = connection.execute("select system_identifier::text from pg_control_system()").fetchone()
    assert found == (described.source.system_identifier,)
    content = next(each for each in described.databases if each.name == AWKWARD)
    tables = {(each.schema_name, each.name): each for each in content.tables}
    assert tables[SCHEMA, TABLE].rows == 50
    assert tables["public", "everything"].rows == 401
    assert tables["public", "measured_2025"].rows + tables["public", "measured_rest"].rows == 40
    assert ("public", "measured") not in tables, "a partitioned table has no rows of its own"
    assert (tables["public", "parent"].rows, tables["public", "child"].rows) == (1, 1)
    assert tables["public", "secured"].rows == 2
    assert tables["public", "none"].rows == 0
    assert tables["", "(large objects)"].rows == 2
    unpinned = {each.label for each in content.tables if not each.pinned}
    assert unpinned == ({"public.cached"} if engine == "physical" else set())
    assert {"pg_trgm", "plpgsql"} <= {each.name for each in content.extensions}
    assert {"seq -- 'x'; $(id)", "wide", "untouched", "everything_id_seq"} <= {each.name for each in content.sequences}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_database_can_be_copied_and_proven(source, s3_store, job_for, key, engine):
    job = job_for(source, s3_store, engine=engine, dbname="empty")
    try:
        tested = prove_it(job, key)["restore_test"]
    finally:
        with source.connect("empty") as connection:
            connection.execute("drop schema if exists day2 cascade")
    assert tested["tables_equal"] == tested["tables_expected"] == tested["tables_compared"]
    assert (engine == "logical") == (tested["tables_expected"] == 0), "a physical copy holds the other databases, too"
    assert tested["schema_equal"]


def test_a_database_in_clear_is_copied_in_clear(source, s3_store, job_for):
    measured = prove_it(job_for(source, s3_store, key=None), None)
    assert not measured["restore_test"]["encrypted"]
    names = [item.key.rsplit("/", 1)[1] for item in s3_store.items("orders/")]
    assert "dump.pgdump.zst" in names


def test_the_plan_names_the_database_as_it_is(source, s3_store, job_for):
    job = job_for(source, s3_store)
    line = planning.target(job, preflight.inspect(job).facts)
    assert (line["dbname"], line["encrypted"]) == (AWKWARD, True)
