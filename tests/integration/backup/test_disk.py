"""No space left: on the worker's scratch disk, and in the repository."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from day2.errors import StepFailed, Unavailable
from day2.operations.database_backup import preflight, prove, take
from day2.postgres import scratch as scratch_servers
from day2.repository import points
from day2.repository.folder import FolderStore
from tests.integration.backup.conftest import ENGINES, quick_folder

pytestmark = pytest.mark.integration


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], Path]]:
    """`small_disk(megabytes)`: a file system of that size that servers can reach."""
    mounted: list[Path] = []

    def mount(megabytes: int) -> Path:
        folder = quick_folder()
        options = f"size={megabytes}m,mode=0711"
        done = subprocess.run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder), capture_output=True, text=True)
        if done.returncode:
            folder.rmdir()
            pytest.skip(f"this user may not mount a small file system: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    yield mount
    for folder in mounted:
        subprocess.run(("umount", folder), check=True)
        folder.rmdir()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_scratch_disk_fails_the_restore_test_and_leaves_it_empty(
    bulky, s3_store, job_for, key, small_disk, engine
):
    point = take.back_up(job_for(bulky, s3_store, engine=engine, dbname="bulk"))["point"]
    small = small_disk(60 if engine == "logical" else 40)
    job = job_for(bulky, s3_store, engine=engine, dbname="bulk", scratch=small)
    assert any("scratch space" in problem for problem in preflight.inspect(job).problems), "and the plan had said so"
    measured: dict = {}
    with pytest.raises((StepFailed, Unavailable), match="No space left on device|server closed the connection"):
        prove.restore_test(job, point, identity=key, measures=measured)
    assert list(small.iterdir()) == []
    assert not measured["restore_ran"]
    assert [each.verified for each in points.points(s3_store, "orders")] == [None]
    assert scratch_servers.sweep(small) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_full_repository_fails_the_backup_and_keeps_the_older_point(bulky, job_for, small_disk, engine):
    store = FolderStore(small_disk(12))
    older = take.back_up(job_for(bulky, store, engine="logical", dbname="postgres"))["point"]
    with pytest.raises(StepFailed, match="No space left on device") as failed:
        take.back_up(job_for(bulky, store, engine=engine, dbname="bulk"))
    assert failed.value.runbook == "Repository out of reach"
    assert [each.id for each in points.points(store, "orders")] == [older]
    assert {item.key.split("/")[1] for item in store.items("")} == {older}
    assert list(store.unfinished("")) == []
    while points.taken_at(older) >= datetime.now(UTC).replace(microsecond=0):
        time.sleep(0.05)  # points of one second have no order
    again = take.back_up(job_for(bulky, store, engine="logical", dbname="postgres"))["point"]
    assert [each.id for each in points.points(store, "orders")] == [older, again], "what was freed can be used"
