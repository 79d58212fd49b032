"""Which advisories an update answers: those of the entries between the installed version and the new one."""

from __future__ import annotations

from day2.hosts.advisories import Answered, parse

CHANGELOG = [
    "@app 1.3-1",
    "app (1.3-1) stable-security; urgency=medium",
    "CVE-2026-3",
    "app (1.2-1) stable-security; urgency=high",
    "CVE-2026-2",
    "CVE-2026-3",
    "app (1.1-1) stable; urgency=critical",
    "CVE-2026-1",
]


def test_only_what_is_newer_than_the_installed_version_counts() -> None:
    assert parse(CHANGELOG, {"app": "1.1-1"}) == {"app": Answered(("CVE-2026-3", "CVE-2026-2"), "high")}
    assert parse(CHANGELOG, {"app": "1.2-1"}) == {"app": Answered(("CVE-2026-3",), "medium")}


def test_a_binary_rebuild_is_the_version_it_was_rebuilt_from() -> None:
    assert parse(CHANGELOG, {"app": "1.2-1+b2"})["app"].ids == ("CVE-2026-3",)


def test_an_unknown_installed_version_brings_the_newest_entry_only() -> None:
    assert parse(CHANGELOG, {"app": "0.9-1"})["app"].ids == ("CVE-2026-3",)
    assert parse(CHANGELOG, {"app": None})["app"].ids == ("CVE-2026-3",)


def test_a_package_without_a_changelog_answers_nothing() -> None:
    assert parse(["@app 1.3-1", "@web 2-1", "web (2-1) x; urgency=low", "CVE-2026-9"], {"app": "1", "web": "1"}) == {
        "app": Answered(),
        "web": Answered(("CVE-2026-9",), "low"),
    }
