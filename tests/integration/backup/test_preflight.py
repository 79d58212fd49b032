"""What would go wrong is said in `plan`, on real servers with real roles; the least a role needs is enough."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from psycopg import sql

from day2.errors import Day2Error, StepFailed
from day2.operations.database_backup import preflight, prove, take
from day2.postgres import binaries, fingerprint
from tests.integration.backup.conftest import AWKWARD, ENGINES, INSTALLED, PASSWORD

pytestmark = pytest.mark.integration
ROLE = 'day2 backup\'s "role"'


@pytest.fixture
def role(source):
    """A role that may log in and nothing else; `role("grant … to {role}")` gives it more."""

    def run(statement: str, dbname: str = AWKWARD) -> None:
        with source.connect(dbname) as connection:
            connection.execute(sql.SQL(statement).format(role=sql.Identifier(ROLE), password=sql.Literal(PASSWORD)))

    run("create role {role} login password {password}")
    yield run
    for dbname in (AWKWARD, "empty", "postgres"):
        run("drop schema if exists day2 cascade; drop owned by {role}", dbname)
    run("drop role {role}")


@pytest.fixture
def problems(source, s3_store, job_for):
    def look(engine: str, dbname: str = AWKWARD, **more) -> list[str]:
        job = job_for(source, s3_store, engine=engine, dbname=dbname, user=ROLE, **more)
        return list(preflight.inspect(job).problems)

    return look


def test_a_role_without_rights_hears_of_everything_at_once(role, problems):
    said = problems("physical")
    assert [True for each in said if "no right to read" in each and "pg_read_all_data" in each]
    assert [True for each in said if "lacks REPLICATION" in each]
    assert [True for each in said if "watermark" in each]


def test_the_tables_that_cannot_be_read_are_named(role, problems):
    role("grant pg_read_all_data to {role}")
    assert not [each for each in problems("logical") if "no right to read" in each and "tables" in each]
    role("revoke pg_read_all_data from {role}")
    role("grant select on all tables in schema public to {role}")
    [said] = [each for each in problems("logical") if "tables" in each]
    assert 'sché ma."x"=1.Größe "x".y; $(touch pwned) %s' in said


def test_a_sequence_that_cannot_be_read_is_named(role, problems):
    role("create schema reports")
    try:
        role("create sequence reports.numbers")
        role("grant pg_read_all_data to {role}; revoke pg_read_all_data from {role}")
        role("grant usage on schema reports to {role}")
        [said] = [each for each in problems("logical") if "sequences" in each]
        assert "reports.numbers" in said or "public." in said
    finally:
        role("drop schema reports cascade")


@pytest.mark.parametrize("engine", ENGINES)
def test_row_security_that_would_hide_rows_refuses(role, problems, engine):
    """A dump would lack them; a fingerprint would, too, and the restored copy would look different."""
    role("grant pg_read_all_data to {role}")
    [said] = [each for each in problems(engine) if "row security" in each]
    assert "secured" in said
    assert "bypassrls" in said
    role("alter role {role} bypassrls")
    assert not [each for each in problems(engine) if "row security" in each]


def test_a_policy_made_after_the_plan_cannot_hide_rows(source, s3_store, job_for, role):
    role("grant pg_read_all_data to {role}")
    server = job_for(source, s3_store, user=ROLE).server
    with (
        pytest.raises(StepFailed, match="public.secured cannot be read: .*row-level security"),
        fingerprint.snapshot(server) as (session, _),
    ):
        fingerprint.content(session, schema_sha256="")


def test_large_objects_of_others_refuse_a_logical_copy(role, problems):
    role("grant pg_read_all_data to {role}")
    assert [each for each in problems("logical") if "2 of 2 large objects" in each]
    assert not [each for each in problems("physical") if "large objects" in each]


def test_another_database_of_the_cluster_that_cannot_be_read_refuses_a_physical_copy(role, problems):
    """Its tables are fingerprinted, too: a right that is missing there must not be found in the act."""
    role("alter role {role} replication; grant create on database empty to {role}", "empty")
    said = problems("physical", "empty")
    assert all(each.startswith(f"database {AWKWARD}: ") for each in said)
    assert ["pg_read_all_data" in each for each in said] == [True, True, False], "tables, sequences; row security"


def test_a_closed_database_of_the_cluster_refuses_a_physical_copy(role, problems):
    role("alter role {role} replication bypassrls; grant pg_read_all_data to {role}", "empty")
    role("grant create on database empty to {role}", "empty")
    role("create database closed", "postgres")
    try:
        role("revoke connect on database closed from public", "postgres")
        [said] = problems("physical", "empty")
        assert "closed" in said
        assert "connect" in said
    finally:
        role("drop database closed", "postgres")


@pytest.mark.parametrize("engine", ENGINES)
def test_the_least_a_role_needs_is_enough(source, s3_store, job_for, key, role, problems, engine):
    role("grant pg_read_all_data to {role}")
    dbname = "empty"
    if engine == "physical":
        role("alter role {role} replication bypassrls; grant create on database empty to {role}")
    assert problems(engine, dbname) == []
    job = job_for(source, s3_store, engine=engine, dbname=dbname, user=ROLE)
    measured: dict = {}
    prove.restore_test(job, take.back_up(job)["point"], identity=key, measures=measured)
    assert measured["differences"] == []
    assert measured["roles_equal"]


def test_a_right_taken_away_after_the_plan_is_a_clear_failure(source, s3_store, job_for, role):
    with pytest.raises(StepFailed, match="cannot be read: permission denied for sequence") as failed:
        take.back_up(job_for(source, s3_store, user=ROLE))
    assert failed.value.runbook == "A PostgreSQL program failed"


@pytest.mark.parametrize("password", ["wrong", "", PASSWORD + " "])
def test_a_wrong_password_is_told_without_repeating_it(role, problems, password):
    [said] = problems("logical", password=password)
    assert "Credentials refused" in said
    assert not password.strip() or password not in said


def test_a_role_that_is_not_there_is_refused_in_the_same_words(source, s3_store, job_for):
    [said] = preflight.inspect(job_for(source, s3_store, user="nobody")).problems
    assert "Credentials refused" in said


def test_a_tablespace_of_its_own_refuses_a_physical_copy(source, s3_store, job_for, servers):
    folder = servers / "tablespace"
    folder.mkdir()
    run_as = binaries.unprivileged()
    if run_as:
        shutil.chown(folder, run_as["user"], run_as["group"])
    with source.connect() as connection:
        connection.execute(sql.SQL("create tablespace fast location {}").format(sql.Literal(str(folder))))
    try:
        [said] = preflight.inspect(job_for(source, s3_store, engine="physical")).problems
        assert "tablespaces" in said
        assert "engine: logical" in said
        assert preflight.inspect(job_for(source, s3_store)).problems == ()
    finally:
        with source.connect() as connection:
            connection.execute("drop tablespace fast")


def test_a_template_database_is_refused(source, s3_store, job_for):
    [said] = preflight.inspect(job_for(source, s3_store, dbname="template1")).problems
    assert "template database" in said


def test_all_wal_senders_in_use_refuses_a_physical_copy(source, s3_store, job_for):
    facts = preflight.inspect(job_for(source, s3_store, engine="physical")).facts
    assert facts["max_wal_senders"] == 4
    assert preflight.physical_limits({**facts, "wal_senders_used": 4}, may_mark=True) == [
        "all 4 wal senders are in use: raise max_wal_senders"
    ]


@pytest.fixture
def only(monkeypatch):
    """Let this machine have only these installations."""

    def choose(*folders: Path) -> None:
        monkeypatch.setenv("DAY2_PG_BIN", ":".join(map(str, folders)))
        binaries.installed.cache_clear()

    yield choose
    monkeypatch.undo()
    binaries.installed.cache_clear()


def test_programs_older_than_the_server_are_refused(server_of, s3_store, job_for, only):
    if len(INSTALLED) < 2:
        pytest.skip("this machine has one PostgreSQL version")
    newest, oldest = INSTALLED[0], INSTALLED[-1]
    job = job_for(server_of(newest), s3_store)
    only(oldest.folder)
    said = preflight.inspect(job).problems
    assert len(said) == 2
    assert f"no PostgreSQL client programs for version {newest.major}" in said[0]
    assert f"no PostgreSQL server programs for version {newest.major}" in said[1]
    assert f"{oldest.version[0]}.{oldest.version[1]} in {oldest.folder}" in said[0]
    with pytest.raises(Day2Error, match="no PostgreSQL client programs"):
        take.back_up(job)


def test_a_worker_without_server_programs_cannot_prove_and_is_refused(source, s3_store, job_for, only, tmp_path):
    for program in binaries.CLIENT:
        (tmp_path / program).symlink_to(INSTALLED[0].folder / program)
    only(tmp_path)
    [said] = preflight.inspect(job_for(source, s3_store)).problems
    assert "no PostgreSQL server programs" in said


def test_a_newer_client_takes_a_logical_copy_but_cannot_prove_it(server_of, s3_store, job_for, only):
    if len(INSTALLED) < 2:
        pytest.skip("this machine has one PostgreSQL version")
    job = job_for(server_of(INSTALLED[-1]), s3_store)
    only(INSTALLED[0].folder)
    [said] = preflight.inspect(job).problems
    assert f"no PostgreSQL server programs for version {INSTALLED[-1].major}" in said
