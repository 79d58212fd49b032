"""A host of the lab: an SSH server on loopback that runs commands as the user who owns its PostgreSQL.

`python -m lab.ssh_host <settings file>`. Only the one public key may log in; there is no terminal, no
forwarding and no SFTP. A command is a session of its own: it ends when its connection does, but what it
left running as a daemon (a server that pg_ctl started) stays.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh

from lab.files import read_json
from lab.ports import LOOPBACK

CHUNK = 65536
GRACE_SECONDS = 2
# A client whose network is cut without a word is given up after three of these.
KEEPALIVE_SECONDS = 5
# What reading the client's side raises when the client is gone, or sends a break or a signal.
CLIENT_GONE = (asyncssh.Error, asyncssh.BreakReceived, asyncssh.SignalReceived, OSError)


async def listen(settings: dict[str, Any]) -> None:
    """Serve until stopped."""

    async def session(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await run(process, settings)

    server = await asyncssh.listen(
        LOOPBACK,
        settings["port"],
        server_host_keys=[settings["host_key"]],
        authorized_client_keys=settings["authorized_keys"],
        process_factory=session,
        encoding=None,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_auth=False,
        gss_kex=False,
        allow_pty=False,
        allow_scp=False,
        x11_forwarding=False,
        agent_forwarding=False,
        keepalive_interval=KEEPALIVE_SECONDS,
        login_timeout=20,
    )
    await server.wait_closed()


async def run(process: asyncssh.SSHServerProcess[bytes], settings: dict[str, Any]) -> None:
    """One command line, from its start to its exit code."""
    if process.command is None:
        process.stderr.write(b"This host runs commands only; there is no interactive shell.\n")
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        process.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        cwd=settings["env"]["HOME"],
        env=settings["env"],
        **settings["run_as"],
    )
    feeding = asyncio.create_task(_feed(process, child))
    ending = asyncio.create_task(_drain(process, child))
    hanging_up = asyncio.create_task(process.wait_closed())
    await asyncio.wait({ending, hanging_up}, return_when=asyncio.FIRST_COMPLETED)
    feeding.cancel()
    if ending.done():
        _tell(process, ending.result())
    else:
        await _end(child)
        ending.cancel()


async def _feed(process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process) -> None:
    """The client's input to the command; nothing happens if the command does not want it."""
    assert child.stdin is not None  # noqa: S101 - it is a pipe
    with suppress(*CLIENT_GONE):
        while data := await process.stdin.read(CHUNK):
            child.stdin.write(data)
            await child.stdin.drain()
    child.stdin.close()


async def _drain(process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process) -> int:
    """Both streams at once, to their ends, and then the exit code: as sshd does it."""
    await asyncio.gather(_pass_on(child.stdout, process.stdout), _pass_on(child.stderr, process.stderr))
    return await child.wait()


async def _pass_on(source: asyncio.StreamReader | None, sink: asyncssh.SSHWriter[bytes]) -> None:
    assert source is not None  # noqa: S101 - it is a pipe
    while data := await source.read(CHUNK):
        with suppress(*CLIENT_GONE):
            sink.write(data)
            await sink.drain()


def _tell(process: asyncssh.SSHServerProcess[bytes], code: int) -> None:
    with suppress(*CLIENT_GONE):
        process.stdout.write_eof()  # as sshd does: some clients wait for it
        if code < 0:
            process.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            process.exit(code)


async def _end(child: asyncio.subprocess.Process) -> None:
    """End what a cut connection left behind; daemons are in a session of their own and stay."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGHUP)
        try:
            await asyncio.wait_for(child.wait(), GRACE_SECONDS)
        finally:
            os.killpg(child.pid, signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(listen(read_json(Path(sys.argv[1]))))
