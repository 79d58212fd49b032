"""A frozen set on real hosts: installed exactly, once, in effect, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from day2.errors import Corrupt, StepFailed, Unavailable
from day2.hosts import effect, reboot, saved, services
from day2.hosts.advisories import Answered, answered
from day2.hosts.install import DEFAULT, act, prepare
from day2.hosts.rollback import rollback
from day2.hosts.scan import scan
from day2.hosts.script import Host
from lab.hosts.fleet import Fleet
from lab.hosts.repository import Repository
from tests.integration.hosts.making import RUN, agent_is_well, frozen, packages, prepared, upgrades, version

SHORT = replace(DEFAULT, lock=timedelta(seconds=1))
Hosts = Callable[[], Host]


def test_a_patch_is_installed_once_and_in_effect_after_a_restart(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    machine.run("apt-mark", "auto", "acme-lib")
    ready = prepared(host, "acme-lib")
    assert act(host, ready, run_id=RUN).outcome == "changed"
    assert act(host, ready, run_id="another").outcome == "unchanged"
    assert upgrades(machine, "acme-lib") == 1
    assert "acme-lib\n" in machine.run("apt-mark", "showauto")

    installed_only = effect.check(host, ready, scan(host, lists="cached"))
    assert [each.unit for each in installed_only.stale] == ["acme-agent.service"]
    with pytest.raises(StepFailed, match=r"acme-agent.service .* runs old /usr/lib/acme/libacme.so.2"):
        effect.require(host, installed_only)
    agent_is_well(fleet, host.name, expect="acme-lib 2.0-1")

    assert services.restart(host).units == ("acme-agent.service",)
    effect.require(host, effect.check(host, ready, scan(host, lists="cached")))
    agent_is_well(fleet, host.name, expect="acme-lib 2.1-1")


def test_the_saved_packages_tell_which_advisories_they_answer(host: Host) -> None:
    told = answered(host, prepared(host, "acme-lib", "acme-tool"))
    assert told["acme-lib"] == Answered(("CVE-2026-2100",), "high")
    assert told["acme-tool"] == Answered((), "medium")


def test_only_a_reboot_that_changes_the_boot_id_puts_a_core_package_in_effect(host: Host, fleet: Fleet) -> None:
    ready = prepared(host, "acme-core")
    act(host, ready, run_id=RUN)
    seen = scan(host, lists="cached")
    assert (seen.reboot_required, seen.reboot_packages) == (True, ("acme-core",))
    assert reboot.wanted("if_required", seen)
    with pytest.raises(StepFailed, match="a reboot is pending for acme-core"):
        effect.require(host, effect.check(host, ready, seen))
    quick = reboot.Patience(back=timedelta(seconds=30), stay=timedelta(seconds=2))
    done = reboot.reboot(host, seen.boot_id, patience=quick)
    assert done.after != seen.boot_id
    effect.require(host, effect.check(host, ready, scan(host, lists="cached")))
    # A task that runs again has the boot id from before: it must not reboot a second time.
    assert reboot.reboot(host, seen.boot_id, patience=quick).after == done.after


def test_a_host_that_stays_off_after_its_reboot_is_told(host: Host, fleet: Fleet) -> None:
    fleet[host.name].stays_off.touch()
    quick = reboot.Patience(back=timedelta(seconds=5), stay=timedelta(seconds=1))
    with pytest.raises(Unavailable, match="not back within 5 s") as caught:
        reboot.reboot(host, reboot.boot_id(host), patience=quick)
    assert caught.value.left == "patched, drained, and not in service"


def test_a_broken_release_is_rolled_back_to_an_identical_package_list(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    machine = fleet[host.name]
    before = packages(machine)
    repository.publish("security", "acme-agent", "1.2-1")
    ready = prepared(host)
    act(host, ready, run_id=RUN)
    services.restart(host)
    with pytest.raises(StepFailed, match="answered 500"):
        agent_is_well(fleet, host.name)
    done = rollback(host, ready, run_id=RUN)
    assert done.packages == ("acme-agent", "acme-core", "acme-lib", "acme-tool")
    assert packages(machine) == before
    services.restart(host)
    agent_is_well(fleet, host.name, expect="acme-agent 1.0-1 acme-lib 2.0-1")
    assert rollback(host, ready, run_id=RUN).outcome == "changed"
    assert upgrades(machine, "acme-agent") == 2  # up and down, and no more by the second rollback


def test_a_service_that_does_not_start_is_told_and_rolled_back(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    repository.publish("security", "acme-agent", "1.4-1")
    ready = prepared(host, "acme-agent")
    act(host, ready, run_id=RUN)
    with pytest.raises(StepFailed, match=r"acme-agent.service does not start") as caught:
        services.restart(host, also=("acme-agent.service",))
    assert "acme-agent.service is failed" in caught.value.left
    rollback(host, ready, run_id=RUN)
    services.restart(host, also=("acme-agent.service",))
    agent_is_well(fleet, host.name, expect="1.0-1")


def test_a_flapping_service_is_not_well(host: Host, fleet: Fleet) -> None:
    fleet[host.name].run("touch", "/run/acme-agent.flaps")
    with pytest.raises(StepFailed, match="flaps: well . of . times"):
        agent_is_well(fleet, host.name)


def test_the_frozen_version_is_installed_although_a_newer_one_replaced_it(
    host: Host, more_hosts: Hosts, fleet: Fleet, repository: Repository, tmp_path: Path
) -> None:
    canary, later = host, more_hosts()
    ready = prepared(canary, "acme-tool")
    act(canary, ready, run_id=RUN)
    repository.publish("updates", "acme-tool", "3.2-1")
    assert scan(later).upgradable()[-1].candidate == "3.2-1"
    with pytest.raises(StepFailed, match=r"nowhere to be had: acme-tool 3.1-1"):
        prepare(later, ready.frozen, run_id=RUN)
    for file in ready.files:
        if file.side == "after":
            saved.send(later, file, saved.fetch(canary, file, tmp_path))
    act(later, prepare(later, ready.frozen, run_id=RUN, carried=ready.files), run_id=RUN)
    assert version(fleet[later.name], "acme-tool") == "3.1-1"


def test_a_file_that_is_not_the_canarys_is_refused(host: Host, more_hosts: Hosts) -> None:
    ready = prepared(host, "acme-tool")
    forged = [replace(each, sha256="0" * 64) for each in ready.files]
    with pytest.raises(Corrupt, match="not the file that the canary was patched with"):
        prepare(more_hosts(), ready.frozen, run_id=RUN, carried=forged)


def test_a_version_that_left_the_repository_is_made_again_for_the_way_back(
    host: Host, fleet: Fleet, repository: Repository
) -> None:
    machine = fleet[host.name]
    listing = "find /usr/lib/acme-agent /etc/acme-agent.conf /usr/share/doc/acme-agent -type f | xargs ls -l; " + (
        "cat /usr/lib/acme-agent/agent /etc/acme-agent.conf"
    )
    before, files = packages(machine), machine.run("sh", "-c", listing)
    repository.withdraw("base", "acme-agent")
    ready = prepared(host, "acme-agent")
    assert [each.repacked for each in ready.files if each.side == "before"] == [True]
    act(host, ready, run_id=RUN)
    assert version(machine, "acme-agent") == "1.1-1"
    rollback(host, ready, run_id=RUN)
    assert packages(machine) == before
    assert machine.run("sh", "-c", listing) == files


def test_a_package_whose_script_fails_is_told_and_rolled_back(host: Host, fleet: Fleet, repository: Repository) -> None:
    machine = fleet[host.name]
    before = packages(machine)
    repository.publish("security", "acme-badpost", "1.1-1")
    ready = prepared(host, "acme-badpost", "acme-tool")
    with pytest.raises(StepFailed, match="a package does not install: acme-badpost") as caught:
        act(host, ready, run_id=RUN)
    assert caught.value.left == "not at the version of the set: acme-badpost is half-configured 1.1-1"
    rollback(host, ready, run_id=RUN)
    assert packages(machine) == before
    assert scan(host, lists="cached").audit == ""


def test_a_package_that_depends_on_nothing_there_is_named(host: Host, repository: Repository) -> None:
    repository.publish("security", "acme-broken", "1.1-1")
    with pytest.raises(StepFailed, match="cannot be installed: acme-broken=1.1-1:") as caught:
        frozen(host)
    assert caught.value.runbook == "A broken dependency"


def test_a_question_about_a_configuration_file_blocks_nothing(host: Host, fleet: Fleet, repository: Repository) -> None:
    machine = fleet[host.name]
    machine.run("sh", "-c", "echo 'retries = 9' >/etc/acme-settings.conf")
    repository.publish("updates", "acme-settings", "1.1-1")
    assert act(host, prepared(host, "acme-settings"), run_id=RUN).outcome == "changed"
    assert machine.run("cat", "/etc/acme-settings.conf") == "retries = 9\n"


def test_a_package_held_on_a_later_host_is_left_alone_there(
    host: Host, more_hosts: Hosts, fleet: Fleet, repository: Repository
) -> None:
    repository.publish("security", "acme-held", "1.1-1")
    later = more_hosts()
    fleet[later.name].run("apt-mark", "hold", "acme-held")
    ready = prepare(later, frozen(host, "acme-held", "acme-tool"), run_id=RUN)
    assert [each.name for each in ready.part.changes] == ["acme-tool"]
    act(later, ready, run_id=RUN)
    assert version(fleet[later.name], "acme-held") == "1.0-1"


def test_a_newer_version_is_not_downgraded_by_a_patch(
    host: Host, more_hosts: Hosts, fleet: Fleet, repository: Repository
) -> None:
    older = frozen(host, "acme-tool")
    later = more_hosts()
    repository.publish("updates", "acme-tool", "3.2-1")
    act(later, prepared(later, "acme-tool"), run_id="earlier")
    assert prepare(later, older, run_id=RUN).part.changes == ()
    assert version(fleet[later.name], "acme-tool") == "3.2-1"
