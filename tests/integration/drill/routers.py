"""Real proxies in front of a pair, as clients have them, and the command that moves each."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from day2.hosts.shell import Local, Shell
from day2.operations.dr_drill.pair import Pair
from day2.postgres import binaries
from lab.files import give, own_folder
from lab.ports import LOOPBACK, answers, free_port
from lab.processes import wait_until
from tests.integration.drill.making import DRILL, PASSWORD, Living

HAPROXY = """
global
    stats socket {folder}/haproxy.sock level admin
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
listen orders
    bind {loopback}:{port}
    server now {host}:{target} on-marked-down shutdown-sessions
"""
PGBOUNCER = """
[databases]
orders = host={host} port={target} dbname=orders
[pgbouncer]
listen_addr = {loopback}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
ignore_startup_parameters = options,extra_float_digits
server_login_retry = 1
pidfile = {folder}/pgbouncer.pid
"""
# As an operator's tool: write the configuration of the new server, and have the proxy read it.
SCRIPT = """#!/bin/sh
set -eu
[ $# -eq 2 ] || exit 64
sed -e "s/@HOST@/$1/" -e "s/@PORT@/$2/" {folder}/template >{folder}/new
mv {folder}/new {folder}/configuration
kill -{signal} "$(cat {folder}/pid)"
"""


@dataclass
class Router:
    """A proxy that clients connect to, and what moves it."""

    endpoint_port: int
    command: tuple[str, ...]
    shell: Shell
    process: subprocess.Popen[bytes]

    def of(self, pair: Pair) -> Pair:
        """The pair with the proxy as its endpoint."""
        endpoint = replace(pair.endpoint, host=LOOPBACK, port=self.endpoint_port, options={})
        return replace(pair, endpoint=endpoint)


def program(name: str) -> str:
    """Its path; the test is skipped where it is not installed."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed here: apt-get install {name}")
    return found


@contextmanager
def haproxy(living: Living) -> Iterator[Router]:
    """HAProxy in master-worker mode; SIGUSR2 makes it read its configuration."""
    executable = program("haproxy")
    with _router(living, "haproxy", HAPROXY, "USR2") as (folder, port, start):
        yield start((executable, "-W", "-db", "-f", f"{folder}/configuration"), port)


@contextmanager
def pgbouncer(living: Living) -> Iterator[Router]:
    """pgbouncer with transaction pooling; SIGHUP makes it read its configuration."""
    executable = program("pgbouncer")
    with _router(living, "pgbouncer", PGBOUNCER, "HUP") as (folder, port, start):
        (folder / "users").write_text(f'"{DRILL}" "{PASSWORD}"\n')
        give(folder / "users", binaries.unprivileged())
        yield start((executable, "--quiet", f"{folder}/configuration"), port)


@contextmanager
def _router(living: Living, name: str, text: str, signal: str):  # type: ignore[no-untyped-def]
    run_as = binaries.unprivileged()
    folder = own_folder(living.folder / name, run_as)
    port = free_port()
    target = living.pair.primary.server.port
    template = text.format(folder=folder, loopback=LOOPBACK, port=port, host="@HOST@", target="@PORT@")
    now = template.replace("@HOST@", LOOPBACK).replace("@PORT@", str(target))
    script = SCRIPT.format(folder=folder, signal=signal)
    for file, content in (("template", template), ("configuration", now), ("route-orders", script), ("pid", "")):
        _write(folder / file, content)
    (folder / "route-orders").chmod(0o700)
    shell = Local(f"edge with {name}", {"PATH": f"{folder}:{os.defpath}"}, run_as.get("user"), run_as.get("group"))
    started: list[subprocess.Popen[bytes]] = []

    def start(command: tuple[str, ...], port: int) -> Router:
        log = (folder / "log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **run_as)
        started.append(process)
        _write(folder / "pid", str(process.pid))
        wait_until(lambda: answers(port), name, seconds=20)
        return Router(port, ("route-orders", "{host}", "{port}"), shell, process)

    try:
        yield folder, port, start
    finally:
        for each in started:
            each.terminate()
            each.wait(20)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    give(path, binaries.unprivileged())
