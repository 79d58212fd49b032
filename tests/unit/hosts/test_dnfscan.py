"""Reading dnf's words. recorded/dnf.txt is scan.sh's output from a real dnf 4.14 over a repository with advisories.

It ran on Debian, where dnf is packaged: no RHEL family was at hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from day2.hosts import dnfscan
from day2.hosts.model import Package
from day2.hosts.scan import split

RECORDED = split((Path(__file__).parent / "recorded/dnf.txt").read_text().splitlines())


def test_security_updates_carry_their_advisory_and_cve() -> None:
    found = {each.name: each for each in dnfscan.packages(RECORDED)}
    assert found["acme-agent"] == Package(
        "acme-agent", "noarch", "1.0-1", "1.1-1", security=True, origins=("acme",),
        advisories=("ACME-2026:0001", "CVE-2026-10001"),
    )  # fmt: skip
    assert (found["acme-lib"].installed, found["acme-lib"].candidate) == ("1:2.0-1", "1:2.1-1")
    assert found["acme-lib"].automatic
    assert (found["acme-tool"].candidate, found["acme-tool"].security) == ("3.1-1", False)
    assert (found["acme-held"].held, found["acme-held"].security) == (True, True)


def test_repositories_that_answered_are_no_error() -> None:
    assert dnfscan.repository_errors(RECORDED["update"]) == ()


@pytest.mark.parametrize(
    "line",
    [
        "Error: Failed to download metadata for repo 'acme': Cannot download repomd.xml: All mirrors were tried",
        "Error: Failed to retrieve GPG key for repo 'acme': Curl error (37): Couldn't read a file:// file",
    ],
)
def test_a_repository_that_is_away_or_not_trusted_is_an_error(line: str) -> None:
    assert dnfscan.repository_errors([line, "exit 1"]) == (line.removeprefix("Error: "),)


def test_a_failure_without_a_word_is_an_error() -> None:
    assert dnfscan.repository_errors(["exit 1"]) != ()
    assert dnfscan.repository_errors([]) != ()


def test_a_pending_reboot_names_its_packages() -> None:
    sections = {"reboot": ["required", "Core libraries or services have been updated:", "  * kernel", "  * glibc"]}
    assert dnfscan.reboot(sections) == (True, ("kernel", "glibc"))
    assert dnfscan.reboot(RECORDED) == (False, ())
