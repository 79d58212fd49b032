"""A real Prometheus and `promtool`: this machine's, or Debian's package unpacked beside the lab, once."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from day2.errors import StepFailed, Unavailable
from lab.files import lock
from lab.places import OUTSIDE
from lab.ports import LOOPBACK, free_port
from lab.processes import Processes, wait_until

PACKAGE = "prometheus"
FETCH_SECONDS = 90
START_SECONDS = 30


def program(name: str) -> Path:
    """`prometheus` or `promtool`. Raises Unavailable where there is none and no Debian archive gives one."""
    if found := shutil.which(name):
        return Path(found)
    folder = kept()
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise Unavailable(f"{folder} belongs to somebody else", next_step="remove it, or name another in DAY2_PROGRAMS")
    with lock(folder / "lock"):
        here = folder / PACKAGE / "usr/bin" / name
        if not here.exists() and (why := _fetched(folder)):
            raise Unavailable(f"no {PACKAGE} here, and it cannot be fetched: {why}")
    return here


def kept() -> Path:
    """Where unpacked programs are kept, outside of any checkout: `DAY2_PROGRAMS`, or a folder of ours in /var/tmp."""
    return Path(os.environ.get("DAY2_PROGRAMS") or OUTSIDE / f"day2-programs-{os.geteuid()}")


@dataclass(frozen=True)
class Server:
    """A Prometheus of one test: what it scrapes is in its configuration, a folder holds its data."""

    folder: Path
    port: int
    processes: Processes

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """End it at once."""
        self.processes.stop(PACKAGE, grace=0)


def start(folder: Path, configuration: str) -> Server:
    """Start one with a configuration. Data that lies in `folder`/data is what it knows. Raises Unavailable."""
    import requests

    config = folder / "prometheus.yml"
    config.write_text(configuration, encoding="utf-8")
    server = Server(folder, free_port(), Processes(folder / "run", folder / "logs"))
    command = (
        str(program("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address={LOOPBACK}:{server.port}",
    )
    server.processes.start(PACKAGE, command)

    def ready() -> bool:
        server.processes.require(PACKAGE)
        try:
            return requests.get(f"{server.url}/-/ready", timeout=2).ok
        except requests.ConnectionError:
            return False

    wait_until(ready, "Prometheus", seconds=START_SECONDS)
    return server


def write_history(folder: Path, openmetrics: str) -> None:
    """Make blocks of samples for a server to start with, out of a page of OpenMetrics whose values have times."""
    page = folder / "history.txt"
    page.write_text(openmetrics, encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    promtool("tsdb", "create-blocks-from", "openmetrics", str(page), str(folder / "data"))


def promtool(*arguments: str, text: str | None = None) -> str:
    """What `promtool` says, of a page given to it too. Raises StepFailed with its complaint, Unavailable."""
    command = (str(program("promtool")), *arguments)
    done = subprocess.run(command, capture_output=True, text=True, input=text, timeout=FETCH_SECONDS)
    if done.returncode:
        raise StepFailed(f"{done.stdout}{done.stderr}".strip(), target=f"promtool {' '.join(arguments[:2])}")
    return done.stdout + done.stderr


@cache
def _fetched(folder: Path) -> str:
    """Unpack it in a folder that gets its name when it is whole; nothing is installed. Says why that did not work.

    Asked once: a machine without an archive must not wait for it in every test.
    """
    partial = folder / "part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    for command in (("apt-get", "download", PACKAGE), ("sh", "-c", "dpkg -x ./*.deb root")):
        try:
            done = subprocess.run(command, capture_output=True, text=True, cwd=partial, timeout=FETCH_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode:
            return done.stderr.strip()[-200:]
    shutil.rmtree(folder / PACKAGE, ignore_errors=True)
    (partial / "root").rename(folder / PACKAGE)
    shutil.rmtree(partial)
    return ""
