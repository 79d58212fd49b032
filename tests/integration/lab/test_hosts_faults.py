"""Each switch of the lab's hosts really has its effect, and takes it back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from day2.errors import StepFailed, Unavailable
from day2.hosts.shell import Shell, require
from lab.hosts import faults, repository_faults
from lab.hosts import fleet as lab_hosts
from lab.hosts.faults import installs, is_off
from lab.hosts.fleet import Fleet
from lab.processes import wait_until

QUICK = ("-o", "Acquire::http::Timeout=1", "-o", "Acquire::Retries=0")
UPDATE = ("sudo", "apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", *QUICK)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    if reason := lab_hosts.why_not():
        pytest.skip(f"no hosts can run here: {reason}")
    with lab_hosts.hosts(16) as made:
        yield made


@pytest.fixture(scope="module")
def unused(fleet: Fleet) -> Iterator[str]:
    return iter(fleet.names)


@pytest.fixture
def name(unused: Iterator[str]) -> str:
    return next(unused)


@pytest.fixture
def shell(fleet: Fleet, name: str) -> Iterator[Shell]:
    made = fleet.shell(name)
    yield made
    made.close()


def install(shell: Shell, *packages: str) -> tuple[int, str]:
    done = shell.run("sudo", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y", *packages)
    return done.code, done.stdout + done.stderr


def test_a_held_dpkg_lock_stops_an_installation(fleet: Fleet, name: str, shell: Shell) -> None:
    require(shell, *UPDATE)
    with faults.dpkg_locked(fleet[name]):
        code, said = install(shell, "acme-tool")
        assert code == 100
        assert "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process" in said
    assert install(shell, "acme-tool")[0] == 0


def test_a_full_var_stops_an_installation(fleet: Fleet, name: str, shell: Shell) -> None:
    require(shell, *UPDATE)
    with faults.var_full(fleet[name]):
        assert require(shell, "df", "--output=avail", "/var").split()[1] == "0"
        code, said = install(shell, "acme-tool")
        assert code != 0
        assert "No space left on device" in said or "enough free space" in said
    assert install(shell, "acme-tool")[0] == 0


def test_an_interrupted_dpkg_must_be_configured_before_anything_else(fleet: Fleet, name: str, shell: Shell) -> None:
    require(shell, *UPDATE)
    faults.interrupt_dpkg(fleet, name)
    assert "acme-slow" in require(shell, "sudo", "dpkg", "--audit")
    code, said = install(shell, "acme-tool")
    assert code == 100
    assert "dpkg was interrupted, you must manually run 'sudo dpkg --configure -a'" in said
    require(shell, "sudo", "dpkg", "--configure", "-a")
    assert require(shell, "sudo", "dpkg", "--audit") == ""
    assert install(shell, "acme-tool")[0] == 0


def test_an_unplugged_host_does_not_answer_and_then_does(fleet: Fleet, name: str) -> None:
    with faults.unreachable(fleet, name), pytest.raises(Unavailable):
        fleet.shell(name).run("true")
    assert fleet.shell(name).run("true").code == 0


def test_a_host_can_be_lost_in_the_middle_of_an_installation_that_goes_on(
    fleet: Fleet, name: str, shell: Shell
) -> None:
    fleet.repository.publish("updates", "acme-slow", "1.1-1")
    require(shell, *UPDATE)
    with faults.slow_install(fleet[name], 2), faults.unreachable_once(fleet, name, when=installs) as cut:
        with pytest.raises(Unavailable):
            shell.run("sudo", "apt-get", "install", "-qq", "-y", "acme-slow", seconds=3)
        assert cut.is_set()
        wait_until(lambda: not installs(fleet[name]), "dpkg's end", seconds=20)
    assert fleet.shell(name).run("true").code == 0
    fleet.repository.withdraw("updates", "acme-slow")


def test_a_host_can_come_back_from_its_reboot_without_a_network(fleet: Fleet, name: str, shell: Shell) -> None:
    with faults.unreachable_once(fleet, name, when=is_off) as cut:
        require(shell, "sudo", "reboot")
        assert cut.wait(10)
        wait_until(lambda: faults.runs(fleet[name], "-x", "sshd"), f"{name}: sshd", seconds=10)
        with pytest.raises(Unavailable):
            fleet.shell(name).run("true")
    fleet.wait(name, seconds=10)


def test_a_host_can_stay_off_after_its_reboot(fleet: Fleet, name: str, shell: Shell) -> None:
    with faults.never_returns(fleet[name]):
        require(shell, "sudo", "reboot")
        fleet[name].wait_until_off()
        time.sleep(0.5)
        assert is_off(fleet[name])
    fleet.wait(name, seconds=10)


def test_another_host_key_is_refused(fleet: Fleet, name: str) -> None:
    with faults.other_host_key(fleet[name]), pytest.raises(Unavailable, match="(?i)host key"):
        fleet.shell(name).run("true")
    fleet.wait(name, seconds=10)
    assert fleet.shell(name).run("true").code == 0


def test_sudo_is_refused(fleet: Fleet, name: str, shell: Shell) -> None:
    with faults.sudo_refused(fleet[name]):
        refused = shell.run("sudo", "-n", "true")
        assert refused.code == 1
        assert "a password is required" in refused.stderr
    assert shell.run("sudo", "-n", "true").code == 0


def test_a_frozen_host_answers_nothing_until_it_thaws(fleet: Fleet, name: str, shell: Shell) -> None:
    require(shell, "true")
    with faults.frozen(fleet[name]), pytest.raises(Unavailable):
        shell.run("true", seconds=1)
    assert fleet.shell(name).run("true").code == 0


def test_a_flapping_service_answers_every_other_time(fleet: Fleet, name: str, shell: Shell) -> None:
    ask = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://localhost:8390/")
    with faults.flapping(fleet[name]):
        assert sorted(require(shell, *ask) for _ in range(4)) == ["200", "200", "503", "503"]
    assert {require(shell, *ask) for _ in range(4)} == {"200"}


def test_a_held_package_stays(fleet: Fleet, name: str, shell: Shell) -> None:
    require(shell, *UPDATE)
    with faults.held(fleet[name], "acme-tool"):
        assert "acme-tool" in require(shell, "apt-mark", "showhold")
        assert "Inst acme-tool" not in require(shell, "apt-get", "-s", "upgrade")
    assert "Inst acme-tool" in require(shell, "apt-get", "-s", "upgrade")


def test_the_releases_that_fail_do_fail(fleet: Fleet, name: str, shell: Shell) -> None:
    repository = fleet.repository
    for package in ("acme-broken", "acme-badpost", "acme-settings"):
        repository.publish("updates", package, "1.1-1")
    repository.publish("security", "acme-agent", "1.4-1")
    require(shell, *UPDATE)
    faults.edit_settings(fleet[name])
    code, said = install(shell, "acme-broken")
    assert (code, "acme-nowhere" in said) == (100, True)
    code, said = install(shell, "acme-settings")
    assert (code, "end of file on stdin at conffile prompt" in said) == (100, True)
    require(shell, "sudo", "dpkg", "--force-confold", "--configure", "-a")
    code, said = install(shell, "acme-badpost")
    assert (code, "acme-badpost: migration failed" in said) == (100, True)
    install(shell, "acme-agent")
    wait_until(lambda: shell.run("systemctl", "is-active", "acme-agent").stdout == "failed\n", "it ends", seconds=5)
    for package in ("acme-broken", "acme-badpost", "acme-settings"):
        repository.withdraw("updates", package)
    repository.publish("security", "acme-agent", "1.1-1")


def test_an_archive_in_trouble_is_refused_and_then_trusted_again(fleet: Fleet, name: str, shell: Shell) -> None:
    repository = fleet.repository
    troubles = {
        "The following signatures couldn't be verified": repository_faults.signed_by_stranger(repository, "security"),
        "Release file for http://repository.lab/dists/acme-security/InRelease is expired": (
            repository_faults.expired(repository, "security")
        ),
        "Could not connect to repository": repository_faults.unreachable(fleet),
        "Connection failed": repository_faults.hanging(fleet),
    }
    require(shell, *UPDATE)
    for words, trouble in troubles.items():
        with trouble, pytest.raises(StepFailed, match=words):
            require(shell, *UPDATE, seconds=40)
        require(shell, *UPDATE)


def test_a_package_that_is_gone_or_altered_is_not_installed(fleet: Fleet, name: str, shell: Shell) -> None:
    require(shell, *UPDATE)
    with repository_faults.file_gone(fleet.repository, "updates", "acme-tool"):
        assert "404  File not found" in install(shell, "acme-tool")[1]
    with repository_faults.file_altered(fleet.repository, "updates", "acme-tool"):
        assert "Hash Sum mismatch" in install(shell, "acme-tool")[1]
    assert install(shell, "acme-tool")[0] == 0
