"""Writing files so that a crash leaves the old one or the new one, and secrets stay private."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from day2.errors import StepFailed
from day2.postgres.binaries import RunAs
from lab.say import say

# What makes a data folder. They outlive a start that was killed.
MAKERS = ("initdb", "pg_basebackup", "postgres")
SWEEP_TRIES = 30


def write_private(path: Path, text: str) -> None:
    """Write `text` readable by the owner alone; the file appears complete or not at all."""
    write_for(path, text, {})


def write_for(path: Path, text: str, owner: RunAs, *, mode: int = 0o600) -> None:
    """The same for another owner or with more rights. Safe in a folder that belongs to that owner."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # a new file, never through a link
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)
    give(Path(name), owner)
    Path(name).replace(path)


def write_json(path: Path, value: Any) -> None:
    """`write_private`, as JSON."""
    write_private(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one if there is no file."""
    if not path.exists():
        return {}
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value


def give(path: Path, owner: RunAs) -> None:
    """Make an unprivileged user the owner, where we run as root."""
    if owner:
        os.chown(path, owner["user"], owner["group"], follow_symlinks=False)


def own_folder(path: Path, owner: RunAs) -> Path:
    """A folder only `owner` may enter. Raises StepFailed if it is somebody else's, or a link."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    mine = found.st_uid in (os.geteuid(), owner.get("user"))
    if not stat.S_ISDIR(found.st_mode) or not mine or found.st_mode & 0o077:
        raise StepFailed("is not a private folder of ours", target=str(path), next_step="remove it")
    give(path, owner)
    return path


def sweep(folder: Path, pattern: str) -> None:
    """Remove half-made things of an earlier, interrupted run, and end what it started and that still makes them."""
    for leftover in folder.glob(pattern):
        say(f"  removing {leftover.name}, left half-made by an interrupted start")
        for _attempt in range(SWEEP_TRIES):  # one that is ended may just have started another
            if not (makers := _makers(leftover)):
                break
            for each in makers:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            psutil.wait_procs(makers, timeout=1)
        shutil.rmtree(leftover)


def _makers(folder: Path) -> list[psutil.Process]:
    """The processes that fill a data folder in there; a zombie does nothing more."""
    return [
        each
        for each in psutil.process_iter(["name", "cwd", "cmdline", "status"])
        if each.info["name"] in MAKERS
        and each.info["status"] != psutil.STATUS_ZOMBIE
        and any(str(folder) in said for said in (each.info["cwd"] or "", *(each.info["cmdline"] or ())))
    ]


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lab's one lock; wait for another holder and say so. The kernel frees it when we die."""
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            say(f"Another lab command is at work (process {file.read() or 'unknown'}); waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)
