"""What the figures were measured on, and how busy it was."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psutil


def describe(programs: Sequence[str] = ()) -> dict[str, str]:
    """The machine, and the version of each program, as words."""
    memory = psutil.virtual_memory().total / 2**30
    found = {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{_system()}, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}",
    }
    return found | {Path(each).name: version(each) for each in programs}


def load() -> float:
    """The load average of the last minute: how many processes wanted a core."""
    return round(os.getloadavg()[0], 1)


def version(program: str) -> str:
    """The number in what `<program> --version` prints; `not installed` if it is not."""
    if not shutil.which(program):
        return "not installed"
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return match[0] if match else "unknown version"


def codename() -> str:
    """The distribution's release by its own name, such as bookworm; empty where it has none."""
    return _told("VERSION_CODENAME")


def _processor() -> str:
    match = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _system() -> str:
    return _told("PRETTY_NAME") or platform.system()


def _told(field: str) -> str:
    match = re.search(rf'^{field}="?([^"\n]+)"?$', Path("/etc/os-release").read_text(), re.MULTILINE)
    return match[1] if match else ""
