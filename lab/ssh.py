"""Logins on the servers of the lab: an SSH server for each, its keys, and Airflow's connection to it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from day2.postgres.binaries import RunAs
from lab.files import read_json, write_json, write_private
from lab.places import CHECKOUT, Places
from lab.ports import LOOPBACK, Ports, answers
from lab.postgres import Server
from lab.processes import Processes, wait_until

EDGE = "edge"
LOGIN = "postgres"  # whoever has the key; commands run as the servers' user, whatever it is called here
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Host:
    """One SSH server. `name` is its process; `env` is what every command on it gets."""

    name: str
    folder: Path
    port: int
    env: dict[str, str]
    run_as: RunAs
    processes: Processes

    def start(self) -> None:
        """Start it unless it runs as described here; `wait` for it afterwards."""
        settings = {
            "port": self.port,
            "host_key": str(self.folder / f"{self.name}.key"),
            "authorized_keys": str(self.folder / "client.key.pub"),
            "env": self.env,
            "run_as": dict(self.run_as),
        }
        for key in ("client", self.name):
            _ensure_key(self.folder / f"{key}.key")
        path = self.folder / f"{self.name}.json"
        if self.processes.pid(self.name):
            if read_json(path) == settings:
                return
            self.processes.stop(self.name)
        write_json(path, settings)
        self.processes.start(self.name, (sys.executable, "-m", "lab.ssh_host", str(path)), env=python_environment())

    def wait(self) -> None:
        """Wait until it accepts connections."""
        wait_until(self._answers, self.name, seconds=60, every=0.05)

    def connection(self) -> dict[str, Any]:
        """Airflow's connection: the key is in its private file, and only this host key is believed."""
        return {
            "conn_type": "ssh",
            "host": LOOPBACK,
            "port": self.port,
            "login": LOGIN,
            "extra": {
                "key_file": str(self.folder / "client.key"),
                "host_key": (self.folder / f"{self.name}.key.pub").read_text(encoding="utf-8").strip(),
                "no_host_key_check": "false",
                "look_for_keys": "false",
            },
        }

    def _answers(self) -> bool:
        self.processes.require(self.name)
        return answers(self.port)


def hosts(places: Places, ports: Ports, servers: dict[str, Server]) -> list[Host]:
    """A host for each of these servers, and the edge host, where clients' connections are routed."""
    processes = Processes(places.run, places.logs)
    environments = {name: server_environment(server) for name, server in servers.items()}
    edge = places.servers / EDGE
    environments[EDGE] = {"PATH": f"{edge / 'bin'}:{SYSTEM_PATH}", "HOME": str(edge), "LC_ALL": "C"}
    return [
        Host(
            f"ssh-{name}",
            places.ssh,
            ports.known(f"ssh-{name}", running=bool(processes.pid(f"ssh-{name}"))),
            env,
            places.run_as,
            processes,
        )
        for name, env in environments.items()
    ]


def server_environment(server: Server) -> dict[str, str]:
    """What the login that owns a server has: its programs, its data directory, its password file."""
    path = f"{server.binaries.folder}:{SYSTEM_PATH}"
    return {"PATH": path, "HOME": str(server.home), "PGDATA": str(server.data), "LC_ALL": "C"}


def python_environment() -> dict[str, str]:
    """Ours, so that `python -m lab.…` finds our modules."""
    ours = (str(CHECKOUT / "include"), str(CHECKOUT), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, ours))}


def _ensure_key(path: Path) -> None:
    """A key pair in two files, the public one last: it is there whole or not at all."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = path.with_name(f"{path.name}.pub")
    if public.exists():
        return
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    write_private(path, secret.decode())
    shown = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    write_private(public, shown.decode() + "\n")
