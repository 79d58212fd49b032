"""One PostgreSQL server: made, started, stopped, killed, connected to. The fleet and the tests use it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from day2.errors import StepFailed
from day2.postgres.binaries import Binaries, RunAs
from lab.files import give, own_folder, sweep
from lab.ports import LOOPBACK, answers, is_free
from lab.processes import Processes, wait_until

SUPERUSER = "postgres"
HBA = f"""\
# Passwords only, on loopback only. There is no Unix socket.
host all         all {LOOPBACK}/32 scram-sha-256
host replication all {LOOPBACK}/32 scram-sha-256
"""
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "shared_buffers": "64MB",
    "wal_level": "replica",
    "wal_log_hints": "on",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "max_wal_size": "512MB",
    "wal_keep_size": "64MB",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
STOP = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass
class Server:
    """A server whose data is in `home`/data and that listens on a loopback port, with checksums on."""

    name: str
    home: Path
    port: int
    password: str = field(repr=False)
    processes: Processes
    binaries: Binaries
    run_as: RunAs = field(default_factory=RunAs)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def running(self) -> bool:
        return self.processes.pid(self.name) is not None

    def create(self) -> bool:
        """Make an empty cluster unless there is one. It appears complete or not at all."""
        if self.data.exists():
            return False
        with self._half_made() as folder:
            secret = folder / "superuser-password"
            folder.mkdir(mode=0o700)
            give(folder, self.run_as)
            secret.write_text(self.password, encoding="utf-8")
            secret.chmod(0o600)
            give(secret, self.run_as)
            options = ("--data-checksums", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256")
            self._program("initdb", "-U", SUPERUSER, f"--pwfile={secret}", *options, "-D", str(folder / "data"))
            secret.unlink()
        return True

    def create_standby(self, primary: str) -> bool:
        """Copy a running primary unless there is a copy. `primary` names it and the superuser, without a password."""
        if self.data.exists():
            return False
        with self._half_made() as folder:
            folder.mkdir(mode=0o700)
            give(folder, self.run_as)
            target = str(folder / "data")
            self._program("pg_basebackup", "-d", primary, "-D", target, "-X", "stream", "-c", "fast", "--no-sync")
            (folder / "data" / "standby.signal").touch(mode=0o600)
            give(folder / "data" / "standby.signal", self.run_as)
        return True

    def start(self, *, seconds: float = 60) -> None:
        """Start and wait until it accepts connections. One that runs takes over changed settings."""
        if self.running:
            if self._configure():
                self.processes.send(self.name, signal.SIGHUP)
            return
        if not is_free(self.port):
            raise StepFailed(f"port {self.port} is in use by another program", target=self.name)
        self._configure()
        wait_until(self._is_free_of_the_dead, self.name, seconds=seconds)
        command = (self.binaries["postgres"], "-D", str(self.data), "-p", str(self.port))
        env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}
        self.processes.start(self.name, command, env=env, run_as=self.run_as)
        wait_until(self._accepts, self.name, seconds=seconds)

    def stop(self, mode: str = "fast") -> bool:
        """Shut down the way `pg_ctl stop -m <mode>` does; returns whether it ran."""
        return self.processes.stop(self.name, by=STOP[mode], grace=60)

    def kill(self) -> None:
        """SIGKILL to every process of the server at once: a power cut, as far as it can tell."""
        self.processes.stop(self.name, by=signal.SIGKILL)

    def conninfo(self, dbname: str = "postgres", **more: Any) -> str:
        """A libpq connection string, as the superuser unless `user` and `password` say otherwise."""
        known = {"host": LOOPBACK, "port": self.port, "user": SUPERUSER, "password": self.password}
        return make_conninfo("", **{**known, "dbname": dbname, "connect_timeout": 10, **more})

    def dsn(self, dbname: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """The same as a URL."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{quote(user, safe='')}:{secret}@{LOOPBACK}:{self.port}/{quote(dbname, safe='')}"

    def connect(self, dbname: str = "postgres", **more: Any) -> psycopg.Connection[Any]:
        """A session in autocommit mode, as the superuser unless said otherwise."""
        return psycopg.connect(self.conninfo(dbname, **more), autocommit=True)

    def _is_free_of_the_dead(self) -> bool:
        """Whether a killed postmaster's lock is out of the way.

        Where nobody reaps orphans it stays a zombie, which PostgreSQL takes for a running postmaster. Its
        lock file is removed here, but only after the last of its children, who may still write, has gone.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text(encoding="utf-8").split("\n")[0])
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return True
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return True
        if any(each.info["cwd"] == str(self.data) for each in psutil.process_iter(["cwd"])):
            return False
        lock.unlink(missing_ok=True)
        return True

    def _accepts(self) -> bool:
        self.processes.require(self.name)
        if not answers(self.port):
            return False
        try:
            self.connect().close()
        except psycopg.OperationalError as error:
            if "starting up" in str(error) or "not yet accepting" in str(error) or "consistent" in str(error):
                return False
            raise
        return True

    def _configure(self) -> bool:
        """Write our settings to a file of their own; returns whether they differ from those before."""
        values = {**SETTINGS, **self.settings, "port": str(self.port)}
        lines = [f"{key} = '{value.replace(chr(39), chr(39) * 2)}'\n" for key, value in sorted(values.items())]
        ours = self.data / "lab.conf"
        changed = not ours.exists() or ours.read_text(encoding="utf-8") != "".join(lines)
        self._write(ours.name, "".join(lines))
        self._write("pg_hba.conf", HBA)
        main = self.data / "postgresql.conf"
        text = main.read_text(encoding="utf-8")
        if "include 'lab.conf'" not in text:
            self._write("postgresql.conf", f"{text}\ninclude 'lab.conf'\n")
        return changed

    def _write(self, name: str, text: str) -> None:
        path = self.data / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        give(path, self.run_as)

    @contextmanager
    def _half_made(self) -> Iterator[Path]:
        """A folder to make `data` in; renamed when the block ends well, swept by the next try otherwise."""
        own_folder(self.home, self.run_as)
        sweep(self.home, "half-made-*")
        folder = self.home / f"half-made-{os.getpid()}"
        yield folder
        (folder / "data").rename(self.data)
        shutil.rmtree(folder)

    def _program(self, program: str, *arguments: str) -> None:
        env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PGPASSWORD": self.password}
        command = (self.binaries[program], *arguments)
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=env, **self.run_as)
        if done.returncode != 0:
            raise StepFailed(f"{program} failed: {done.stderr.strip()}", target=self.name, left="no data folder")


def adopt(processes: Processes, name: str, data: Path) -> None:
    """Count a server as ours again that somebody else started on our data: a drill does, with pg_ctl."""
    if processes.pid(name) is None and (pid := postmaster(data)):
        processes.adopt(name, pid)


def postmaster(data: Path) -> int | None:
    """The pid of the server that runs on this data directory: its lock file says it, and the process proves it."""
    try:
        pid = int((data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0])
        process = psutil.Process(pid)
        ours = process.name() in ("postgres", "postmaster") and Path(process.cwd()) == data.resolve()
        return pid if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def free_standing(name: str, folder: Path, *, password: str, **more: Any) -> Server:
    """A server for a test in `folder`, on a free port; fast rather than safe against power cuts."""
    from day2.postgres import binaries
    from lab.ports import free_port

    run_as: RunAs = binaries.unprivileged()
    found = next(each for each in binaries.installed() if each.has_server)
    settings = {"fsync": "off", "shared_buffers": "32MB", **more.pop("settings", {})}
    processes = Processes(folder / "run", folder / "logs")
    home = own_folder(folder / name, run_as)
    return Server(name, home, free_port(), password, processes, found, run_as, settings, **more)


def reachable_temporary_folder(run_as: RunAs) -> Path:
    """A new temporary folder that the servers' user can pass through, and nobody can list."""
    folder = Path(tempfile.mkdtemp(prefix="day2-"))
    if run_as:
        folder.chmod(0o711)
    return folder
