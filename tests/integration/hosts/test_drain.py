"""Hosts leave and enter the traffic of a real HAProxy, by its runtime API."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from day2.errors import StepFailed
from day2.hosts.drain import Command, Hook, drain, undrain
from day2.hosts.shell import Local
from lab.ports import free_port

CLIENT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as api:
    api.connect(sys.argv[1])
    api.sendall(sys.stdin.buffer.read())
    api.shutdown(socket.SHUT_WR)
    sys.stdout.write(api.makefile().read())
"""
# The sessions that a server has now.
SESSIONS = """
import csv, socket, sys
with socket.socket(socket.AF_UNIX) as api:
    api.connect(sys.argv[1])
    api.sendall(b"show stat\\n")
    print(*(row["scur"] for row in csv.DictReader(api.makefile()) if row["svname"] == sys.argv[2]))
"""
CONFIGURATION = """
global
  stats socket {socket} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 20s
frontend web
  bind 127.0.0.1:{port}
  default_backend web
backend web
  server web-1 127.0.0.1:{first}
  server web-2 127.0.0.1:{second}
"""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(2)
        body = str(self.server.server_address[1]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *values: object) -> None:
        """Nobody reads it."""


@dataclass(frozen=True)
class Balancer:
    url: str
    hook: Hook
    first: str
    second: str

    def get(self, path: str = "/") -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    if shutil.which("haproxy") is None:
        pytest.skip("the Debian package haproxy is not installed")
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    first, second = (server.server_address[1] for server in servers)
    socket, port = tmp_path / "api", free_port()
    settings = tmp_path / "haproxy.cfg"
    settings.write_text(CONFIGURATION.format(socket=socket, port=port, first=first, second=second))
    api = (sys.executable, "-c", CLIENT, str(socket))
    hook = Hook(
        Local("lb"),
        out=Command(api, "set server web/{host} state drain\n", expect=""),
        back=Command(api, "set server web/{host} state ready\n", expect=""),
        idle=Command((sys.executable, "-c", SESSIONS, str(socket), "{host}"), expect="0"),
        settle=timedelta(seconds=5),
    )
    with subprocess.Popen(("haproxy", "-db", "-f", settings)) as running:
        for _ in range(100):
            if socket.exists():
                break
            time.sleep(0.05)
        yield Balancer(f"http://127.0.0.1:{port}", hook, str(first), str(second))
        running.terminate()
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_drained_host_gets_no_new_request_and_comes_back(balancer: Balancer) -> None:
    assert {balancer.get() for _ in range(6)} == {balancer.first, balancer.second}
    drain(balancer.hook, "web-1")
    drain(balancer.hook, "web-1")  # idempotent
    assert {balancer.get() for _ in range(6)} == {balancer.second}
    undrain(balancer.hook, "web-1")
    assert {balancer.get() for _ in range(6)} == {balancer.first, balancer.second}


def test_a_running_request_is_waited_for(balancer: Balancer) -> None:
    drain(balancer.hook, "web-2")
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(balancer.get("/slow")))
    slow.start()
    time.sleep(0.5)
    started = time.monotonic()
    drain(balancer.hook, "web-1")
    assert time.monotonic() - started > 1
    slow.join()
    assert answers == [balancer.first]


def test_a_host_that_the_balancer_does_not_know_is_not_called_drained(balancer: Balancer) -> None:
    with pytest.raises(StepFailed, match=r"cannot be drained: .*No such server"):
        drain(balancer.hook, "web-9")
