"""`day2` as an operator runs it: a process of its own, with nothing in its environment but what it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Where programs are, and nothing else: no inventory, no Airflow, no PG*, no AWS_*.
CLEAN = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "include"), "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


def day2(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "day2.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=CLEAN | kept_variables() | variables, timeout=240
    )


def kept_variables() -> Mapping[str, str]:
    """How this machine finds PostgreSQL's programs and its unprivileged user."""
    return {name: os.environ[name] for name in ("DAY2_PG_BIN", "DAY2_OS_USER") if name in os.environ}


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """Its output. Fails the test with everything it said if it failed."""
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line a failure says. Progress lines come before it; a traceback never does."""
    assert done.returncode == 1, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr + done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("day2: "), done.stderr
    return last
