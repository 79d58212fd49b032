"""One cycle of a health check, in a process of its own: `python -m bench.looked`, a JSON line out.

What it looks at comes in BENCH_LOOKS: hosts to log in to, a server, and the ledger. The parts are what `look` calls.
"""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from typing import Any

from bench.parts import Parts
from day2.hosts.shell import Ssh
from day2.inventory.health import HealthPolicy
from day2.ledger import Ledger
from day2.ledger.metrics import Metrics
from day2.operations.health_check import cycle, host_look, postgres_look
from day2.operations.health_check.cycle import Look, Looked
from day2.postgres.server import Server

AT_ONCE, SECONDS = 60, 30.0


def main() -> None:
    """Look three times, as a scheduler would; the first makes the series, the last is told."""
    told = json.loads(os.environ["BENCH_LOOKS"])
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    policy = HealthPolicy(at_once=AT_ONCE)
    looks: dict[str, tuple[Look, ...]] = {f"host/{n:04}": (_host(told, n),) for n in range(told["hosts"])}
    looks |= {f"database/{n:04}": (_database(told),) for n in range(told["databases"])}
    with Ledger.connect(told["ledger"]) as ledger:
        metrics = Metrics(ledger, "made")
        first = cycle.look(dict(list(looks.items())[:: max(len(looks) // 50, 1)]), policy)
        _keep(metrics, first, policy)
        parts, begun = Parts(), time.perf_counter()
        with parts.part("look"):
            seen = cycle.look(looks, policy)
        with parts.part("store and judge"):
            judged = cycle.keep(metrics, seen, policy, now=datetime.now(UTC))
        with parts.part("remember"):
            cycle.remember(metrics, judged)
        wall = time.perf_counter() - begun
    told = {"targets": len(looks), "samples": len(seen.samples), "gaps": len(seen.gaps), "wall": wall}
    print(json.dumps(told | {"parts": parts.rows}))


def _keep(metrics: Metrics, seen: Looked, policy: HealthPolicy) -> None:
    cycle.remember(metrics, cycle.keep(metrics, seen, policy, now=datetime.now(UTC)))


def _host(told: dict[str, Any], number: int) -> Look:
    login = told["logins"][number % len(told["logins"])]

    def look() -> Any:
        shell = Ssh(login["host"], lambda: _connect(login, told["known_hosts"]))
        try:
            return host_look.look(shell, seconds=SECONDS)
        finally:
            shell.close()

    return look


def _connect(login: dict[str, Any], known_hosts: str) -> Any:
    from paramiko import RejectPolicy, SSHClient

    client = SSHClient()
    client.load_host_keys(known_hosts)
    client.set_missing_host_key_policy(RejectPolicy())
    client.connect(
        login["host"], username=login["user"], key_filename=login["key_file"], allow_agent=False, look_for_keys=False
    )
    return client


def _database(told: dict[str, Any]) -> Look:
    server = Server(**told["server"])
    return lambda: postgres_look.look(server, seconds=SECONDS)


if __name__ == "__main__":
    main()
