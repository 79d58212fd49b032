"""What a scan sees on a real host, and that it never takes silence for an answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from day2.errors import StepFailed, Unavailable
from day2.hosts.model import Package, Scan
from day2.hosts.scan import scan
from day2.hosts.script import Host
from lab.hosts.fleet import Fleet
from lab.hosts.repository import Repository
from tests.integration.hosts.making import frozen, lock_held


def package(seen: Scan, name: str) -> Package:
    return next(each for each in seen.packages if each.name == name)


@pytest.fixture(scope="module")
def any_host(fleet: Fleet) -> Host:
    """For tests that only look."""
    return Host(fleet.names[-1], fleet.shell(fleet.names[-1]))


def test_a_scan_tells_security_updates_from_ordinary_ones(any_host: Host) -> None:
    seen = scan(any_host)
    agent, tool = package(seen, "acme-agent"), package(seen, "acme-tool")
    assert (agent.installed, agent.candidate, agent.security) == ("1.0-1", "1.1-1", True)
    assert agent.origins == ("Acme-Security/acme-security",)
    assert (tool.installed, tool.candidate, tool.security) == ("3.0-1", "3.1-1", False)
    assert {each.name for each in seen.upgradable(security_only=True)} == {"acme-agent", "acme-core", "acme-lib"}
    assert seen.repository_errors == ()
    assert (seen.audit, seen.lock_held_by, seen.reboot_required, seen.stale_services) == ("", "", False, ())
    assert abs(seen.clock_offset) < 1
    assert seen.disk_free["/var"] > 10 << 20
    assert Scan.from_dict(seen.as_dict()) == seen


def test_an_ordinary_update_that_passes_over_a_security_one_is_a_security_update(
    any_host: Host, repository: Repository
) -> None:
    repository.publish("updates", "acme-agent", "1.3-1")
    agent = package(scan(any_host), "acme-agent")
    assert (agent.candidate, agent.origins, agent.security) == ("1.3-1", ("Acme/acme-updates",), True)


def test_a_held_package_is_told_and_not_frozen(host: Host, fleet: Fleet, repository: Repository) -> None:
    repository.publish("security", "acme-held", "1.1-1")
    fleet[host.name].run("apt-mark", "hold", "acme-held")
    held = package(scan(host), "acme-held")
    assert (held.held, held.candidate) == (True, "1.1-1")
    assert "acme-held" not in {each.name for each in frozen(host).changes}


def expired(repository: Repository) -> None:
    repository.index(["security"], valid=timedelta(days=-1))


def signed_by_a_stranger(repository: Repository) -> None:
    repository.index(["security"], key="stranger")


def tampered_with(repository: Repository) -> None:
    index = repository.folder / "dists/acme-security/InRelease"
    index.write_text(index.read_text().replace("Acme-Security", "Acme-Insecurity"))


@pytest.mark.parametrize(
    ("fault", "words"),
    [(expired, "expired"), (signed_by_a_stranger, "NO_PUBKEY|signatures"), (tampered_with, "BADSIG|signatures")],
)
def test_a_repository_that_cannot_be_trusted_is_a_finding_and_nothing_is_frozen(
    fault: Callable[[Repository], None], words: str, host: Host, repository: Repository
) -> None:
    fault(repository)
    seen = scan(host)
    assert seen.repository_errors
    with pytest.raises(StepFailed, match=words) as caught:
        frozen(host)
    assert caught.value.runbook == "A repository is unreachable or not trusted"


def test_an_unreachable_repository_is_a_finding_and_not_an_empty_list(host: Host, fleet: Fleet) -> None:
    fleet.repository_address(present=False)
    try:
        seen = scan(host)
    finally:
        fleet.repository_address(present=True)
    assert any("repository.lab" in error for error in seen.repository_errors)


def test_a_scan_names_who_holds_the_lock(any_host: Host, fleet: Fleet) -> None:
    with lock_held(fleet[any_host.name]):
        assert "python3" in scan(any_host).lock_held_by


def test_a_scan_tells_of_an_interrupted_dpkg(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    machine.run("apt-get", "update")
    machine.run("sh", "-c", "cd /tmp && apt-get -q download acme-tool=3.1-1 && dpkg --unpack acme-tool_3.1-1_all.deb")
    assert "acme-tool" in scan(host).audit


def test_a_login_that_may_not_sudo_is_told_so(host: Host, fleet: Fleet) -> None:
    fleet[host.name].run("rm", "/etc/sudoers.d/ops")
    with pytest.raises(StepFailed, match="sudo refused") as caught:
        scan(host)
    assert caught.value.runbook == "Sudo was refused"


def test_a_host_that_hangs_is_given_up_in_time(host: Host, fleet: Fleet) -> None:
    fleet[host.name].run("sh", "-c", "mv /usr/bin/dpkg-query /usr/bin/dpkg-query.real")
    fleet[host.name].run(
        "sh", "-c", "printf '#!/bin/sh\\nexec sleep 60\\n' >/usr/bin/dpkg-query; chmod 755 /usr/bin/dpkg-query"
    )
    with pytest.raises(Unavailable, match="did not end within 4 s"):
        scan(host, seconds=4)


def test_a_host_whose_key_changed_is_refused(host: Host, fleet: Fleet) -> None:
    machine = fleet[host.name]
    key = "/etc/ssh/ssh_host_ed25519_key"
    machine.run("sh", "-c", f"rm {key}*; ssh-keygen -q -t ed25519 -N '' -f {key}; systemctl restart ssh.service")
    fleet.wait(host.name)
    with pytest.raises(Unavailable, match="[Hh]ost key.*does not match"):
        scan(host)
