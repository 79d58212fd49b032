"""A throw-away server on the worker, to start a copy in and look at it.

It listens on a socket in its own private folder and nowhere else. The folder names its owner; a later
run removes what a killed one left (`sweep`).
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from day2.errors import StepFailed
from day2.postgres.binaries import Binaries, RunAs, unprivileged
from day2.postgres.programs import still_running
from day2.postgres.server import Server

log = logging.getLogger("day2")

PREFIX = "day2-scratch-"
OWNER = "owner.json"
PORT = 5432
START_SECONDS = 600.0
STOP_SECONDS = 60.0
# What runs in a scratch folder.
OURS = {"postgres", "initdb", "pg_ctl", "tar"}
# Safe only because the server is thrown away: a crash of the machine loses it, and that is fine.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
PRIVATE = {
    "listen_addresses": "",
    "port": str(PORT),
    "archive_mode": "off",
    "archive_command": "",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "shared_buffers": "128MB",
    "max_wal_size": "4GB",
    "huge_pages": "off",
    "primary_conninfo": "",
    "restore_command": "",
    "cluster_name": "day2-scratch",
}


@dataclass(frozen=True)
class Scratch:
    """A scratch folder and, once started, the server in it."""

    folder: Path
    binaries: Binaries
    run_as: RunAs
    superuser: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def server(self, dbname: str = "postgres") -> Server:
        return Server(host=str(self.folder), port=PORT, user=self.superuser, dbname=dbname)

    def program(self, name: str, *arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run one of the installation's programs as the server's user."""
        command = [self.binaries[name], *arguments]
        log.info("$ %s", shlex.join(command))
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            cwd="/",
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
            **self.run_as,
        )


@contextmanager
def scratch(parent: Path | None, binaries: Binaries, *, superuser: str, run: str) -> Iterator[Scratch]:
    """A private folder for a throw-away server; server and folder are gone when the block ends."""
    run_as = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent or _default_parent()))
    made = Scratch(folder=folder, binaries=binaries, run_as=run_as, superuser=superuser)
    try:
        (folder / OWNER).write_text(json.dumps({"pid": os.getpid(), "born": _born(os.getpid()), "run": run}))
        if "user" in run_as:
            os.chown(folder, run_as["user"], run_as["group"])
        yield made
    finally:
        _remove(made)


def initdb(made: Scratch, *, encoding: str) -> None:
    """An empty cluster with checksums, for a logical copy."""
    done = made.program(
        "initdb", f"--pgdata={made.data}", f"--username={made.superuser}", "--auth=trust", "--data-checksums",
        f"--encoding={encoding}", "--locale=C", "--no-sync", "--no-instructions",
    )  # fmt: skip
    if done.returncode:
        raise StepFailed(
            f"initdb failed: {_last(done.stderr)}",
            left="the scratch folder was removed",
            next_step="check space and permissions of the scratch folder on the worker",
            runbook="The restore test could not run",
        )


def start(made: Scratch, settings: Mapping[str, str]) -> float:
    """Start the server and wait until it takes writes. Returns the seconds it took.

    pg_ctl answers 0 for a server that dies a moment later, so the end of recovery is read from the
    server itself. Raises StepFailed with the server's last words.
    """
    begun = time.monotonic()
    _settle_configuration(made, {**settings, **PRIVATE, **FAST, "unix_socket_directories": str(made.folder)})
    done = made.program(
        "pg_ctl", "start", f"--pgdata={made.data}", f"--log={made.log}", "--silent", "--wait",
        f"--timeout={START_SECONDS:.0f}", f"--options=-c config_file='{made.folder}/scratch.conf'",
    )  # fmt: skip
    if done.returncode:
        raise _did_not_start(made, f"pg_ctl answered {done.returncode}")
    with made.server("template1").connect() as connection:
        while time.monotonic() - begun < START_SECONDS:
            row = connection.execute("select pg_catalog.pg_is_in_recovery()").fetchone()
            if row and not row[0]:
                return time.monotonic() - begun
            time.sleep(0.2)
    raise _did_not_start(made, f"still in recovery after {START_SECONDS:.0f} s")


def stop(made: Scratch, *, mode: str = "fast") -> None:
    """Stop the server if it runs."""
    if (made.data / "postmaster.pid").exists():
        made.program("pg_ctl", "stop", f"--pgdata={made.data}", f"--mode={mode}", "--silent", seconds=120)


def sweep(parent: Path | None) -> list[str]:
    """Stop and remove scratch servers whose owner is gone. Returns what was removed, and whose it was."""
    removed = []
    for folder in sorted((parent or _default_parent()).glob(f"{PREFIX}*")):
        owner = _read_owner(folder)
        if owner is None or _born(int(owner["pid"])) == owner["born"]:
            continue
        _remove_folder(folder)
        removed.append(f"{folder} (of {owner['run']})")
    return removed


def free_bytes(parent: Path | None) -> int:
    """Bytes an ordinary user may still write where scratch folders go."""
    return shutil.disk_usage(parent or _default_parent()).free


def _default_parent() -> Path:
    return Path(os.environ.get("DAY2_SCRATCH") or tempfile.gettempdir())


def _settle_configuration(made: Scratch, settings: Mapping[str, str]) -> None:
    """Our settings only: the copy brings some of its own that would archive, stream or listen."""
    for name in ("postgresql.auto.conf", "standby.signal", "recovery.signal"):
        (made.data / name).unlink(missing_ok=True)
    hba = _file(made, "scratch_hba.conf", "local all all trust\n")
    ident = _file(made, "scratch_ident.conf", "")
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
    lines += [f"hba_file = '{hba}'\n", f"ident_file = '{ident}'\n", f"data_directory = '{made.data}'\n"]
    _file(made, "scratch.conf", "".join(lines))


def _file(made: Scratch, name: str, text: str) -> Path:
    """A file the server's user can read, whatever our umask."""
    path = made.folder / name
    path.write_text(text)
    if "user" in made.run_as:
        os.chown(path, made.run_as["user"], made.run_as["group"])
    return path


def _did_not_start(made: Scratch, why: str) -> StepFailed:
    said = made.log.read_text(errors="replace") if made.log.exists() else ""
    words = [line for line in said.splitlines() if any(f" {level}: " in line for level in ("FATAL", "PANIC", "ERROR"))]
    return StepFailed(
        f"the restored server did not start ({why}): {_last(chr(10).join(words) or said)}",
        left="the scratch server was removed; the recovery point is untouched and stays unverified",
        next_step="read the server's words above; try an older recovery point if the copy is not usable",
        runbook="The restored server does not start",
    )


def _remove(made: Scratch) -> None:
    try:
        stop(made, mode="immediate")
    finally:
        shutil.rmtree(made.folder, ignore_errors=False)


def _remove_folder(folder: Path) -> None:
    """Stop whatever still runs in a dead owner's folder, then remove it.

    The pid file may be cut short or name somebody else's process by now, so processes are found by
    program and folder.
    """
    import psutil

    found = [each for each in psutil.process_iter(["name", "cmdline"]) if each.info["name"] in OURS]
    ours = [each for each in found if str(folder) in " ".join(each.info["cmdline"] or ())]
    for each in ours:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGQUIT)  # an immediate shutdown: the files go anyway
    for each in (stubborn := still_running(ours, seconds=STOP_SECONDS)):
        with suppress(psutil.NoSuchProcess):
            each.kill()
    still_running(stubborn, seconds=STOP_SECONDS)
    shutil.rmtree(folder)


def _read_owner(folder: Path) -> dict[str, Any] | None:
    try:
        owner: dict[str, Any] = json.loads((folder / OWNER).read_text())
    except (OSError, ValueError):
        return None
    return owner


def _born(pid: int) -> float | None:
    """When the process of that number started; None if there is none. Tells a re-used number apart."""
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _last(text: str, lines: int = 3) -> str:
    return " | ".join(text.strip().splitlines()[-lines:]) or "it said nothing"


def libraries(wanted: str, binaries: Binaries) -> tuple[list[str], list[str]]:
    """Which of the source's preload libraries this installation has, and which it lacks."""
    command = [binaries["pg_config"], "--pkglibdir"]
    folder = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    names = [each.strip().strip('"') for each in wanted.split(",") if each.strip()]
    having = [each for each in names if (folder / f"{each}.so").exists()]
    return having, [each for each in names if each not in having]
