"""What clients of a database connect to: a TCP forwarder whose target can be moved while it runs.

`python -m lab.endpoint <port> <folder> <name>` forwards to the `<host> <port>` in <folder>/<name>.route. When
that file changes, connections to the old target are cut, as a proxy does that drains nothing, and the new
target is written to <name>.active: whoever moved the route can see that it was taken over.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path

from lab.files import write_for
from lab.ports import LOOPBACK

CHUNK = 65536
LOOK_SECONDS = 0.02
CONNECT_SECONDS = 3


class Endpoint:
    """The forwarder. `target` is where new connections go; none until a route is known."""

    def __init__(self, folder: Path, name: str) -> None:
        self._route = folder / f"{name}.route"
        self._active = folder / f"{name}.active"
        self._open: set[asyncio.StreamWriter] = set()
        self.target: tuple[str, int] | None = None

    async def serve(self, port: int) -> None:
        """Forward until stopped."""
        self._active.unlink(missing_ok=True)
        self.follow()
        server = await asyncio.start_server(self._accept, LOOPBACK, port)
        async with server:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                self.follow()

    def follow(self) -> None:
        """Take over a changed route: cut what is connected to the old target, then say so."""
        try:
            text = self._route.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        host, port = text.split()
        if (host, int(port)) == self.target:
            return
        self.target = host, int(port)
        for writer in self._open:
            writer.transport.abort()
        write_for(self._active, text, {}, mode=0o644)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self.target
        with suppress(OSError, TimeoutError):  # refused, or cut: the client sees the end of its connection
            if target:
                out = await asyncio.wait_for(asyncio.open_connection(*target), CONNECT_SECONDS)
                if target == self.target:  # it may have moved while we connected
                    await self._join((reader, writer), out)
                out[1].transport.abort()
        writer.transport.abort()

    async def _join(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        ends = {client[1], server[1]}
        for writer in ends:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open |= ends
        try:
            await asyncio.gather(_pump(client[0], server[1]), _pump(server[0], client[1]))
        finally:
            self._open -= ends


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(CHUNK):
        sink.write(data)
        await sink.drain()
    sink.write_eof()


if __name__ == "__main__":
    asyncio.run(Endpoint(Path(sys.argv[2]), sys.argv[3]).serve(int(sys.argv[1])))
