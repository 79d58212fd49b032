"""The PostgreSQL servers of the lab: the platform's, `orders` with its standby, and `billing`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from day2.postgres.binaries import Binaries
from lab import roles
from lab.files import own_folder
from lab.places import Places
from lab.ports import LOOPBACK, Ports
from lab.postgres import SUPERUSER, Server
from lab.processes import Processes, wait_until
from lab.roles import Role, ensure_database, ensure_role
from lab.say import say, timed
from lab.secrets import Secrets

SEED = Path(__file__).parent / "seed"
SLOT = "orders_standby"
PLATFORM, ORDERS, STANDBY, BILLING = "platform", "orders", "orders-standby", "billing"
NAMES = (PLATFORM, ORDERS, STANDBY, BILLING)


@dataclass(frozen=True)
class Fleet:
    """All servers, made but not necessarily running."""

    servers: dict[str, Server]
    secrets: Secrets

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    def start(self, scale: int) -> None:
        """Start what does not run; make and seed what does not exist yet."""
        with ThreadPoolExecutor() as pool:
            jobs = [pool.submit(job, scale) for job in (self._platform, self._orders, self._billing)]
            for job in jobs:
                job.result()

    def _platform(self, _scale: int) -> None:
        with timed("PostgreSQL platform"):
            server = _up(self[PLATFORM])
            with server.connect() as connection:
                for name in ("airflow", "day2_ledger_owner", "day2_ledger_app"):
                    ensure_role(connection, Role(name, self.secrets.password(f"platform/{name}")))
                ensure_database(connection, "airflow", "airflow")
                ensure_database(connection, "day2_ledger", "day2_ledger_owner")
                connection.execute("GRANT CONNECT ON DATABASE day2_ledger TO day2_ledger_app")
            self._migrate_ledger(server)

    def _migrate_ledger(self, server: Server) -> None:
        from day2.ledger.migrate import migrate

        password = self.secrets.password("platform/day2_ledger_owner")
        owner = server.conninfo("day2_ledger", user="day2_ledger_owner", password=password)
        migrate(owner, app_role="day2_ledger_app")

    def _orders(self, scale: int) -> None:
        with timed("PostgreSQL orders and its standby"):
            server = _up(self[ORDERS])
            writer = Role("shop_app", self.secrets.password("orders/shop_app"))
            replicator = Role("replicator", self.secrets.password("orders/replicator"), attributes="REPLICATION")
            with server.connect() as connection:
                self._operators(connection, ORDERS)
                ensure_role(connection, writer)
                ensure_role(connection, replicator)
            self._seed(server, "orders", scale)
            self._standby(server)

    def _standby(self, primary: Server) -> None:
        with primary.connect() as connection:
            query = "SELECT pg_create_physical_replication_slot(%s, true) WHERE NOT EXISTS"
            query += " (SELECT FROM pg_replication_slots WHERE slot_name = %s)"
            connection.execute(query, (SLOT, SLOT))
        standby = self[STANDBY]
        if standby.create_standby(f"host={LOOPBACK} port={primary.port} user={SUPERUSER} application_name={SLOT}"):
            say("  orders-standby is a copy of orders")
        source = primary.conninfo(
            "", user="replicator", password=self.secrets.password("orders/replicator"), application_name=SLOT
        )
        settings = {
            "primary_conninfo": source,
            "primary_slot_name": SLOT,
            "hot_standby_feedback": "on",
            # The archive keeps what the standby might still ask for: a lab left running must not fill the disk.
            "archive_cleanup_command": f'"{standby.binaries["pg_archivecleanup"]}" "{standby.home.parent}/archive" %r',
        }
        replace(standby, settings={**standby.settings, **settings}).start()
        wait_until(lambda: _streams(primary), "replication from orders to orders-standby", seconds=60)

    def _billing(self, scale: int) -> None:
        with timed("PostgreSQL billing"):
            server = _up(self[BILLING])
            with server.connect() as connection:
                self._operators(connection, BILLING)
            self._seed(server, "billing", scale)
            self._seed(server, "sandbox", scale)

    def _operators(self, connection: psycopg.Connection[Any], server: str) -> None:
        ensure_role(connection, roles.backup_role(self.secrets.awkward_password(f"{server}/day2_backup")))
        ensure_role(connection, roles.restore_role(self.secrets.password(f"{server}/day2_restore")))

    def _seed(self, server: Server, database: str, scale: int) -> None:
        """Make and fill a database. The data comes in one transaction, so it is there whole or not at all."""
        with server.connect() as connection:
            ensure_database(connection, database, SUPERUSER)
            grant = "GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO day2_backup"
            connection.execute(sql.SQL(grant).format(sql.Identifier(database)))
        with server.connect(database) as connection, connection.transaction():
            if connection.execute("SELECT to_regclass('public.lab_seed')").fetchone() != (None,):
                return
            connection.execute("SELECT set_config('day2.scale', %s, true)", (str(scale),))
            connection.execute((SEED / f"{database}.sql").read_bytes())
            connection.execute("CREATE TABLE public.lab_seed AS SELECT %s::int AS scale", (scale,))
        with server.connect(database) as connection:
            connection.execute("ANALYZE")
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO PUBLIC").format(sql.Identifier(database)))


def fleet(places: Places, ports: Ports, *, secrets: Secrets, binaries: Binaries) -> Fleet:
    """Describe the servers. A port is claimed for each one that does not run."""
    processes = Processes(places.run, places.logs)
    servers = {}
    for name in NAMES:
        port = ports[name] if processes.pid(name) else ports.claim(name)
        # The standby is a copy: it has the primary's superuser.
        password = secrets.password(f"{ORDERS if name == STANDBY else name}/postgres")
        settings = _archiving(places) if name in (ORDERS, STANDBY) else {}
        home = own_folder(places.servers / name, places.run_as)
        servers[name] = Server(name, home, port, password, processes, binaries, places.run_as, settings)
    return Fleet(servers, secrets)


def _archiving(places: Places) -> dict[str, str]:
    """WAL archiving for the drills: repeatable, and it refuses another content under the same name."""
    archive = own_folder(places.servers / "archive", places.run_as)
    target = f'"{archive}/%f"'
    copy = f'cp "%p" {target}.part && mv {target}.part {target}'
    return {
        "archive_mode": "on",
        "archive_command": f'if test -f {target}; then cmp -s "%p" {target}; else {copy}; fi',
        "restore_command": f'cp {target} "%p"',
        "max_slot_wal_keep_size": "1GB",
        "hot_standby": "on",
    }


def _up(server: Server) -> Server:
    if server.create():
        say(f"  {server.name}: new cluster, PostgreSQL {server.binaries.version[0]}")
    server.start()
    return server


def _streams(primary: Server) -> bool:
    with primary.connect() as connection:
        query = "SELECT 1 FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        return connection.execute(query, (SLOT,)).fetchone() is not None
