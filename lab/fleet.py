"""The PostgreSQL servers of the lab: the platform's, `orders` with its standby, `billing`, and `recovery`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from day2.postgres.binaries import Binaries
from lab import roles
from lab.files import own_folder
from lab.pair import ORDERS, STANDBY, Pair, is_normal, write_passfile
from lab.pair import settings as pair_settings
from lab.places import Places
from lab.ports import Ports
from lab.postgres import SUPERUSER, Server, adopt
from lab.preload import preload
from lab.processes import Processes
from lab.roles import Role, ensure_database, ensure_role
from lab.say import say, timed
from lab.secrets import Secrets

SEED = Path(__file__).parent / "seed"
MAINTENANCE = "postgres"
PLATFORM, BILLING, RECOVERY = "platform", "billing", "recovery"
NAMES = (PLATFORM, ORDERS, STANDBY, BILLING, RECOVERY)
# Those whose host operations log in to: to fail it over, or to see the machine that it runs on.
WITH_LOGIN = (ORDERS, STANDBY, BILLING)


@dataclass(frozen=True)
class Fleet:
    """All servers, made but not necessarily running."""

    servers: dict[str, Server]
    secrets: Secrets

    def __getitem__(self, name: str) -> Server:
        return self.servers[name]

    @property
    def pair(self) -> Pair:
        """The two servers of `orders`."""
        return Pair(self[ORDERS], self[STANDBY], self.secrets)

    def start(self, scale: int) -> None:
        """Start what does not run; make and seed what does not exist yet."""
        with ThreadPoolExecutor() as pool:
            work = (self._orders, self._platform, self._billing, self._recovery)
            for job in [pool.submit(each, scale) for each in work]:
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
            pair = self.pair
            if not is_normal(*pair.look()):
                pair.start_what_is_safe()
                return
            server = _up(self[ORDERS])
            with server.connect() as connection:
                self._operators(connection, ORDERS)
                ensure_role(connection, Role("shop_app", self.secrets.password("orders/shop_app")))
                ensure_role(connection, roles.replicator_role(self.secrets.password("orders/replicator")))
                ensure_role(connection, roles.drill_role(self.secrets.password("orders/day2_drill")))
            self._seed(server, "orders", scale)
            for database in (MAINTENANCE, "orders"):
                with server.connect(database) as connection:
                    roles.grant_drills(connection)
            with server.connect("orders") as connection:
                roles.grant_reading(connection)
            pair.attach()

    def _recovery(self, _scale: int) -> None:
        with timed("PostgreSQL recovery"):
            server = _up(self[RECOVERY])
            with server.connect() as connection:
                ensure_role(connection, roles.restore_role(self.secrets.password("recovery/day2_restore")))

    def _billing(self, scale: int) -> None:
        with timed("PostgreSQL billing"):
            server = _up(self[BILLING])
            with server.connect() as connection:
                self._operators(connection, BILLING)
                ensure_role(connection, roles.tuning_role(self.secrets.password("billing/day2_tuning")))
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
    homes = {name: own_folder(places.servers / name, places.run_as) for name in NAMES}
    for name, home in homes.items():
        adopt(processes, name, home / "data")
    chosen = {name: ports.known(name, running=bool(processes.pid(name))) for name in NAMES}
    cleanup = binaries["pg_archivecleanup"]
    counted = preload(binaries)
    own = {
        ORDERS: counted | pair_settings(places, ORDERS, other_port=chosen[STANDBY], cleanup=cleanup),
        STANDBY: counted | pair_settings(places, STANDBY, other_port=chosen[ORDERS], cleanup=cleanup),
        BILLING: counted,
    }
    servers = {}
    for name, home in homes.items():
        # The standby is a copy: it has the primary's superuser.
        password = secrets.password(f"{ORDERS if name == STANDBY else name}/postgres")
        settings = own.get(name, {})
        servers[name] = Server(name, home, chosen[name], password, processes, binaries, places.run_as, settings)
        if name in (ORDERS, STANDBY):
            write_passfile(places, name, secrets)
    return Fleet(servers, secrets)


def _up(server: Server) -> Server:
    if server.create():
        say(f"  {server.name}: new cluster, PostgreSQL {server.binaries.version[0]}")
    server.start()
    return server
