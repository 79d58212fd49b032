"""No secret in a log, a measure, a manifest, an error, a process list or a file: each engine, through every step."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pyrage
import pytest
from psycopg import sql

from day2.errors import Day2Error
from day2.operations.database_backup import expire, facts, planning, preflight, prove, take
from day2.repository import points
from tests.integration.backup.conftest import ENGINES

pytestmark = pytest.mark.integration
ROLE = "secretive"
PASSWORD = "hunter2 'quo\"ted' 100% back\\slash co:lon"


@contextmanager
def watching() -> Iterator[list[str]]:
    """Everything `ps` shows of every process, arguments and environments, sampled beside the block."""
    seen: list[str] = []
    over = threading.Event()

    def sample() -> None:
        while not over.is_set():
            seen.append(subprocess.run(("ps", "axeww"), capture_output=True, text=True, check=True).stdout)
            over.wait(0.05)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(10)


def forms(secret: str) -> set[str]:
    """A secret as it may show: plain, quoted for libpq, for a password file, for a URL, in JSON, in base64."""
    return {
        secret,
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        secret.replace("\\", "\\\\").replace(":", "\\:"),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
    }


def temporary_files() -> dict[Path, str]:
    """What is in small files of the temporary folder."""
    found = {}
    for path in Path(tempfile.gettempdir()).iterdir():
        try:
            if path.is_file() and path.stat().st_size < 100_000:
                found[path] = path.read_bytes().decode(errors="replace")
        except FileNotFoundError:  # somebody else's, gone meanwhile
            continue
    return found


@pytest.fixture
def login(source):
    """A superuser with a distinctive password, so that no right is missing."""
    with source.connect() as connection:
        connection.execute(
            sql.SQL("create role {} login superuser password {}").format(sql.Identifier(ROLE), sql.Literal(PASSWORD))
        )
    yield {"user": ROLE, "password": PASSWORD}
    with source.connect("empty") as connection:
        connection.execute(f"reassign owned by {ROLE} to postgres")
        connection.execute("drop schema if exists day2 cascade")
        connection.execute(f"drop role {ROLE}")


@pytest.mark.parametrize("engine", ENGINES)
def test_no_secret_leaves_its_place(source, s3, s3_store, job_for, key, login, engine, caplog, capfd):
    job = job_for(source, s3_store, engine=engine, dbname="empty", **login)
    wrong_key = str(pyrage.x25519.Identity.generate())
    told: list[str] = []
    with caplog.at_level(logging.DEBUG, logger="day2"), watching() as listings:
        seen = preflight.inspect(job)
        told += [json.dumps(planning.target(job, seen.facts)), repr(job)]
        taken = take.back_up(job)
        tested: dict = {}
        prove.restore_test(job, taken["point"], identity=key, measures=tested)
        expire.attest(job, taken["point"], passed=True, summary={})
        for broken in (
            lambda: prove.restore_test(job, taken["point"], identity=wrong_key, measures={}),
            lambda: prove.restore_test(job, taken["point"], identity=key + "X", measures={}),
            lambda: take.back_up(job_for(source, s3_store, dbname="gone", **login)),
            lambda: take.back_up(job_for(source, s3_store, dbname="empty", user=ROLE, password=PASSWORD + "x")),
        ):
            with pytest.raises(Day2Error) as failed:
                broken()
            told += [str(failed.value), json.dumps(failed.value.as_dict()), repr(failed.value.__cause__)]
        left = temporary_files()
    told += [json.dumps(taken), json.dumps(tested), caplog.text, *capfd.readouterr()]
    for item in s3_store.items(""):
        with s3_store.open(item.key) as file:
            told.append(file.read().decode(errors="replace"))
    manifest = points.manifest(s3_store, points.find(s3_store, "orders", taken["point"]))
    told.append(manifest.model_dump_json())
    assert len(listings) > 20
    assert any("pg_basebackup" in each if engine == "physical" else "pg_dump" in each for each in listings)
    assert facts.TESTED, "the measures above are what the ledger gets"
    for name, secret in {
        "password": PASSWORD, "age key": key, "wrong age key": wrong_key, "S3 key": s3.credentials.secret_key,
    }.items():  # fmt: skip
        for form in forms(secret):
            assert not [text[:200] for text in told if form in text], f"{name} was told"
            assert not [line for each in listings for line in each.splitlines() if form in line], f"ps shows the {name}"
            assert not [path for path, text in left.items() if form in text], f"a file holds the {name}"


def test_the_watcher_sees_a_secret_that_is_there():
    """The instrument works: an argument and an environment are both seen."""
    with watching() as listings:
        subprocess.run(("sleep", "0.3"), env={"LEAK": "in-the-environment"}, check=True)
        subprocess.run(("sh", "-c", "sleep 0.3 # as-an-argument"), check=True)
    assert any("in-the-environment" in each for each in listings)
    assert any("as-an-argument" in each for each in listings)


def test_role_passwords_travel_encrypted_only(source, s3_store, job_for, login):
    """A dump's roles carry password hashes, so the object with them must not be readable without the key."""
    take.back_up(job_for(source, s3_store, dbname="empty", **login))
    names = [item.key for item in s3_store.items("orders/")]
    assert [name for name in names if "roles" in name] == [name for name in names if name.endswith("roles.sql.zst.age")]
    for name in names:
        with s3_store.open(name) as file:
            assert b"SCRAM-SHA-256$" not in file.read(), name
