"""Jobs for tests that need no server."""

from __future__ import annotations

from typing import Any

from day2.inventory.model import BackupPolicy, Database, Repository
from day2.operations.database_backup.job import Job, Place
from day2.postgres.server import Server
from day2.repository.store import Store

LOCK = {"days": 30}


def repository(name: str, **more: Any) -> Repository:
    return Repository(**{"name": name, "url": f"s3://{name}/x", "region": "eu-west-1", **more})


def job(store: Store, *copies: Place, repository_is: Repository | None = None, **policy: Any) -> Job:
    """A job on `orders`; `policy` replaces fields of its policy."""
    database = policy.pop("database", Database(name="orders", connection="pg_orders", region="eu-west-1"))
    return Job(
        environment="production",
        database=database,
        policy=BackupPolicy(**{"encryption": "none", **policy}),
        server=Server("127.0.0.1", 5432, "day2", "orders", "secret"),
        primary=Place(repository_is or repository("primary"), store),
        copies=copies,
        recipients=(),
        run="database_backup.production/manual__1",
        plan_digest="d" * 64,
        policy_hash="p" * 64,
    )
