"""Airflow marks a task's process so that even its own user cannot look into it through /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

INCLUDE = Path(__file__).parents[3] / "include"
TASK = """
import ctypes
from day2.postgres.programs import run
from day2.postgres.server import Server
libc = ctypes.CDLL(None)
libc.prctl(24, 19, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_SYS_PTRACE: root may look everywhere, an ordinary user may not
libc.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE, as airflow.sdk.execution_time.supervisor does
with Server(host="db", port=5432, user="u", dbname="d", password="geheim").environment() as env:
    print(run(["sh", "-c", 'cat "$PGPASSFILE"'], env=env))
"""


def test_a_program_reads_its_password_also_when_its_task_is_shut() -> None:
    command = (sys.executable, "-c", TASK)
    env = {"PATH": os.defpath, "PYTHONPATH": str(INCLUDE)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd="/", check=False)
    assert done.stdout.strip() == "db:5432:*:u:geheim", done.stderr
