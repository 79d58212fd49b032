"""A database to tune: faults planted in `billing`, and a load of real statements while a demo lasts."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from day2.errors import StepFailed
from lab import roles
from lab.files import write_private
from lab.ports import LOOPBACK
from lab.postgres import Server
from lab.preload import LIBRARY, preload
from lab.roles import Role, ensure_role
from lab.secrets import Secrets

SEED = Path(__file__).parent / "seed"
SCRIPTS = SEED / "bazaar"
DATABASE, APP = "billing", "bazaar_app"
LOAD, HOLDER = "bazaar-load", "bazaar-holder"
# What one visit calls, and how often: always the same, so that two stretches of time can be compared.
VISIT = {"customer": 4, "order": 2, "day": 2, "ranking": 1, "clicks": 2, "popular": 1, "prices": 1}
VISITS_A_SECOND, CLIENTS = 4, 4
# Both are what somebody once tried and forgot.
BAD_SETTINGS = {"random_page_cost": "40", "work_mem": "64kB"}
LATENCY = re.compile(r"latency average = ([\d.]+) ms")


@dataclass(frozen=True)
class Fault:
    """What was planted, and the finding that it should become."""

    kind: str
    object: str
    says: str


FAULTS = (
    Fault("missing_index", "bazaar.orders", "a customer's page reads all orders"),
    Fault("duplicate_index", "bazaar.orders_created", "the same index twice"),
    Fault("unused_index", "bazaar.orders_note", "an index that nobody reads"),
    Fault("table_bloat", "bazaar.events", "nine rows of ten were deleted"),
    Fault("index_bloat", "bazaar.events_pkey", "so were their entries in the index"),
    Fault("stale_statistics", "bazaar.prices", "150,000 rows, and no statistics of them"),
    Fault("autovacuum_settings", "bazaar.prices", "autovacuum, which would take them, is switched off"),
    Fault("setting", "random_page_cost", "40: every index is left aside for a scan"),
    Fault("setting", "work_mem", "64 kB: sorts go to disk"),
    Fault("sequence_exhaustion", "bazaar.tickets_id_seq", "nine tenths of its numbers are used"),
    Fault("long_transaction", "bazaar-report", "a report that somebody forgot: no change is made while it is open"),
    Fault("missing_index", "bazaar.clicks", "to be tried and reverted: it makes all writing dearer than it helps"),
)


@dataclass(frozen=True)
class Bazaar:
    """The planted database on its server."""

    server: Server
    secrets: Secrets

    def plant(self) -> None:
        """Make it anew, with all its faults, and forget what was counted before."""
        self.stop()
        self._preload()
        with self.server.connect(DATABASE) as connection:
            ensure_role(connection, Role(APP, self._password))
            grant(connection)
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            # Before the seeding: how many rows changed since the statistics is one of these counters.
            connection.execute("SELECT pg_stat_reset()")
            connection.execute((SEED / "bazaar.sql").read_bytes())
            for statement in ("VACUUM bazaar.events", "ANALYZE bazaar.events", "ANALYZE bazaar.clicks"):
                connection.execute(statement.encode())
            connection.execute("VACUUM (ANALYZE) bazaar.orders, bazaar.customers, bazaar.pages, bazaar.tickets")
            for name, value in BAD_SETTINGS.items():
                change = sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
                connection.execute(change)
            connection.execute("SELECT pg_reload_conf(), pg_stat_statements_reset()")

    def start(self) -> None:
        """The load, and the transaction that stays open. Both outlive us, until `stop`."""
        visit = self.server.processes.run / "bazaar-visit.sql"
        calls = [(SCRIPTS / f"{name}.sql").read_text(encoding="utf-8") for name in VISIT for _ in range(VISIT[name])]
        visit.write_text("\n".join(calls), encoding="utf-8")
        limits = ("-c", str(CLIENTS), "-R", str(VISITS_A_SECOND), "-T", "86400")
        self._start(LOAD, "bazaar-shop", "-f", str(visit), *limits)
        self._start(HOLDER, "bazaar-report", "-f", str(SCRIPTS / "hold.sql"), "-t", "1")

    def stop(self) -> None:
        """End both."""
        for name in (LOAD, HOLDER):
            self.server.processes.stop(name)

    def release(self) -> None:
        """End the transaction that somebody forgot, and nothing else."""
        self.server.processes.stop(HOLDER)

    def latency(self, script: str, *, calls: int = 100) -> float:
        """Milliseconds that one call of a script takes, by a pgbench of its own: nobody's but its own clock."""
        command = (*self._pgbench(), "-f", f"{SCRIPTS / script}.sql", "-t", str(calls))
        env = self._env("bazaar-probe")
        done = subprocess.run(command, capture_output=True, text=True, env=env, cwd="/", check=False)
        found = LATENCY.search(done.stdout)
        if done.returncode != 0 or not found:
            raise StepFailed(f"pgbench failed: {done.stderr.strip()[-400:]}", target=script)
        return float(found[1])

    def indexes(self) -> dict[str, bool]:
        """The indexes of bazaar there are now, and whether each is valid."""
        query = """
            SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
            WHERE relnamespace = 'bazaar'::regnamespace ORDER BY relname
        """
        with self.server.connect(DATABASE) as connection:
            return dict(connection.execute(query).fetchall())

    def settings(self) -> dict[str, str]:
        """The settings that were made bad, as they are now."""
        query = "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)"
        with self.server.connect(DATABASE) as connection:
            return dict(connection.execute(query, (list(BAD_SETTINGS),)).fetchall())

    @property
    def _password(self) -> str:
        return self.secrets.password(f"{DATABASE}/{APP}")

    def _preload(self) -> None:
        """pg_stat_statements counts only if the server was started with it."""
        with self.server.connect() as connection:
            [loaded] = connection.execute("SELECT current_setting('shared_preload_libraries')").fetchone() or ("",)
        if LIBRARY in str(loaded):
            return
        if not preload(self.server.binaries):
            raise StepFailed(f"this PostgreSQL has no {LIBRARY}: nothing can be tuned", target=self.server.name)
        self.server.stop()
        self.server.start()

    def _start(self, name: str, application: str, *arguments: str) -> None:
        if not self.server.processes.pid(name):
            command = (*self._pgbench(), *arguments)
            self.server.processes.start(name, command, env=self._env(application))

    def _pgbench(self) -> tuple[str, ...]:
        connection = ("-h", LOOPBACK, "-p", str(self.server.port), "-U", APP)
        return (self.server.binaries["pgbench"], "--no-vacuum", *connection, DATABASE)

    def _env(self, application: str) -> dict[str, str]:
        passfile = self.server.processes.run / "bazaar.pgpass"
        write_private(passfile, f"{LOOPBACK}:*:*:{APP}:{self._password}\n")
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSFILE": str(passfile), "PGAPPNAME": application}


def grant(connection: psycopg.Connection[Any]) -> None:
    """What tuning needs: to see all statistics, own what it changes, and set what may be set."""
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'bazaar_owner'").fetchone():
        connection.execute("CREATE ROLE bazaar_owner NOLOGIN")
    connection.execute("GRANT bazaar_owner, billing_owner TO day2_tuning")
    connection.execute("GRANT EXECUTE ON FUNCTION pg_reload_conf(), pg_show_all_file_settings() TO day2_tuning")
    connection.execute("GRANT SELECT ON pg_file_settings TO day2_tuning")
    if connection.info.server_version < 150000:
        connection.execute("ALTER ROLE day2_tuning SUPERUSER")  # older servers have no right to one setting
        return
    for name in roles.TUNED_SETTINGS:
        statement = sql.SQL("GRANT SET, ALTER SYSTEM ON PARAMETER {} TO day2_tuning").format(sql.Identifier(name))
        connection.execute(statement)
