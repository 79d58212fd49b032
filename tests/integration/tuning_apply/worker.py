"""A worker of its own process: tries one change, notes each step durably, and is killed at the note it is told."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from day2.operations.performance_tuning.attempt import attempt
from day2.postgres.server import Server
from tests.integration.tuning_apply.conftest import HOST, recommended
from tests.integration.tuning_apply.test_interrupted import CREATE, DROP, QUICK


def main(notes: Path, dies_at: str) -> None:
    (host, port, user, dbname, password), measured_by = json.load(sys.stdin)

    def note(phase: str, facts: Any) -> None:
        with notes.open("a") as file:
            file.write(json.dumps([phase, facts]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if phase == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    item = recommended(CREATE, DROP, takes_space=2_000_000, measured_by=tuple(measured_by))
    attempt(Server(host, port, user, dbname, password), item, QUICK, host=HOST, note=note)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
