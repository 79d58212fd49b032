"""Ports: chosen free once, remembered, moved (and said so) when another program has taken one."""

from __future__ import annotations

import socket
from pathlib import Path

from lab.files import read_json, write_json
from lab.say import say

LOOPBACK = "127.0.0.1"
# Below the range that Linux gives to outgoing connections (32768 up), so nothing lands on one by chance.
LOWEST, HIGHEST = 20000, 32000
NICE = {"airflow": 8080}


class Ports:
    """The port of each service, kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = read_json(path)

    def __getitem__(self, name: str) -> int:
        return self._ports[name]

    def known(self, name: str, *, running: bool) -> int:
        """The port of a service that runs, or one that it can have when it starts."""
        return self[name] if running else self.claim(name)

    def claim(self, name: str) -> int:
        """A port that is free now for a service that is not running: the remembered one if possible."""
        known = self._ports.get(name)
        if known and is_free(known):
            return known
        port = self._choose(name)
        if known:
            say(f"  port {known} of {name} is in use by another program: moved to {port}", style="yellow")
        self._ports[name] = port
        write_json(self._path, self._ports)
        return port

    def _choose(self, name: str) -> int:
        taken = set(self._ports.values())
        nice = NICE.get(name)
        if nice and nice not in taken and is_free(nice):
            return nice
        # Two checkouts start looking at different places, so that they rarely meet.
        start = LOWEST + sum(str(self._path).encode()) * 97 % (HIGHEST - LOWEST)
        candidates: tuple[int, ...] = (*range(start, HIGHEST), *range(LOWEST, start))
        return next(port for port in candidates if port not in taken and is_free(port))


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT does not stop a server
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Any free loopback port, for servers of a test."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def answers(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return bool(probe.connect_ex((LOOPBACK, port)) == 0)
