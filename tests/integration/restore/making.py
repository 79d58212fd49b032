"""Making the sources, points and targets of restore tests, and looking at them independently."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pyrage
from psycopg import sql

from day2.inventory.model import BackupPolicy, Database, Encryption, Repository
from day2.operations.database_backup import take
from day2.operations.database_backup.job import Job, Place
from day2.postgres import binaries, dump
from day2.postgres.binaries import Binaries
from day2.postgres.programs import inherited
from day2.postgres.server import Server
from day2.repository.store import Store
from lab.files import own_folder
from lab.ports import LOOPBACK, free_port
from lab.postgres import SUPERUSER
from lab.postgres import Server as Running
from lab.processes import Processes
from tests.integration.conftest import PASSWORD

SEED = Path(__file__).parent.parent / "backup" / "seed.sql"
INSTALLED = [each for each in binaries.installed() if each.has_server]
DATABASE = "orders"
NAME = "prüf \"db\" =1.'x'; $(id) %s\\"
OWNER = 'besitzer "o\'r" =$(id)'
READER = 'leser "r" $(id)'
READER_PASSWORD = "pass'w\"ö rd"
PROPERTIES = (
    "comment on database {db} is 'it''s; -- not \"a\" comment\n\\restrict neither'",
    "alter database {db} set work_mem = '7MB'",
    "alter database {db} connection limit 77",
    "alter role {owner} in database {db} set application_name = 'x; \"y\"'",
    "revoke all on database {db} from public",
    "grant connect on database {db} to {reader}",
)


def new_server(folder: Path, name: str, installation: Binaries = INSTALLED[0]) -> Running:
    """A server of that installation, started; the caller ends it."""
    run_as = binaries.unprivileged()
    home = own_folder(folder / name, run_as)
    processes = Processes(folder / "run", folder / "logs")
    settings = {"fsync": "off", "shared_buffers": "32MB"}
    server = Running(name, home, free_port(), PASSWORD, processes, installation, run_as, settings)
    server.create()
    server.start()
    return server


def seed(server: Running) -> None:
    """A database of everything, with an owner, rights, settings and a comment, and a role with a password."""
    named = {"db": sql.Identifier(NAME), "owner": sql.Identifier(OWNER), "reader": sql.Identifier(READER)}
    with server.connect() as connection:
        connection.execute(sql.SQL("create role {owner} login").format(**named))
        create = sql.SQL("create role {reader} login password {password} in role {owner}")
        connection.execute(create.format(**named, password=sql.Literal(READER_PASSWORD)))
        connection.execute(sql.SQL("create database {db} owner {owner}").format(**named))
        for each in PROPERTIES:
            connection.execute(sql.SQL(each).format(**named))
        # Not in force here without a restart, but in every copy, which must not obey it.
        connection.execute("alter system set archive_mode = 'always'")
        connection.execute("alter system set listen_addresses = '*'")
    with server.connect(NAME) as connection:
        connection.execute(SEED.read_text())
        connection.execute(sql.SQL("alter table public.everything owner to {owner}").format(**named))
        connection.execute(sql.SQL("grant select on public.everything to {reader}").format(**named))


def back_up(server: Running, store: Store, *, key: str, engine: str, dbname: str = NAME) -> str:
    """Take a point of a database called `orders` in the inventory; returns its id."""
    recipient = str(pyrage.x25519.Identity.from_str(key).to_public())
    encryption = Encryption(recipients=(recipient,), identity="day2_age")
    place = Repository(name="primary", url="s3://test/primary", region="eu-test-1")
    job = Job(
        environment="test",
        database=Database(name=DATABASE, connection="pg_orders", region="eu-test-1"),
        policy=BackupPolicy(engine=engine, encryption=encryption),
        server=maintenance(server).at(dbname),
        primary=Place(place, store),
        copies=(),
        recipients=(recipient,),
        run=f"database_backup.test/{uuid.uuid4()}",
        plan_digest="d" * 64,
        policy_hash="p" * 64,
    )
    point: str = take.back_up(job)["point"]
    return point


def maintenance(server: Running) -> Server:
    return Server(LOOPBACK, server.port, SUPERUSER, "postgres", PASSWORD)


def databases(server: Running) -> set[str]:
    with server.connect() as connection:
        rows = connection.execute("select datname from pg_database where not datistemplate").fetchall()
    return {each[0] for each in rows}


def dumped(server: Server, name: str, *more: str, with_: Binaries = INSTALLED[0]) -> list[str]:
    """What pg_dump writes of a database, without what differs from run to run."""
    command = [with_["pg_dump"], "--no-password", dump.dbname(server.at(name)), *more]
    with server.environment() as env:
        done = subprocess.run(command, env=env, pass_fds=inherited(env), capture_output=True, text=True, check=True)
    return plain(done.stdout)


def plain(text: str) -> list[str]:
    """Comments name versions; \\restrict carries a random key."""
    return [each for each in text.splitlines() if not each.startswith(("--", "\\restrict", "\\unrestrict"))]
