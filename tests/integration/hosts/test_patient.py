"""A whole host's part in a patch run, as its task calls it: out of traffic, patched, proven, back; or rolled back."""

from __future__ import annotations

from typing import Any

import pytest

from day2.errors import StepFailed
from day2.hosts.script import Host
from day2.operations.security_patching import patient
from lab.hosts import faults
from lab.hosts.fleet import Fleet
from lab.hosts.repository import Repository
from tests.integration.hosts.making import frozen, packages, version
from tests.integration.hosts.wards import Ward, ward


def test_a_good_release_goes_through_every_step_and_all_of_it_is_measured(host: Host, fleet: Fleet) -> None:
    one = ward(fleet, host)
    measures = one.patch()
    assert one.traffic == ["out 1.0-1", "back 1.1-1"]
    seconds, boot = measures.pop("seconds"), measures.pop("boot_id")
    assert list(seconds) == [
        "prepare",
        "health before",
        "drain",
        "install",
        "reboot",
        "effect",
        "databases",
        "health",
        "undrain",
    ]
    assert boot == one.machine.run("cat", "/proc/sys/kernel/random/boot_id").strip()
    assert measures.pop("kernel")
    assert measures == measures | {
        "installed_digest": one.frozen.digest, "packages": 4, "resumed": False, "changed": True, "repaired": False,
        "reboot_expected": True, "rebooted": True, "stale_services": 0, "effect": [], "healthy": True,
        "in_service": True,
    }  # fmt: skip


def test_a_service_on_old_code_is_restarted_where_no_reboot_is_due(host: Host, fleet: Fleet) -> None:
    measures = ward(fleet, host, "acme-lib").patch()
    assert measures["restarted"] == ["acme-agent.service"]
    assert (measures["reboot_expected"], measures["rebooted"]) == (False, False)


def test_a_host_that_has_everything_is_not_taken_out_of_traffic_but_put_back_if_it_was(
    host: Host, fleet: Fleet
) -> None:
    one = Ward(fleet, host.name, frozen(host, "nothing-of-this-name"))
    measures = one.patch()
    assert one.traffic == ["back 1.0-1"]
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
    measures: dict[str, Any] = {}
    with pytest.raises(StepFailed, match="answered 500, not 200"):
        patient.patch(one.admit(), measures)
    assert one.traffic == ["out 1.0-1"]
    assert (measures["postgres_servers"], measures["postgres_extensions_failed"]) == (0, 0), "it has no database"
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
