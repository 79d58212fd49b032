"""Airflow 3.3 as our own child processes: LocalExecutor, metadata in the platform's PostgreSQL.

Never `airflow standalone`: it forwards no SIGTERM and leaves its components behind. Every setting is in
one private airflow.cfg, so that no secret is in an environment variable or a process list.
"""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path

import httpx

from day2.errors import StepFailed
from lab.files import write_json, write_private
from lab.fleet import PLATFORM, Fleet
from lab.places import CHECKOUT, Places
from lab.ports import LOOPBACK, Ports
from lab.processes import Processes, wait_until
from lab.say import timed

# `user` may trigger, clear and answer approvals, but not touch connections, variables or pools.
ACCOUNTS = {"operator": "user", "approver": "user", "admin": "admin"}
API_SERVER = "airflow-api-server"
COMPONENTS = {
    API_SERVER: ("api-server",),
    # On one machine the API server reads the logs from the disk: nobody needs to serve them.
    "airflow-scheduler": ("scheduler", "--skip-serve-logs"),
    "airflow-dag-processor": ("dag-processor",),
    "airflow-triggerer": ("triggerer", "--skip-serve-logs"),
}
SECRETS_BACKEND = "airflow.secrets.local_filesystem.LocalFilesystemBackend"


@dataclass(frozen=True)
class Airflow:
    """One Airflow installation of the lab."""

    places: Places
    fleet: Fleet
    processes: Processes
    ports: Ports

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports['airflow']}"

    @property
    def passwords(self) -> dict[str, str]:
        """Account name to password."""
        return {name: self.fleet.secrets.password(f"airflow/{name}") for name in ACCOUNTS}

    def start(self) -> None:
        """Start the components that do not run, and wait until a task would start without delay."""
        if not self.processes.pid(API_SERVER):
            self.ports.claim("airflow")
        if self._configure():
            # An address has moved: a component that went on with the old one would look healthy and fail tasks.
            for name in COMPONENTS:
                self.processes.stop(name)
        self._migrate()
        with timed("Airflow start"):
            for name, arguments in COMPONENTS.items():
                if not self.processes.pid(name):
                    self.processes.start(name, self._command(*arguments), env=self.environment())
            wait_until(self._healthy, "Airflow", seconds=240, every=0.3)
            # The API that tasks talk to is built at its first request: take those seconds here.
            httpx.get(f"{self.url}/execution/health", timeout=60, trust_env=False).raise_for_status()

    def environment(self) -> dict[str, str]:
        """The environment of Airflow's processes: ours, less what would override the settings."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW_", "PYTHON", "AWS_")) and key.lower() not in ("no_proxy", "all_proxy")
        }
        return {
            **inherited,
            "AIRFLOW_HOME": str(self.places.airflow),
            "PYTHONPATH": f"{CHECKOUT / 'include'}",
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # Tasks reach the API server and the lab's servers on loopback, whatever proxy is set here.
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *arguments: str) -> str:
        """Run `airflow …` to its end and return what it printed. Raises StepFailed with its errors."""
        done = subprocess.run(self._command(*arguments), env=self.environment(), capture_output=True, text=True)
        if done.returncode != 0:
            raise StepFailed(f"`airflow {' '.join(arguments)}` failed: {done.stderr[-2000:]}", target="Airflow")
        return done.stdout

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "airflow", *arguments)

    def _configure(self) -> bool:
        """Write the settings; returns whether they differ from those before."""
        write_json(self.places.airflow / "passwords.json", self.passwords)
        parser = configparser.RawConfigParser()
        for section, values in self._settings().items():
            # Airflow interpolates %: a literal one is doubled.
            parser[section] = {key: str(value).replace("%", "%%") for key, value in values.items()}
        text = StringIO()
        parser.write(text)
        path = self.places.airflow / "airflow.cfg"
        if path.exists() and path.read_text(encoding="utf-8") == text.getvalue():
            return False
        write_private(path, text.getvalue())
        return True

    def _migrate(self) -> None:
        """Bring the metadata database to this version; skipped when that was done before."""
        stamp, current = self.places.airflow / "migrated", version("apache-airflow")
        if stamp.exists() and stamp.read_text(encoding="utf-8") == current and self._has_tables():
            return
        with timed("Airflow metadata database"):
            self.run("db", "migrate")
        write_private(stamp, current)

    def _has_tables(self) -> bool:
        """The stamp may be older than the database: servers' data can be lost and made anew."""
        with self.fleet[PLATFORM].connect("airflow") as connection:
            return connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() != (None,)

    def _healthy(self) -> bool:
        for name in COMPONENTS:
            self.processes.require(name)
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=10, trust_env=False)
        except httpx.TransportError:
            return False
        parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
        healthy = health.is_success and all(health.json()[part]["status"] == "healthy" for part in parts)
        return healthy and self._is_ours()

    def _is_ours(self) -> bool:
        """Another lab may have taken the port between our look at it and our start: only ours knows our passwords."""
        login = {"username": "operator", "password": self.passwords["operator"]}
        answer = httpx.post(f"{self.url}/auth/token", json=login, timeout=10, trust_env=False)
        return answer.status_code == httpx.codes.CREATED

    def _settings(self) -> dict[str, dict[str, object]]:
        secrets, home = self.fleet.secrets, self.places.airflow
        database = self.fleet[PLATFORM].dsn("airflow", user="airflow", password=secrets.password("platform/airflow"))
        backend: dict[str, object] = {
            "secrets_backend": SECRETS_BACKEND,
            "secrets_backend_kwargs": json.dumps({"connections_file_path": str(self.places.connections)}),
        }
        return {
            "core": {
                "executor": "LocalExecutor",
                "dags_folder": CHECKOUT / "dags",
                "plugins_folder": CHECKOUT / "plugins",
                "load_examples": False,
                "parallelism": 8,  # all workers are forked at the start; two cores want no more
                "fernet_key": secrets.fernet(),
                "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in ACCOUNTS.items()),
                "simple_auth_manager_passwords_file": home / "passwords.json",
                "execution_api_server_url": f"http://{LOOPBACK}:{self.ports['airflow']}/execution/",
            },
            "database": {"sql_alchemy_conn": database.replace("postgresql://", "postgresql+psycopg2://")},
            "logging": {"base_log_folder": self.places.logs / "airflow"},
            "api": {
                "host": LOOPBACK,
                "port": self.ports["airflow"],
                "base_url": self.url,
                "secret_key": secrets.key("airflow/api"),
                "workers": 1,
                "instance_name": "Day 2 lab",
                "expose_config": False,
            },
            "api_auth": {"jwt_secret": secrets.key("airflow/jwt")},
            "scheduler": {"scheduler_idle_sleep_time": 0.2},  # 1 s in production: it costs 10 % of a core
            "dag_processor": {"refresh_interval": 15, "min_file_process_interval": 30},
            "secrets": {"backend": SECRETS_BACKEND, "backend_kwargs": backend["secrets_backend_kwargs"]},
            "workers": backend,
            "usage_data_collection": {"enabled": False},
        }
