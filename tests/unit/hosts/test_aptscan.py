"""Reading apt's words: candidates, origins, what counts as security, what counts as not knowing."""

from __future__ import annotations

import pytest

from day2.hosts import aptscan

# Recorded on Debian 12.
ARCHIVES = """\
Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
     release v=12,o=Debian,a=oldstable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64
     origin deb.debian.org
 500 http://deb.debian.org/debian bookworm/main amd64 Packages
     release v=12.12,o=Debian,a=oldstable,n=bookworm,l=Debian,c=main,b=amd64
     origin deb.debian.org
Pinned packages:
""".splitlines()
SECURITY = "        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages"
MAIN = "        500 http://deb.debian.org/debian bookworm/main amd64 Packages"
INSTALLED = "        100 /var/lib/dpkg/status"


def candidate(*table: str) -> aptscan.Candidate | None:
    lines = ["libssl3:", *table]
    return aptscan.candidates(lines, aptscan.archives(ARCHIVES)).get("libssl3")


def test_an_archive_is_named_by_label_and_suite() -> None:
    assert aptscan.archives(ARCHIVES) == {
        "http://deb.debian.org/debian-security bookworm-security/main amd64 Packages": (
            "Debian-Security/oldstable-security",
            True,
        ),
        "http://deb.debian.org/debian bookworm/main amd64 Packages": ("Debian/oldstable", False),
        "/var/lib/dpkg/status": ("/now", False),
    }


def test_a_candidate_of_the_security_archive_is_a_security_update() -> None:
    found = candidate(
        "  Installed: 3.0.15-1", "  Candidate: 3.0.17-1~deb12u3", "  Version table:",
        "     3.0.17-1~deb12u3 500", SECURITY, " *** 3.0.15-1 500", MAIN, INSTALLED,
    )  # fmt: skip
    assert found == aptscan.Candidate("3.0.17-1~deb12u3", ("Debian-Security/oldstable-security",), security=True)


def test_a_security_version_below_an_ordinary_candidate_still_counts() -> None:
    found = candidate(
        "  Installed: 1", "  Candidate: 3", "  Version table:",
        "     3 500", MAIN, "     2 500", SECURITY, " *** 1 100", INSTALLED,
    )  # fmt: skip
    assert found == aptscan.Candidate("3", ("Debian/oldstable",), security=True)


def test_a_security_version_that_is_installed_already_does_not_count() -> None:
    found = candidate(
        "  Installed: 2", "  Candidate: 3", "  Version table:",
        "     3 500", MAIN, " *** 2 500", SECURITY, INSTALLED,
    )  # fmt: skip
    assert found is not None
    assert not found.security


def test_a_newer_version_that_a_pin_forbids_is_no_candidate() -> None:
    found = candidate(
        "  Installed: 1", "  Candidate: 2", "  Version table:",
        "     9 -10", SECURITY, "     2 500", MAIN, " *** 1 100", INSTALLED,
    )  # fmt: skip
    assert found == aptscan.Candidate("2", ("Debian/oldstable",), security=False)


def test_what_ubuntu_calls_its_security_suite_counts_too() -> None:
    named = aptscan.archives(
        [
            " 500 http://archive.ubuntu.com/ubuntu noble-security/main amd64 Packages",
            "     release v=24.04,o=Ubuntu,a=noble-security,n=noble,l=Ubuntu,c=main,b=amd64",
            " 510 https://esm.ubuntu.com/apps/ubuntu noble-apps-security/main amd64 Packages",
            "     release v=24.04,o=UbuntuESMApps,a=noble-apps-security,n=noble,l=UbuntuESMApps,c=main,b=amd64",
        ]
    )
    assert [security for _, security in named.values()] == [True, True]


@pytest.mark.parametrize(
    ("status", "counts"),
    [("ii ", True), ("hi ", True), ("iF ", True), ("iU ", True), ("rc ", False), ("un ", False), ("pn ", False)],
)
def test_what_is_left_of_a_removed_package_is_not_installed(status: str, counts: bool) -> None:
    sections = {"packages": [f"tool\tall\t1.0\t{status}"], "native": ["amd64"]}
    assert bool(aptscan.packages(sections)) is counts


def test_a_foreign_architecture_is_another_package() -> None:
    sections = {
        "packages": ["libc6\tamd64\t2.36\tii ", "libc6\ti386\t2.36\tii "],
        "native": ["amd64"], "held": ["libc6:i386"], "automatic": ["libc6"],
    }  # fmt: skip
    native, foreign = aptscan.packages(sections)
    assert (native.key, native.held, native.automatic) == ("libc6:amd64", False, True)
    assert (foreign.key, foreign.held, foreign.automatic) == ("libc6:i386", True, False)


def test_advisories_belong_to_updates_only() -> None:
    sections = {
        "packages": ["app\tall\t1\tii ", "other\tall\t1\tii "], "native": ["amd64"],
        "archives": ARCHIVES, "advisories": ["CVE-2026-1 app", "CVE-2026-2 app remote", "CVE-2026-3 other"],
        "candidates": ["app:", "  Candidate: 2", "     2 500", SECURITY, " *** 1 100", INSTALLED],
    }  # fmt: skip
    app, other = aptscan.packages(sections)
    assert app.advisories == ("CVE-2026-1", "CVE-2026-2")
    assert other.advisories == ()


@pytest.mark.parametrize(
    "line",
    [
        "W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Could not connect",
        "W: GPG error: http://deb.debian.org bookworm InRelease: The following signatures couldn't be verified",
        "W: Some index files failed to download. They have been ignored, or old ones used instead.",
        "E: Release file for http://deb.debian.org/InRelease is expired (invalid since 1d 6h 32min 23s).",
    ],
)
def test_a_repository_that_could_not_be_read_is_an_error_although_apt_ends_well(line: str) -> None:
    assert aptscan.repository_errors([line, "exit 0"]) == (line[3:],)


def test_a_warning_of_no_consequence_is_none() -> None:
    assert aptscan.repository_errors(["W: Target Packages is configured multiple times", "exit 0"]) == ()


def test_an_update_that_fails_without_a_word_is_an_error_all_the_same() -> None:
    assert aptscan.repository_errors(["Hit:1 http://x InRelease", "exit 100"]) == (
        "apt-get update answered 100: Hit:1 http://x InRelease",
    )
    assert aptscan.repository_errors([]) != ()


def test_a_newer_kernel_that_does_not_run_is_a_pending_reboot() -> None:
    kernels = {"kernels": ["6.1.0-37-amd64", "6.1.0-38-amd64"]}
    assert aptscan.reboot(kernels, "6.1.0-37-amd64") == (True, ("linux-image-6.1.0-38-amd64",))
    assert aptscan.reboot(kernels, "6.1.0-38-amd64") == (False, ())
    # A container's kernel is its host's: what is in /boot says nothing.
    assert aptscan.reboot(kernels, "6.18.2-host") == (False, ())
