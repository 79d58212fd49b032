"""A whole host's part in a patch run, as its task calls it: out of traffic, patched, proven, back; or rolled back."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from day2.errors import StepFailed, Unavailable
from day2.hosts import job
from day2.hosts.install import job_name, prepare
from day2.hosts.model import PatchSet
from day2.hosts.scan import scan
from day2.hosts.script import Host
from day2.inventory.model import Host as Known
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import configured, patient
from day2.operations.security_patching.patient import Patient
from lab.hosts import faults
from lab.hosts.fleet import Fleet
from lab.hosts.machine import Machine
from lab.hosts.releases import AGENT_PORT
from lab.hosts.repository import Repository
from tests.integration.hosts.making import RUN, frozen, packages, upgrades, version

# Each line says which agent was installed at that moment: so the order of things is seen, not believed.
TRAFFIC = "/var/tmp/traffic"
NOTE = "echo {word} $(dpkg-query -W -f '${{Version}}' acme-agent) >>" + TRAFFIC
POLICY = {
    "security_only": False,
    "drain": {
        "drain": {"command": ["sh", "-c", NOTE.format(word="out")]},
        "undrain": {"command": ["sh", "-c", NOTE.format(word="back")]},
    },
    "health_checks": [{"kind": "http", "address": f"http://{{address}}:{AGENT_PORT}/"}],
    "health": {"grace": "PT4S", "interval": "PT0.1S", "in_a_row": 3},
    "reboot": {"timeout": "PT30S", "stay": "PT1S"},
}


@dataclass(frozen=True)
class Ward:
    """A host with its set, and how its task makes a patient of it."""

    fleet: Fleet
    name: str
    frozen: PatchSet

    @property
    def machine(self) -> Machine:
        return self.fleet[self.name]

    @property
    def traffic(self) -> list[str]:
        return self.machine.run("sh", "-c", f"cat {TRAFFIC} 2>/dev/null || true").splitlines()

    def admit(self, **changes: Any) -> Patient:
        """With a login of its own, as every task has."""
        policy = PatchPolicy.model_validate(POLICY | changes)
        known = Known(name=self.name, address=self.fleet.address(self.name), connection="ssh", region="lab")
        host = Host(self.name, self.fleet.shell(self.name))
        return Patient(
            host=host,
            policy=policy,
            frozen=self.frozen,
            run=RUN,
            hook=configured.hook(policy, host.shell),
            probes=tuple(configured.probes(policy, known, host.shell)),
        )

    def patch(self, **changes: Any) -> dict[str, Any]:
        measures: dict[str, Any] = {}
        patient.patch(self.admit(**changes), measures)
        return measures

    def roll_back(self) -> dict[str, Any]:
        measures: dict[str, Any] = {}
        patient.roll_back(self.admit(), measures)
        return measures


def ward(fleet: Fleet, host: Host, *patterns: str) -> Ward:
    return Ward(fleet, host.name, frozen(host, *patterns))


def test_a_good_release_goes_through_every_step_and_all_of_it_is_measured(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host)
    measures = one.patch()
    assert one.traffic == ["out 1.0-1", "back 1.1-1"]
    seconds, boot = measures.pop("seconds"), measures.pop("boot_id")
    assert list(seconds) == ["prepare", "health before", "drain", "install", "reboot", "effect", "health", "undrain"]
    assert boot == one.machine.run("cat", "/proc/sys/kernel/random/boot_id").strip()
    assert measures.pop("kernel")
    assert measures == {
        "installed_digest": one.frozen.digest, "packages": 4, "resumed": False, "changed": True, "repaired": False,
        "reboot_expected": True, "rebooted": True, "stale_services": 0, "effect": [], "healthy": True,
        "in_service": True,
    }  # fmt: skip


def test_a_service_on_old_code_is_restarted_where_no_reboot_is_due(host: Host, fleet: Fleet) -> None:
    measures = ward(fleet, host, "acme-lib").patch()
    assert measures["restarted"] == ["acme-agent.service"]
    assert (measures["reboot_expected"], measures["rebooted"]) == (False, False)


def test_a_host_that_has_everything_is_not_taken_out_of_traffic(host: Host, fleet: Fleet) -> None:
    one = Ward(fleet, host.name, frozen(host, "nothing-of-this-name"))
    measures = one.patch()
    assert one.traffic == []
    assert (measures["changed"], measures["healthy"], measures["in_service"]) == (False, True, True)
    assert (measures["reboot_expected"], measures["rebooted"], measures["stale_services"]) == (False, False, 0)


def test_a_host_that_is_ill_before_is_neither_drained_nor_touched(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-agent")
    one.machine.run("systemctl", "stop", "acme-agent")
    with pytest.raises(StepFailed, match="was ill before it was touched") as caught:
        one.patch()
    assert caught.value.left == "nothing was touched"
    assert (one.traffic, version(one.machine, "acme-agent")) == ([], "1.0-1")


def test_a_snapshot_that_fails_blocks_before_the_drain(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-agent")
    with pytest.raises(StepFailed, match="its snapshot failed: `sh` answered 3: no space on the array"):
        one.patch(snapshot={"command": ["sh", "-c", "echo no space on the array; exit 3"]})
    assert (one.traffic, version(one.machine, "acme-agent")) == ([], "1.0-1")
    measures = one.patch(snapshot={"command": ["echo", "snapshot of {host}"]})
    assert measures["snapshot"] == {"ok": True, "said": f"snapshot of {host.name}"}


def test_a_host_with_a_half_configured_package_is_not_touched(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-agent")
    faults.interrupt_dpkg(fleet, host.name)
    with pytest.raises(StepFailed, match="an earlier installation is half done") as caught:
        one.patch()
    assert caught.value.left == "nothing was touched"
    assert (one.traffic, version(one.machine, "acme-agent")) == ([], "1.0-1")


def test_a_broken_release_stays_drained_and_its_rollback_puts_the_earlier_one_in_service(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    before = packages(fleet[host.name])
    repository.publish("security", "acme-agent", "1.2-1")
    one = ward(fleet, host, "acme-agent", "acme-lib")
    with pytest.raises(StepFailed, match="answered 500, not 200"):
        one.patch()
    assert one.traffic == ["out 1.0-1"]
    measures = one.roll_back()
    assert one.traffic == ["out 1.0-1", "back 1.0-1"]
    assert packages(one.machine) == before
    assert list(measures.pop("seconds")) == ["rollback", "health"]
    assert measures == {"rolled_back": True, "healthy": True, "in_service": True}


def test_a_service_that_does_not_start_runs_again_after_the_rollback(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    repository.publish("security", "acme-agent", "1.4-1")
    one = ward(fleet, host, "acme-agent")
    with pytest.raises(StepFailed, match=r"acme-agent.service") as caught:
        one.patch()
    assert caught.value.runbook == "A service does not start after the patch"
    assert one.roll_back()["in_service"]
    assert one.machine.run("systemctl", "is-active", "acme-agent") == "active\n"
    assert one.traffic == ["out 1.0-1", "back 1.0-1"]


def test_a_host_that_is_still_ill_after_its_rollback_stays_drained(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-agent")
    one.patch()
    with faults.flapping(one.machine):
        measures: dict[str, Any] = {}
        with pytest.raises(StepFailed, match="flaps"):
            patient.roll_back(one.admit(), measures)
    assert (measures["rolled_back"], measures["in_service"]) == (True, False)
    assert one.traffic == ["out 1.0-1", "back 1.1-1"]


def test_a_host_on_which_nothing_was_installed_is_only_put_back(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-agent")
    measures = one.roll_back()
    assert (measures["rolled_back"], measures["in_service"]) == (False, True)
    assert one.traffic == ["back 1.0-1"]


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


# Replaces a library that sshd, and with it every login, runs: what an update of OpenSSL does.
REPLACE = "for each in /usr/lib/*/libcrypto.so.3; do cp -p $each $each.new && mv $each.new $each; done"


def test_an_update_under_sshd_leaves_no_login_of_ours_on_the_old_code(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host, "acme-tool")
    host.shell.close()
    replaced = {"command": ["sudo", "sh", "-c", REPLACE]}
    measures = one.patch(drain={"drain": replaced, "undrain": {"command": ["true"]}})
    assert measures["restarted"] == ["ssh.service"]
    assert (measures["stale_services"], measures["rebooted"], measures["in_service"]) == (0, False, True)


def test_old_code_that_no_restart_ends_is_ended_by_a_reboot(host: Host, fleet: Fleet) -> None:
    one = Ward(fleet, host.name, frozen(host, "nothing-of-this-name"))
    assert host.shell.run("true").code == 0  # somebody is logged in, and stays
    one.machine.run("sh", "-c", REPLACE)
    measures = one.patch()
    assert (measures["reboot_expected"], measures["rebooted"], measures["stale_services"]) == (True, True, 0)


def test_old_code_that_may_not_be_rebooted_away_fails_the_host(host: Host, fleet: Fleet) -> None:
    one = Ward(fleet, host.name, frozen(host, "nothing-of-this-name"))
    assert host.shell.run("true").code == 0
    one.machine.run("sh", "-c", REPLACE)
    with pytest.raises(StepFailed, match="a process without a unit .* runs old .*libcrypto"):
        one.patch(reboot={"when": "never"})
