"""Part 5: what parsing the DAG files costs with a large inventory, and what they import.

A DAG processor forks for every parse of a file, and a task process parses its file too: so each parse is
measured in a fork of a process that has Airflow imported and nothing of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import machine
from bench.fleets import write_environment
from bench.tables import Grid
from lab.places import CHECKOUT
from lab.say import timed

ENVIRONMENTS, TARGETS, GOAL = 50, 20, 1.0


def parses(environments: int = ENVIRONMENTS, targets: int = TARGETS) -> list[dict[str, Any]]:
    """One row a DAG file: the first parse, and the median of the later ones."""
    load = machine.load()
    with tempfile.TemporaryDirectory(prefix="day2-bench-") as folder, timed("DAG files"):
        home = Path(folder)
        for number in range(environments):
            write_environment(home, f"env-{number:03}", targets)
        env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
        env |= {
            "DAY2_HOME": folder,
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": f"{CHECKOUT / 'include'}{os.pathsep}{CHECKOUT}",
        }
        command = (sys.executable, "-m", "bench.parsed", *map(str, sorted((CHECKOUT / "dags").glob("*.py"))))
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"parsing failed: {done.stderr[-3000:]}")
        rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return [each | {"load": [load, machine.load()]} for each in rows]


def grid(rows: list[dict[str, Any]]) -> Grid:
    """CPU-seconds of each kind of parse; wall clock of the later ones beside it."""
    title = f"Parsing with {ENVIRONMENTS} environments × {TARGETS} databases, CPU-seconds"
    heads = ("file", "DAGs", "first", "later", "(wall)", "warm", "for a task", "serializing", "heavy imports", "goal")
    return Grid(title, heads, tuple(_line(each) for each in rows))


def _line(each: dict[str, Any]) -> tuple[str, ...]:
    if "error" in each:
        return (each["file"], f"cannot be parsed: {each['error']}", *[""] * 8)
    first, later, warm, task, serializing = (
        each[key]["cpu"] for key in ("first", "later", "warm", "task", "serializing")
    )
    return (
        each["file"],
        str(each["dags"]),
        f"{first:.2f}",
        f"{later:.2f}",
        f"{each['later']['wall']:.2f}",
        f"{warm:.2f}",
        f"{task:.2f}",
        f"{serializing:.2f}",
        ", ".join(each["heavy"]) or "none",
        f"≤ {GOAL:g} s {'met' if later <= GOAL and not each['heavy'] else 'missed'}",
    )
