"""A data folder restored from a physical copy: its configuration, its first start, how to use it.

Our configuration archives nothing, follows nobody and is reached only from this machine, so that a copy
can never be taken for the server it was copied from. The copy's own files stay, but for ALTER SYSTEM's,
which would override ours and is put aside.
"""

from __future__ import annotations

import logging
import os
import pwd
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from day2.errors import StepFailed
from day2.postgres.binaries import Binaries, RunAs
from day2.postgres.server import Server

log = logging.getLogger("day2")
PORT = 5432
START_SECONDS = 3600
CONFIGURATION = "day2_restored.conf"
ASIDE = "postgresql.auto.conf.of-the-source"
# pg_ctl hands the folder to a shell inside double quotes, and libpq takes a comma for a second host.
FORBIDDEN = frozenset('"$`\\,\n\r')
HBA = """\
# The socket's folder is the data folder, which only its owner can enter.
local all all trust
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128      scram-sha-256
"""
PRIVATE = {
    "listen_addresses": "localhost",
    "port": str(PORT),
    "archive_mode": "off",
    "primary_conninfo": "",
    "restore_command": "",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "cluster_name": "day2-restored",
}


@dataclass(frozen=True)
class Folder:
    """A data folder, the programs of its version, and the user its server runs as."""

    path: Path
    binaries: Binaries
    run_as: RunAs
    superuser: str

    @property
    def log(self) -> Path:
        return self.path / "day2_restored.log"

    def server(self, dbname: str) -> Server:
        return Server(host=str(self.path), port=PORT, user=self.superuser, dbname=dbname)

    def pg_ctl(self, action: str, *more: str) -> tuple[str, ...]:
        return (self.binaries["pg_ctl"], action, f"--pgdata={self.path}", *more)

    def start_command(self, *, listen: bool) -> tuple[str, ...]:
        options = f"-c config_file={shlex.quote(f'{self.path}/{CONFIGURATION}')}"
        # The check needs no port, and the usual one is often taken.
        options += "" if listen else " -c listen_addresses=''"
        return self.pg_ctl("start", "--wait", f"--timeout={START_SECONDS}", f"--log={self.log}", f"--options={options}")


def commands(folder: Folder) -> list[str]:
    """How to start it, reach it and stop it, as lines for a shell."""
    user = f"runuser -u {user_name(folder.run_as)} -- " if folder.run_as else ""
    psql = (folder.binaries["psql"], f"--host={folder.path}", f"--port={PORT}", f"--username={folder.superuser}")
    return [
        user + shlex.join(folder.start_command(listen=True)),
        user + shlex.join((*psql, "postgres")),
        user + shlex.join(folder.pg_ctl("stop", "--mode=fast")),
    ]


def configure(folder: Folder, settings: Mapping[str, str]) -> None:
    """Our configuration beside the copy's own."""
    for name in ("standby.signal", "recovery.signal"):
        (folder.path / name).unlink(missing_ok=True)
    overriding = folder.path / "postgresql.auto.conf"
    if overriding.exists():
        overriding.rename(folder.path / ASIDE)
    here = {
        "data_directory": str(folder.path),
        "hba_file": str(folder.path / "day2_restored_hba.conf"),
        "ident_file": str(folder.path / "day2_restored_ident.conf"),
        "unix_socket_directories": f'"{folder.path}"',
    }
    values = {**settings, **PRIVATE, **here}
    lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in values.items()]
    _write(folder, CONFIGURATION, "".join(lines))
    _write(folder, "day2_restored_hba.conf", HBA)
    _write(folder, "day2_restored_ident.conf", "")


def _write(folder: Folder, name: str, text: str) -> None:
    path = folder.path / name
    path.write_text(text)
    path.chmod(0o600)
    if "user" in folder.run_as:
        os.chown(path, folder.run_as["user"], folder.run_as["group"])


@contextmanager
def running(folder: Folder) -> Iterator[None]:
    """The server, with the data safely on disk when the block ends."""
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}

    def run(command: tuple[str, ...]) -> int:
        # Not captured: a server keeps what its starter gave it, and reading would wait for the server's end.
        nowhere = subprocess.DEVNULL
        return subprocess.run(
            command, cwd="/", env=environment, check=False, stdout=nowhere, stderr=nowhere, **folder.run_as
        ).returncode

    if run(folder.start_command(listen=False)):
        said = folder.log.read_text(errors="replace").strip().splitlines() if folder.log.exists() else []
        words = [line for line in said if "FATAL" in line or "PANIC" in line] or said
        raise StepFailed(
            f"the restored server did not start: {' | '.join(words[-3:]) or 'it said nothing'}",
            target=str(folder.path),
            left="the folder was emptied again",
            next_step="read the server's words above; try an older recovery point if the copy is not usable",
            runbook="The restored server does not start",
        )
    try:
        yield
    finally:
        stopped = run(folder.pg_ctl("stop", "--mode=fast", "--wait", f"--timeout={START_SECONDS}"))
        if stopped:
            log.error("%s: the server did not stop; see %s", folder.path, folder.log)


def user_name(run_as: RunAs) -> str:
    """Who the server runs as."""
    return pwd.getpwuid(run_as.get("user", os.getuid())).pw_name
