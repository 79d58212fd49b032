"""One step of a backup in a process of its own, for a test to kill."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from day2.operations.database_backup import prove, take
from day2.operations.database_backup.job import Job
from day2.postgres.server import Server
from day2.repository.s3 import S3Store
from tests.integration.backup.conftest import make_job

DEADLINE = 60


@dataclass(frozen=True)
class Order:
    """What the process is to do. `point` means: prove that one; without it: take one."""

    server: Server
    client: dict[str, Any]
    bucket: str
    prefix: str
    engine: str
    key: str
    scratch: Path
    point: str | None = None

    def job(self) -> Job:
        import boto3
        from botocore.config import Config

        client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}), **self.client)
        store = S3Store(client, self.bucket, self.prefix)
        return make_job(self.server, store, engine=self.engine, key=self.key, scratch=self.scratch)


def work(order: Order, log: str) -> None:
    logging.basicConfig(level=logging.INFO, filename=log, format="%(message)s")
    if order.point is None:
        take.back_up(order.job())
    else:
        prove.restore_test(order.job(), order.point, identity=order.key, measures={})


@contextmanager
def working(order: Order, log: Path) -> Iterator[psutil.Process]:
    """The process at work; it is killed when the block ends. The order reaches it through a pipe."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=(order, str(log)))
    process.start()
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.join(10)


def wait_for(what: Callable[[], Any], why: str, *, worker: psutil.Process | None = None) -> Any:
    """The first true answer. Fails if it does not come, or if the worker ends first."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if found := what():
            return found
        assert worker is None or worker.is_running(), f"the worker ended before {why}"
        assert worker is None or worker.status() != psutil.STATUS_ZOMBIE, f"the worker ended before {why}"
        time.sleep(0.01)
    raise AssertionError(f"waited {DEADLINE} s for {why}")
