"""What a run leaves for whoever asks later: its checks in the ledger, its pages and tables in storage."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from day2.airflow import connections, run, telling
from day2.inventory.model import Environment, Repository

if TYPE_CHECKING:
    from day2.ledger import Ledger
    from day2.validation import SuiteResult

log = logging.getLogger("day2")


def repository(here: Environment) -> Repository:
    """Evidence goes where the recovery region can read it: a copy's repository if there is one."""
    backups = here.policies.database_backup
    return here.repository(backups.copies[0] if backups.copies else backups.repository)


def judge(ledger: Ledger, results: Iterable[SuiteResult]) -> None:
    """Show what each suite found, and write it down."""
    now = run.current()
    for result in results:
        telling.judge(result.report())
        ledger.append("checks", run=now.key, body=result.as_dict() | {"attempt": now.attempt})


def publish(ledger: Ledger, here: Environment, folder: str, files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Keep the files of a report below `folder`, locked where the repository locks; returns each one's artefact."""
    from day2.repository import kept

    now, where = run.current(), repository(here)
    store, prefix = connections.store(where), f"{folder}/{kept.named(now.key)}"
    made = {
        name: kept.keep(store, f"{prefix}/{now.attempt}-{name}", data, lock=where.object_lock)
        for name, data in files.items()
    }
    body = {"attempt": now.attempt, "step": "report", "artefacts": list(made.values())}
    ledger.append("evidence", run=now.key, body=body)
    for name, each in made.items():
        log.info("%s: %s (sha256 %s)", name, each["uri"], each["sha256"])
    return made
