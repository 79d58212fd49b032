"""What a host says of itself is what this machine's kernel says; what cannot be read is a gap with a reason."""

from __future__ import annotations

import os
import shutil

import psutil
import pytest

from day2.errors import StepFailed
from day2.hosts.shell import Done, Local
from day2.operations.health_check.host_look import MARK, look, parse

HERE = Local("here", {"PATH": os.defpath})
SAID = f"""cpu  100 0 100 700 50 0 0 50 0 0
cpu  160 0 120 780 60 0 0 80 0 0
{MARK}
1.50 0.70 0.50 2/300 4711
4
{MARK}
MemTotal:       8000 kB
MemAvailable:   2000 kB
SwapTotal:      1000 kB
SwapFree:        750 kB
{MARK}
Inter-|   Receive                                                |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
    lo:   10 0 0 0 0 0 0 0   10 0 0 0 0 0 0 0
  eth0: 1000 9 1 2 0 0 0 0 2000 9 3 4 0 0 0 0
{MARK}
Filesystem 1024-blocks Used Available Capacity Mounted on
/dev/vda 100 60 20 75% /
/dev/vda 100 60 20 75% /again
/dev/vdb 1000 10 990 1% /mnt/with a blank
{MARK}
Filesystem Inodes IUsed IFree IUse% Mounted on
/dev/vda 50 10 40 20% /
/dev/vdc 0 0 0 - /btrfs
"""


def values(said: str) -> dict[str, float]:
    return {f"{each.metric} {each.part}".strip(): each.value for each in parse(said)}


def test_each_value_is_what_the_kernel_says():
    assert values(SAID) == {
        "cpu_percent": 55.0, "cpu_iowait_percent": 5.0, "cpu_steal_percent": 15.0, "cpus": 4, "load_per_cpu": 0.375,
        "memory_bytes": 8_192_000, "memory_percent": 75.0, "swap_percent": 25.0, "network_received_bytes eth0": 1000,
        "network_sent_bytes eth0": 2000, "network_errors eth0": 10, "disk_total /": 102_400, "disk_used /": 61_440,
        "disk_percent /": 75.0, "disk_total /mnt/with a blank": 1_024_000, "disk_used /mnt/with a blank": 10_240,
        "disk_percent /mnt/with a blank": 1.0, "inodes_total /": 50, "inodes_used /": 10, "inodes_percent /": 20.0,
    }  # fmt: skip


def test_this_machine_says_what_python_sees():
    seen = {f"{each.metric} {each.part}".strip(): each.value for each in look(HERE)}
    assert seen["memory_bytes"] == psutil.virtual_memory().total
    assert seen["cpus"] == len(os.sched_getaffinity(0))
    assert 0 <= seen["cpu_percent"] <= 100
    root = next(each for each in psutil.disk_partitions() if each.mountpoint == "/")
    assert root.mountpoint == "/"
    assert abs(seen["disk_total /"] - shutil.disk_usage("/").total) < 0.02 * shutil.disk_usage("/").total


@pytest.mark.parametrize("broken", [SAID[:40], SAID.replace("MemTotal", "Total"), SAID.replace("8000", "many"), ""])
def test_what_cannot_be_read_is_told_and_no_zero_is_made_of_it(broken: str):
    class Odd:
        label = "odd"

        def run(self, *_command: str, **_more: object) -> Done:
            return Done(0, broken, "")

    with pytest.raises(StepFailed, match="cannot be read"):
        look(Odd())


def test_a_kernel_that_does_not_count_gives_no_percentage():
    still = SAID.replace("cpu  160 0 120 780 60 0 0 80 0 0", "cpu  100 0 100 700 50 0 0 50 0 0")
    assert not [each for each in values(still) if each.startswith("cpu_")]
