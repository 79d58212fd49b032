"""The lab's hosts are what they claim to be: own addresses, real SSH, real packages, real reboots."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from day2.errors import PlanRefused
from day2.hosts.shell import Shell, require
from lab.hosts import fleet as lab_hosts
from lab.hosts.fleet import Fleet
from lab.hosts.releases import AGENT_PORT

OLD = {"acme-agent": "1.0-1", "acme-lib": "2.0-1", "acme-core": "5.0-1", "acme-tool": "3.0-1"}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    if reason := lab_hosts.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    with lab_hosts.hosts(12) as made:
        yield made


@pytest.fixture(scope="module")
def unused(fleet: Fleet) -> Iterator[str]:
    return iter(fleet.names)


@pytest.fixture
def name(unused: Iterator[str]) -> str:
    """A host that no test has touched."""
    return next(unused)


@pytest.fixture
def shell(fleet: Fleet, name: str) -> Iterator[Shell]:
    made = fleet.shell(name)
    yield made
    made.close()


def sudo(shell: Shell, line: str) -> str:
    return require(shell, "sudo", "sh", "-c", line, seconds=60)


def versions(shell: Shell) -> dict[str, str]:
    listed = require(shell, "dpkg-query", "-W", "-f", "${Package} ${Version}\n")
    return dict(line.split() for line in listed.splitlines())


def agent(fleet: Fleet, name: str) -> tuple[int, str]:
    """What the service answers to this machine, by status and body; a moment after a restart it refuses."""
    deadline = time.monotonic() + 5
    while True:
        try:
            with urllib.request.urlopen(f"http://{fleet.address(name)}:{AGENT_PORT}/", timeout=5) as answer:
                return answer.status, answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().strip()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_every_host_has_its_own_name_address_and_boot(fleet: Fleet) -> None:
    script = "hostname; ip -4 -o addr show eth0 | awk '{print $4}'; cat /proc/sys/kernel/random/boot_id"
    seen = [require(fleet.shell(each), "sh", "-c", script).split() for each in fleet.names[:3]]
    assert [name for name, _, _ in seen] == list(fleet.names[:3])
    assert [address for _, address, _ in seen] == [f"{fleet.address(each)}/24" for each in fleet.names[:3]]
    assert len({boot for _, _, boot in seen}) == 3


def test_a_new_host_runs_the_old_releases_and_its_service_answers(fleet: Fleet, name: str, shell: Shell) -> None:
    assert versions(shell).items() >= OLD.items()
    assert agent(fleet, name) == (200, "acme-agent 1.0-1 acme-lib 2.0-1")


def test_a_host_sees_only_its_own_processes_and_cannot_change_the_kernel(shell: Shell) -> None:
    assert int(require(shell, "sh", "-c", "ls -d /proc/[0-9]* | wc -l")) < 30
    refused = shell.run("sudo", "sysctl", "-w", "vm.swappiness=1")
    assert refused.code != 0
    assert "permission denied" in refused.stderr


def test_an_upgrade_brings_the_security_releases_and_a_downgrade_the_old_ones(
    fleet: Fleet, name: str, shell: Shell
) -> None:
    before = versions(shell)
    sudo(shell, "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get upgrade -qq -y")
    assert versions(shell)["acme-agent"] == "1.1-1"
    assert agent(fleet, name) == (200, "acme-agent 1.1-1 acme-lib 2.1-1")
    back = " ".join(f"{package}={version}" for package, version in OLD.items())
    missing = shell.run("sudo", "apt-get", "install", "-qq", "-y", "--allow-downgrades", *back.split())
    assert missing.code == 0, missing.words  # the base suite still has them
    assert versions(shell) == before
    assert agent(fleet, name) == (200, "acme-agent 1.0-1 acme-lib 2.0-1")


def test_an_updated_library_leaves_the_service_on_the_old_code_until_it_restarts(
    fleet: Fleet, name: str, shell: Shell
) -> None:
    sudo(shell, "apt-get update -qq && apt-get install -qq -y acme-lib")
    assert agent(fleet, name) == (200, "acme-agent 1.0-1 acme-lib 2.0-1")
    stale = "grep -l 'r-xp.*libacme.*(deleted)' /proc/[0-9]*/maps 2>/dev/null || true"
    process = require(shell, "systemctl", "show", "-p", "MainPID", "--value", "acme-agent").strip()
    assert sudo(shell, stale).split() == [f"/proc/{process}/maps"]
    sudo(shell, "systemctl restart acme-agent")
    assert agent(fleet, name) == (200, "acme-agent 1.0-1 acme-lib 2.1-1")
    assert sudo(shell, stale) == ""


def test_a_reboot_is_real(fleet: Fleet, name: str, shell: Shell) -> None:
    sudo(shell, "apt-get update -qq && apt-get install -qq -y acme-core && touch /run/scratch")
    assert sudo(shell, "cat /run/reboot-required.pkgs") == "acme-core\n"
    boot_id = sudo(shell, "cat /proc/sys/kernel/random/boot_id")
    sudo(shell, "reboot")
    fleet[name].wait_until_off()
    fleet.wait(name)
    again = fleet.shell(name)
    assert sudo(again, "cat /proc/sys/kernel/random/boot_id") != boot_id
    assert sudo(again, "ls /run/reboot-required /run/scratch 2>/dev/null || true") == ""
    assert float(sudo(again, "cut -d' ' -f1 /proc/uptime")) < 10
    assert versions(again)["acme-core"] == "5.1-1"
    assert agent(fleet, name) == (200, "acme-agent 1.0-1 acme-lib 2.0-1")


def test_a_service_that_ended_before_it_was_written_down_does_not_run(shell: Shell) -> None:
    # The start time could not be read: the record has the number of the process alone.
    sudo(shell, "echo '99999 ' >/run/units/e2scrub_reap.service")
    assert shell.run("systemctl", "is-active", "e2scrub_reap").stdout == "failed\n"
    assert shell.run("systemctl", "is-active", "acme-agent").stdout == "active\n"


def test_the_suite_of_an_update_says_whether_it_is_security(shell: Shell) -> None:
    listed = sudo(shell, "apt-get update -qq && apt-get -s upgrade")
    assert "Inst acme-agent [1.0-1] (1.1-1 Acme-Security:acme-security" in listed
    assert "Inst acme-tool [3.0-1] (3.1-1 Acme:acme-updates" in listed


def test_a_security_release_tells_its_advisory_before_and_after_it_is_downloaded(shell: Shell) -> None:
    assert "CVE-2026-1100 acme-agent\n" in require(shell, "cat", "/var/lib/day2/advisories")
    sudo(shell, "apt-get update -qq && apt-get install -qq -y acme-agent")
    assert "Fix CVE-2026-1100." in sudo(shell, "zcat /usr/share/doc/acme-agent/changelog.Debian.gz")
    assert "Fix CVE-2026-1100." in sudo(shell, "apt-get changelog -q acme-agent")


def test_publishing_replaces_the_version_before_and_withdrawing_leaves_hosts_as_they_are(
    fleet: Fleet, name: str, shell: Shell
) -> None:
    repository = fleet.repository
    try:
        repository.publish("security", "acme-agent", "1.2-1")
        assert repository.versions("security")["acme-agent"] == "1.2-1"
        sudo(shell, "apt-get update -qq && apt-get install -qq -y acme-agent")
        assert agent(fleet, name)[0] == 500
        gone = shell.run("sudo", "apt-get", "install", "-qq", "-y", "--allow-downgrades", "acme-agent=1.1-1")
        assert "Version '1.1-1' for 'acme-agent' was not found" in gone.stderr
        repository.withdraw("security", "acme-agent")
        sudo(shell, "apt-get update -qq && apt-get upgrade -qq -y")
        assert versions(shell)["acme-agent"] == "1.2-1"
    finally:
        repository.publish("security", "acme-agent", "1.1-1")


def test_a_release_that_is_not_on_the_shelf_cannot_be_published(fleet: Fleet) -> None:
    with pytest.raises(PlanRefused, match=r"no acme-agent 9\.9"):
        fleet.repository.publish("security", "acme-agent", "9.9")


def test_two_fleets_run_side_by_side_and_start_in_seconds(fleet: Fleet) -> None:
    started = time.monotonic()
    with lab_hosts.hosts(["web-01", "db-01"]) as other:
        seconds = time.monotonic() - started
        assert other.address("web-01") != fleet.address(fleet.names[0])
        assert require(other.shell("db-01"), "hostname") == "db-01\n"
        assert fleet.shell(fleet.names[0]).run("true").code == 0
    assert seconds < 15  # 1.5 s alone; the bound allows for a machine that is busy with others
