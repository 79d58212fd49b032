"""What a host says of its CPUs, memory and disk: this machine's, as Python sees them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from day2.errors import StepFailed
from day2.hosts.shell import Local
from day2.operations.performance_tuning import machine


def test_a_host_tells_its_cpus_memory_and_disk(tmp_path: Path) -> None:
    seen, disk = machine.look(Local("here", {"PATH": os.defpath, "PGDATA": str(tmp_path)}))
    usage = shutil.disk_usage(tmp_path)
    assert seen.cpus == len(os.sched_getaffinity(0))
    assert seen.ram_bytes == psutil.virtual_memory().total
    assert (seen.disk_bytes, disk.total_bytes) == (usage.total, usage.total)
    assert abs(disk.used_bytes - usage.used) < 1_000_000_000


def test_a_disk_is_asked_each_time(tmp_path: Path) -> None:
    host = machine.host(Local("here", {"PATH": os.defpath}), str(tmp_path))
    assert host.disk is not None
    tmp_path.rmdir()
    with pytest.raises(StepFailed, match="df"):
        host.disk()


def test_a_host_without_a_data_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="df"):
        machine.look(Local("here", {"PATH": os.defpath}), str(tmp_path / "nowhere"))
