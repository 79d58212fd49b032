#!/usr/bin/python3 -IS
"""Acme's agent: answers HTTP with its version and that of the library it has mapped.

The library stays mapped as code for as long as the process lives, as a shared object would be: after an
update this process still runs the old one. Release 1.2 answers 500; release 1.4 does not start.
"""

import mmap
import socket
import sys
from pathlib import Path

VERSION = "@VERSION@"
LIBRARY = Path("/usr/lib/acme/libacme.so.2")
FLAPS = Path("/run/acme-agent.flaps")  # the lab's switch: while it is there, every other answer is 503


def main() -> None:
    """Answer until the end."""
    if VERSION.startswith("1.4"):
        sys.exit("acme-agent: cannot read the new format of /etc/acme-agent.conf")
    with LIBRARY.open("rb") as file:
        library = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
    listener = socket.create_server(("", 8390), backlog=64)
    count = 0
    while True:
        client, _ = listener.accept()
        count += 1
        try:
            answer(client, status(count), f"acme-agent {VERSION} {library[:64].decode().splitlines()[0]}\n")
        except OSError as error:
            print(f"acme-agent: a client left: {error}", file=sys.stderr)
        finally:
            client.close()


def status(count: int) -> str:
    """The status of the answer of that number."""
    if VERSION.startswith("1.2"):
        return "500 Internal Server Error"
    if count % 2 and FLAPS.exists():
        return "503 Service Unavailable"
    return "200 OK"


def answer(client: socket.socket, status: str, body: str) -> None:
    """Read the request, whatever it is, and answer."""
    client.settimeout(5)
    client.recv(65536)
    client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())


if __name__ == "__main__":
    main()
