"""A primary and its standby as in a real pair: each knows how to follow the other, through a password file.

Their configuration is in their data directories, which is the hard case: a rejoin that copies files must
put a server's own configuration back.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import psycopg

from day2.hosts.shell import Local, require
from day2.operations.dr_drill.pair import Node, Pair
from day2.postgres import binaries
from day2.postgres.binaries import Binaries
from day2.postgres.server import Server
from lab.files import give, own_folder
from lab.ports import LOOPBACK, free_port

DRILL, REPLICATOR, PASSWORD = "day2_drill", "replicator", "drill-pass-1"
SLOT = "day2_peer"
DBNAME = "orders"
NAMES = ("orders", "orders-standby")
numbers = itertools.count()


@dataclass
class Living:
    """The pair, and a way around Day 2 to look at it and to break it."""

    pair: Pair
    folder: Path
    binaries: Binaries
    extra: dict[str, str] = field(default_factory=dict)

    def sql(self, node: Node, query: str, dbname: str = DBNAME, *, user: str = "postgres") -> Any:
        """The first value of a query, as superuser, in autocommit."""
        port = node.server.port
        with psycopg.connect(
            host=LOOPBACK, port=port, user=user, password=PASSWORD, dbname=dbname, autocommit=True, connect_timeout=5
        ) as connection:
            cursor = connection.execute(query.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def ctl(self, node: Node, *arguments: str) -> str:
        """pg_ctl on the node's host."""
        return require(node.shell, "pg_ctl", *arguments)

    def start(self, node: Node) -> None:
        """Start a server that is stopped."""
        self.ctl(node, "start", "--wait", "--silent", f"--log={self.home(node)}/server.log")

    def home(self, node: Node) -> Path:
        return self.folder / node.name


def installation() -> Binaries:
    return next(each for each in binaries.installed() if each.has_server)


@contextmanager
def living(folder: Path, *, copied: bool = True, **settings: str) -> Iterator[Living]:
    """A streaming pair in `folder`; every process of it is gone when the block ends.

    Pairs are copies of one, and have its system identifier, unless `copied` is false: that is the quick way.
    """
    run_as, found = binaries.unprivileged(), installation()
    made = own_folder(folder / f"pair-{next(numbers)}", run_as)
    ports = {name: free_port() for name in NAMES}
    nodes = [_node(made, name, ports[name], found) for name in NAMES]
    endpoint = Server(
        host=f"{LOOPBACK},{LOOPBACK}",
        port=ports[NAMES[0]],
        user=DRILL,
        dbname=DBNAME,
        password=PASSWORD,
        options={"port": ",".join(str(ports[name]) for name in NAMES), "target_session_attrs": "read-write"},
    )
    pair = Pair("orders", nodes[0], nodes[1], endpoint)
    result = Living(pair, made, found, settings)
    try:
        if copied:
            for node in nodes:
                subprocess.run(["cp", "-a", _first(folder, found) / node.name, result.home(node) / "data"], check=True)
                _configure(result, node, ports)
                result.start(node)
        else:
            _primary(result, ports)
            _standby(result, ports)
        yield result
    finally:
        for node in nodes:
            with suppress(Exception):
                node.shell.run("pg_ctl", "stop", "--mode=immediate", "--silent")
        shutil.rmtree(made, ignore_errors=True)


@cache
def _first(folder: Path, found: Binaries) -> Path:
    """The data of a pair that was made once and stopped in order; it goes with `folder`."""
    kept = own_folder(folder / f"first-{found.major}", binaries.unprivileged())
    with living(folder, copied=False) as pair:
        for node in (pair.pair.primary, pair.pair.standby):
            pair.ctl(node, "stop", "--mode=fast", "--silent")
            subprocess.run(["cp", "-a", pair.home(node) / "data", kept / node.name], check=True)
    return kept


def _node(folder: Path, name: str, port: int, found: Binaries) -> Node:
    run_as = binaries.unprivileged()
    home = own_folder(folder / name, run_as)
    passfile = home / ".pgpass"
    passfile.write_text(f"*:*:*:{REPLICATOR}:{PASSWORD}\n*:*:*:{DRILL}:{PASSWORD}\n*:*:*:postgres:{PASSWORD}\n")
    passfile.chmod(0o600)
    give(passfile, run_as)
    env = {"PATH": f"{found.folder}:{os.defpath}", "PGDATA": str(home / "data"), "HOME": str(home)}
    shell = Local(f"host of {name}", env, run_as.get("user"), run_as.get("group"))
    server = Server(host=LOOPBACK, port=port, user=DRILL, dbname=DBNAME, password=PASSWORD)
    return Node(name, "eu-west-1" if name == NAMES[0] else "eu-central-1", server, shell)


def _primary(made: Living, ports: dict[str, int]) -> None:
    node = made.pair.primary
    secret = made.home(node) / "secret"
    secret.write_text(PASSWORD)
    give(secret, binaries.unprivileged())
    options = ("--data-checksums", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256")
    require(node.shell, "initdb", "--username=postgres", f"--pwfile={secret}", *options)
    secret.unlink()
    _configure(made, node, ports)
    made.start(node)
    made.sql(node, "create database orders", "postgres")
    made.sql(node, f"create role {REPLICATOR} login replication password '{PASSWORD}'")
    made.sql(node, f"create role {DRILL} login replication password '{PASSWORD}' in role pg_monitor, pg_checkpoint")
    made.sql(node, f"grant create, connect on database orders to {DRILL}")
    for dbname in ("postgres", DBNAME):
        made.sql(node, f"grant execute on function pg_promote(boolean, integer) to {DRILL}", dbname)
        for function in (
            "pg_ls_dir(text, boolean, boolean)",
            "pg_stat_file(text, boolean)",
            "pg_read_binary_file(text)",
            "pg_read_binary_file(text, bigint, bigint, boolean)",
        ):
            made.sql(node, f"grant execute on function {function} to {REPLICATOR}", dbname)
    made.sql(node, "create table orders (id bigint generated always as identity primary key, note text)")
    made.sql(node, "insert into orders (note) select 'row ' || g from generate_series(1, 500) g")
    made.sql(node, f"select pg_create_physical_replication_slot('{SLOT}', true)")


def _standby(made: Living, ports: dict[str, int]) -> None:
    node, primary = made.pair.standby, made.pair.primary
    source = f"host={LOOPBACK} port={ports[primary.name]} user={REPLICATOR} passfile={made.home(node)}/.pgpass"
    require(
        node.shell, "pg_basebackup", "-d", source, "-D", str(made.home(node) / "data"), "-X", "stream", "-c", "fast"
    )
    _configure(made, node, ports)
    (made.home(node) / "data" / "standby.signal").touch()
    give(made.home(node) / "data" / "standby.signal", binaries.unprivileged())
    made.start(node)


def _configure(made: Living, node: Node, ports: dict[str, int]) -> None:
    other = made.pair.other(node)
    archive = own_folder(made.folder / "archive", binaries.unprivileged())
    source = (
        f"host={LOOPBACK} port={ports[other.name]} user={REPLICATOR} passfile={made.home(node)}/.pgpass "
        f"application_name={node.name.replace('-', '_')}"
    )
    settings = {
        "port": str(ports[node.name]),
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "shared_buffers": "32MB",
        "fsync": "off",
        "wal_log_hints": "on",
        "wal_keep_size": "64MB",
        "hot_standby": "on",
        "hot_standby_feedback": "on",
        "archive_mode": "on",
        "archive_command": f'if test -f "{archive}/%f"; then cmp -s "%p" "{archive}/%f"; else '
        f'cp "%p" "{archive}/%f.part" && mv "{archive}/%f.part" "{archive}/%f"; fi',
        "restore_command": f'cp "{archive}/%f" "%p"',
        "primary_conninfo": source,
        "primary_slot_name": SLOT,
        "max_slot_wal_keep_size": "1GB",
        "timezone": "UTC",
        "cluster_name": node.name,
        **made.extra,
    }
    data = made.home(node) / "data"
    lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in settings.items()]
    hba = f"host all all {LOOPBACK}/32 scram-sha-256\nhost replication all {LOOPBACK}/32 scram-sha-256\n"
    for name, text in (("pair.conf", "".join(lines)), ("pg_hba.conf", hba)):
        (data / name).write_text(text)
        give(data / name, binaries.unprivileged())
    main = data / "postgresql.conf"
    if "pair.conf" not in main.read_text():
        main.write_text(main.read_text() + "\ninclude 'pair.conf'\n")


@contextmanager
def frozen(pair: Living, node: Node, backend: str) -> Iterator[None]:
    """A background process of a server, stopped: what it was told waits."""
    pid = pair.sql(node, f"select pid from pg_stat_activity where backend_type = '{backend}'")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGCONT)
