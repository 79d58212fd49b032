"""Run every test, in a few streams at once: they mostly wait, for servers, for hosts and for Airflow.

`python -m tests.streams`; arguments go to every pytest. Ctrl-C reaches all of them, and each clears up.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

APART = {
    "airflow": ("tests/airflow", "tests/ui"),
    "drills and tuning": (
        *("tests/integration/drill", "tests/integration/tuning"),
        *("tests/integration/tuning_apply", "tests/integration/tuning_lab"),
    ),
}
# pytest's code for a run in which no test was selected.
NOTHING = 5


def main(options: list[str]) -> int:
    """Returns 0 if every stream passed. The first one's words are shown as they come, the others' afterwards."""
    rest = ["tests/integration", "tests/unit"]
    ignored = [f"--ignore={each}" for folders in APART.values() for each in folders]
    with tempfile.TemporaryDirectory(prefix="day2-tests-") as folder:
        logs = {name: (Path(folder) / name).open("w+") for name in APART}
        started = [_start([*folders, *options], logs[name]) for name, folders in APART.items()]
        shown = _start([*rest, *ignored, *options], None)
        codes = [_ended(each) for each in (shown, *started)]
        for log in logs.values():
            log.seek(0)
            sys.stdout.writelines(log)
            log.close()
    return int(any(code not in (0, NOTHING) for code in codes))


def _start(arguments: list[str], log: IO[str] | None) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "pytest", *arguments], stdout=log, stderr=log, text=True)


def _ended(process: subprocess.Popen[str]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it got the signal as well, and is clearing up
            continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
