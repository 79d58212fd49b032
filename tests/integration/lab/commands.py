"""Run the lab's commands in a state folder of a test's own, and look at what they started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from lab.hosts.fleet import default_folder

REPOSITORY = Path(__file__).resolve().parents[3]
SERVERS = {
    *("platform", "orders", "orders-standby", "billing", "recovery", "s3-eu-west-1", "s3-eu-central-1"),
    *("writer", "on-call", "ssh-orders", "ssh-orders-standby", "ssh-billing", "ssh-edge", "endpoint-orders"),
}


@dataclass
class Lab:
    """A lab without Airflow, driven from outside, as `make` does."""

    state: Path
    checkout: Path = REPOSITORY
    python: Sequence[str] = (sys.executable,)
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, *command: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": f"{self.checkout}/include:{self.checkout}", **self.env}
        env["DAY2_STATE"] = str(self.state)
        env.setdefault("DAY2_TREES", str(default_folder()))
        return subprocess.Popen(
            (*self.python, "-m", "lab", *command),
            env=env,
            cwd="/",
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # As from a terminal: what runs in the background of a shell inherits an ignored Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def run(self, *command: str) -> str:
        process = self.start(*command)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, out + err
        return out

    def up(self, *, hosts: bool = False) -> str:
        """Without the hosts that are patched, unless asked for: most tests are not about them."""
        return self.run("up", "--no-airflow", "--hosts" if hosts else "--no-hosts")

    def pids(self) -> dict[str, int]:
        lines = (line.split() for line in self.run("status").splitlines())
        return {name: int(pid[1]) for name, *pid in lines if pid[0] == "pid"}

    def kill(self, name: str) -> None:
        os.kill(self.pids()[name], signal.SIGKILL)
        wait_for(lambda: name not in self.pids(), f"{name} to end")

    def json(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.state / name).read_text())
        return value

    def query(self, connection: str, query: str, *, dbname: str | None = None) -> Any:
        known = self.json("connections.json")[connection]
        address = {"host": known["host"], "port": known["port"], "dbname": dbname or known["schema"]}
        with psycopg.connect(**address, user=known["login"], password=known["password"]) as session:
            return session.execute(query.encode()).fetchone()


def wait_for(ready: Callable[[], Any], what: str, *, seconds: float = 60) -> Any:
    """Poll until something is there."""
    deadline = time.monotonic() + seconds
    while not (value := ready()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return value
