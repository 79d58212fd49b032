"""A TCP proxy that breaks connections on purpose, to see what a client does then.

It passes bytes through unchanged, so that signatures over host and body still hold.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.ports import LOOPBACK

REQUEST = re.compile(rb"^(GET|PUT|POST|HEAD|DELETE) \S+ HTTP/1\.1\r\n")
CHUNK = 65536


@dataclass
class Faults:
    """What to do to connections. Change the fields at any time; they hold from the next bytes on."""

    cut_after: int | None = None  # bytes from the client, over all connections; then every one is reset
    errors: int = 0  # the next so many HTTP requests get `error_status` and never reach the server
    error_status: str = "500 Internal Server Error"
    matching: bytes = b""  # only requests whose head contains this count for `errors`
    bytes_per_second: int | None = None
    black_hole: bool = False  # accept, read nothing, answer nothing
    refuse: bool = False  # close new connections at once

    # What happened, for a test to look at.
    sent: int = 0
    connections: int = 0
    errors_given: int = 0
    cuts: int = 0
    heads: list[bytes] = field(default_factory=list)

    def heal(self) -> None:
        """Pass everything on again."""
        self.cut_after, self.errors, self.bytes_per_second = None, 0, None
        self.black_hole = self.refuse = False


class Proxy:
    """Listens on a free loopback port and passes bytes to `target`, unless `faults` says otherwise."""

    def __init__(self, target: int) -> None:
        self.faults = Faults()
        self._target = target
        self._listener = socket.create_server((LOOPBACK, 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._listener.close()
        self.reset()

    def reset(self) -> None:
        """End every connection that is open now, without a goodbye."""
        with self._lock:
            connections, self._open = self._open, set()
        for each in connections:
            _reset(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed by `close`
                return
            self.faults.connections += 1
            if self.faults.refuse:
                _reset(client)
                continue
            self._remember(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        while self.faults.black_hole:
            if client not in self._open:
                return
            time.sleep(0.05)
        try:
            server = socket.create_connection((LOOPBACK, self._target), timeout=10)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        self._remember(server)
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump_requests(client, server)

    def _pump_requests(self, client: socket.socket, server: socket.socket) -> None:
        """Client to server, where the faults are."""
        for data in _read(client):
            while self.faults.black_hole and client in self._open:
                time.sleep(0.05)
            if self._fails(data):
                # The client may still be sending a body: the answer ends the connection.
                answer = f"HTTP/1.1 {self.faults.error_status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                _end(client, answer.encode())
                break
            self.faults.sent += len(data)
            if self.faults.cut_after is not None and self.faults.sent >= self.faults.cut_after:
                self.faults.cuts += 1
                self.reset()
                break
            if self.faults.bytes_per_second:
                time.sleep(len(data) / self.faults.bytes_per_second)
            if not _send(server, data):
                break
        _end(server)

    def _pump(self, server: socket.socket, client: socket.socket) -> None:
        """Server to client."""
        for data in _read(server):
            if self.faults.bytes_per_second:
                time.sleep(len(data) / self.faults.bytes_per_second)
            if not _send(client, data):
                break
        _end(client)

    def _fails(self, data: bytes) -> bool:
        if not REQUEST.match(data):
            return False
        head = data.split(b"\r\n\r\n", 1)[0]
        self.faults.heads.append(head.split(b"\r\n", 1)[0])
        if self.faults.errors < 1 or self.faults.matching not in head:
            return False
        self.faults.errors -= 1
        self.faults.errors_given += 1
        return True

    def _remember(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy in front of a loopback port, closed when the block ends."""
    made = Proxy(target)
    try:
        yield made
    finally:
        made.close()


def _read(connection: socket.socket) -> Iterator[bytes]:
    try:
        while data := connection.recv(CHUNK):
            yield data
    except OSError:  # reset by us or by the peer: the same as its end
        return


def _send(connection: socket.socket, data: bytes) -> bool:
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def _end(connection: socket.socket, last: bytes = b"") -> None:
    """Send the last bytes, say that no more will come, and drain: an unread body would become a reset."""
    try:
        if last:
            connection.sendall(last)
        connection.shutdown(socket.SHUT_WR)
        if last:
            connection.settimeout(2)
            while connection.recv(CHUNK):
                continue
    except OSError:
        return


def _reset(connection: socket.socket) -> None:
    """Close so that the peer sees a reset, also one that waits in recv."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, 0 seconds
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
    finally:
        connection.close()
