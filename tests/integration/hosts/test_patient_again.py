"""A host whose task ends in the middle: the next one finds what was done, and does nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from day2.errors import StepFailed, Unavailable
from day2.hosts import job
from day2.hosts.install import job_name, prepare
from day2.hosts.scan import scan
from day2.hosts.script import Host
from day2.operations.security_patching import configured, patient
from lab.hosts import faults
from lab.hosts.fleet import Fleet
from lab.hosts.machine import Machine
from lab.hosts.repository import Repository
from tests.integration.hosts.making import RUN, frozen, packages, upgrades, version
from tests.integration.hosts.wards import Ward, ward


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent host is given up after seconds instead of minutes."""
    real = configured.limits
    monkeypatch.setattr(configured, "limits", lambda policy: replace(real(policy), patience=timedelta(seconds=1)))
    monkeypatch.setattr(job, "SECONDS", 1.0)
    monkeypatch.setattr(job, "FOLLOW_SECONDS", 1)


def slow(host: Host, fleet: Fleet, repository: Repository, seconds: int, *patterns: str) -> Ward:
    """A host whose package takes so long to configure."""
    repository.publish("security", "acme-slow", "1.1-1")
    fleet[host.name].run("sh", "-c", f"echo {seconds} >{faults.SLOW_SECONDS}")
    return ward(fleet, host, *(patterns or ("acme-slow",)))


def configures(machine: Machine) -> bool:
    """Whether dpkg runs the script of acme-slow."""
    return faults.runs(machine, "-f", "acme-slow.postinst")


@pytest.mark.usefixtures("impatient")
def test_a_host_out_of_sight_in_the_middle_is_told_and_taken_up_again(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    one = slow(host, fleet, repository, 3)
    with faults.unreachable_once(fleet, host.name, when=configures) as cut:
        with pytest.raises(Unavailable, match="out of sight") as caught:
            one.patch()
        assert cut.is_set()
    assert "it goes on there by itself" in caught.value.left
    measures = one.patch()
    assert (measures["resumed"], measures["in_service"]) == (True, True)
    assert upgrades(one.machine, "acme-slow") == 1


@contextmanager
def killed(one: Ward, step: str = "patch") -> Iterator[None]:
    """A worker is at a step on the host; it is killed when the block ends."""
    worker = multiprocessing.get_context("fork").Process(target=getattr(one, step))
    worker.start()
    try:
        yield
    finally:
        assert worker.is_alive()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()


def until(seen: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def test_a_killed_worker_is_succeeded_by_one_that_patches_nothing_twice(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    one = slow(host, fleet, repository, 3)
    with killed(one):
        until(lambda: configures(one.machine))
    measures = one.patch()
    assert (measures["resumed"], measures["changed"], measures["in_service"]) == (True, True, True)
    assert "health before" not in measures["seconds"]
    assert upgrades(one.machine, "acme-slow") == 1


def test_a_rollback_after_a_killed_worker_first_lets_the_installation_end(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    before = packages(fleet[host.name])
    one = slow(host, fleet, repository, 3)
    with killed(one):
        until(lambda: configures(one.machine))
    assert job.look(host, f"{job_name(RUN)}-install").state == "running"
    measures = one.roll_back()
    assert (measures["rolled_back"], measures["healthy"], measures["in_service"]) == (True, True, True)
    assert packages(one.machine) == before
    assert one.traffic == ["out 1.0-1", "back 1.0-1"]


def test_a_worker_killed_in_the_reboot_is_succeeded_by_one_that_does_not_reboot_again(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-core")
    first = one.machine.run("cat", "/proc/sys/kernel/random/boot_id").strip()
    with killed(one):
        until(lambda: faults.is_off(one.machine))
    fleet.wait(host.name)
    second = one.machine.run("cat", "/proc/sys/kernel/random/boot_id").strip()
    measures = one.patch()
    assert first != second == measures["boot_id"]
    assert (measures["resumed"], measures["reboot_expected"], measures["rebooted"]) == (True, True, True)
    assert one.traffic[-1].startswith("back")


def test_a_worker_killed_in_a_reboot_without_packages_leaves_no_host_drained(host: Host, fleet: Fleet) -> None:
    one = Ward(fleet, host.name, frozen(host, "nothing-of-this-name"))
    one.machine.run("touch", "/run/reboot-required")
    with killed(one):
        until(lambda: faults.is_off(one.machine))
    fleet.wait(host.name)
    measures = one.patch()
    assert (measures["rebooted"], measures["in_service"]) == (True, True)
    assert [each.split()[0] for each in one.traffic][-1] == "back"


def test_a_reboot_is_not_left_out_because_someone_rebooted_the_host_between_two_tries(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-core")
    with pytest.raises(StepFailed, match="its snapshot failed"):
        one.patch(snapshot={"command": ["false"]})
    one.machine.run("reboot")
    one.machine.wait_until_off()
    fleet.wait(host.name)
    until(lambda: one.machine.run("systemctl", "is-active", "acme-agent") == "active\n")
    assert one.patch()["rebooted"]


def test_a_host_that_was_rolled_back_and_is_tried_again_is_rebooted_again(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-core")
    first = one.patch()["boot_id"]
    assert one.roll_back()["rolled_back"]
    again = one.patch()
    assert (again["rebooted"], again["boot_id"] == first, again["resumed"]) == (True, False, False)
    assert version(one.machine, "acme-core") == "5.1-1"


def crashed(one: Ward) -> None:
    """The host goes down while dpkg is at work on it, and its worker with it."""
    with killed(one):
        until(lambda: configures(one.machine))
    one.machine.run("sh", "-c", f"rm {faults.SLOW_SECONDS}; sync")
    one.machine.run("reboot")
    one.machine.wait_until_off()
    one.fleet.wait(one.name)
    until(lambda: one.machine.run("systemctl", "is-active", "acme-agent") == "active\n")


def test_a_host_that_crashed_in_the_middle_is_repaired_and_its_old_code_ended(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    one = slow(host, fleet, repository, 60, "acme-slow", "acme-lib")
    crashed(one)
    measures = one.patch()
    assert (measures["repaired"], measures["rebooted"], measures["stale_services"]) == (True, True, 0)
    assert (version(one.machine, "acme-slow"), one.machine.run("dpkg", "--audit")) == ("1.1-1", "")


def test_a_host_that_crashed_in_the_middle_can_be_rolled_back(host: Host, fleet: Fleet, repository: Repository) -> None:
    before = packages(fleet[host.name])
    one = slow(host, fleet, repository, 60)
    crashed(one)
    assert one.roll_back()["rolled_back"]
    assert packages(one.machine) == before
    assert one.traffic == ["out 1.0-1", "back 1.0-1"]


def test_a_rollback_whose_worker_was_killed_is_taken_up(host: Host, fleet: Fleet, repository: Repository) -> None:
    before = packages(fleet[host.name])
    one = slow(host, fleet, repository, 0)
    one.patch()
    one.machine.run("sh", "-c", f"echo 3 >{faults.SLOW_SECONDS}")
    with killed(one, "roll_back"):
        until(lambda: configures(one.machine))
    assert one.roll_back()["rolled_back"]
    assert packages(one.machine) == before
    assert upgrades(one.machine, "acme-slow") == 2  # up, and down once


def test_a_frozen_version_that_the_repository_dropped_comes_from_the_canary(
    host: Host, fleet: Fleet, repository: Repository, more_hosts: Callable[[], Host]
) -> None:
    canary, later = ward(fleet, host, "acme-tool"), more_hosts()
    files = prepare(host, canary.frozen, run_id=RUN).files
    canary.patch()
    repository.publish("updates", "acme-tool", "3.2-1")
    scan(later)  # whose lists now offer the newer one
    one = Ward(fleet, later.name, canary.frozen)
    carried = tuple((host, each) for each in files if each.side == "after")
    patient.patch(replace(one.admit(), carried=carried), {})
    assert version(one.machine, "acme-tool") == "3.1-1"
