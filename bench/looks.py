"""Part 9: one cycle of a health check over 1,000 targets, against the bare tools that ask them the same.

The targets are few and asked often: 500 logins to real hosts of the lab, 500 looks at a real PostgreSQL server. The
bare tools are OpenSSH's client and psql, as many side by side: they ask the same, and neither store nor judge.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import ledgers, machine
from bench.looked import AT_ONCE
from bench.tables import Grid
from day2.operations.health_check.host_look import LOOK
from day2.operations.health_check.postgres_look import LOOKS, SEQUENCES
from day2.postgres import binaries
from day2.postgres.server import sql as statement
from day2.units import size
from lab.hosts import fleet as lab_hosts
from lab.hosts import resident
from lab.hosts.fleet import Fleet
from lab.places import CHECKOUT
from lab.postgres import Server, free_standing, reachable_temporary_folder
from lab.say import timed

TARGETS, HOSTS, GOAL_SECONDS = 1000, 5, 60.0


def runs(targets: int = TARGETS) -> list[dict[str, Any]]:
    """A row for each part, for the whole, and for the bare tools."""
    load = machine.load()
    run_as = binaries.unprivileged()
    folder = reachable_temporary_folder(run_as)
    settings = {"shared_buffers": "128MB", "max_connections": str(2 * AT_ONCE + 20)}
    server = free_standing("looked-at", folder, password=secrets.token_hex(16), settings=settings)
    try:
        server.create()
        server.start()
        with lab_hosts.hosts(HOSTS) as fleet:
            told = {"hosts": targets // 2, "databases": targets - targets // 2, **_ways(fleet, server)}
            with timed("By hand"):
                bare = _by_hand(fleet, server, told)
            env = os.environ | {
                "BENCH_LOOKS": json.dumps(told),
                "PYTHONPATH": f"{CHECKOUT / 'include'}{os.pathsep}{CHECKOUT}",
            }
            with timed("A cycle"):
                done = subprocess.run(
                    (sys.executable, "-m", "bench.looked"), env=env, capture_output=True, text=True, check=False
                )
        if done.returncode:
            raise RuntimeError(f"the cycle failed: {done.stderr[-3000:]}")
        return _rows(json.loads(done.stdout.splitlines()[-1]), bare, [load, machine.load()])
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def programs() -> list[str]:
    """The server that is asked."""
    return [next(each for each in binaries.installed() if each.has_server)["postgres"]]


def grid(rows: list[dict[str, Any]]) -> Grid:
    """Wall clock, CPU and memory of each part; the whole against the bare tools."""
    title = f"A cycle over {rows[0]['targets']} targets: {rows[0]['samples']} samples, {rows[0]['gaps']} gaps"
    return Grid(title, ("part", "wall s", "CPU s", "peak memory so far", "goal"), tuple(_line(each) for each in rows))


def _line(each: dict[str, Any]) -> tuple[str, ...]:
    goal = each.get("goal")
    met = "–" if goal is None else f"≤ {goal:g} s {'met' if each['wall'] <= goal else 'missed'}"
    if "ratio" in each:
        met = f"all of ours takes {each['ratio']:.2f} of it"
    memory = size(each["memory"]) if each["memory"] else "–"
    return (each["part"], f"{each['wall']:.1f}", f"{each['cpu']:.1f}", memory, met)


def _rows(told: dict[str, Any], bare: dict[str, Any], load: list[float]) -> list[dict[str, Any]]:
    parts = told["parts"]
    whole = {"part": "all", "goal": GOAL_SECONDS, "memory": max(each["memory"] for each in parts)}
    whole |= {name: sum(each[name] for each in parts) for name in ("wall", "cpu")}
    bare |= {"ratio": whole["wall"] / bare["wall"]}
    counted = {name: told[name] for name in ("targets", "samples", "gaps")}
    return [each | counted | {"load": load} for each in (*parts, whole, bare)]


def _ways(fleet: Fleet, server: Server) -> dict[str, Any]:
    """How each is reached; and a ledger on the same server."""
    return {
        "logins": resident.logins(fleet),
        "known_hosts": str(fleet.known_hosts),
        "ledger": ledgers.make(server),
        "server": {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": "postgres",
                   "password": server.password},
    }  # fmt: skip


def _by_hand(fleet: Fleet, server: Server, told: dict[str, Any]) -> dict[str, Any]:
    """The same questions with ssh and psql, so many side by side by xargs."""
    with tempfile.TemporaryDirectory(prefix="day2-bench-") as name:
        folder = Path(name)
        asked = folder / "asked.sql"
        asked.write_text("\n".join(f"{statement(each)};" for each in (*LOOKS, SEQUENCES)))
        login = told["logins"][0]
        ssh = f"ssh -n -o BatchMode=yes -o UserKnownHostsFile={fleet.known_hosts} -i {login['key_file']}"
        psql = binaries.installed()[0]["psql"]
        lines = [f"{ssh} {login['user']}@{told['logins'][n % HOSTS]['host']} '{LOOK}'" for n in range(told["hosts"])]
        lines += [f"{psql} -X -q -A -t -f {asked} '{_conninfo(server)}'" for _ in range(told["databases"])]
        scripts = [folder / f"{number}.sh" for number in range(len(lines))]
        for script, line in zip(scripts, lines, strict=True):
            script.write_text(f"{line} >{script}.out\n")
        wall, before = time.perf_counter(), os.times()
        command = ("xargs", "-P", str(AT_ONCE), "-n", "1", "sh", "-e")
        subprocess.run(command, input="\n".join(map(str, scripts)), text=True, check=True)
        after = os.times()
        cpu = sum(getattr(after, each) - getattr(before, each) for each in ("children_user", "children_system"))
        return {"part": "by hand: ssh and psql", "wall": time.perf_counter() - wall, "cpu": cpu, "memory": 0}


def _conninfo(server: Server) -> str:
    return server.conninfo("postgres", user="postgres", password=server.password)
