"""Every package of the set has exactly one state on every host, and installed means that the new code runs."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.hosts.model import Change, Package, PackageState, PatchSet, Service
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import states
from day2.operations.security_patching.states import Course
from tests.unit.patching.making import BASH, OPENSSL, SET, ZLIB, installed, scan

POLICY = PatchPolicy()
STALE = (Service("nginx.service", 41, ("/usr/lib/libssl.so.3 (deleted)",)),)


def state(course: Course, name: str = "openssl", policy: PatchPolicy = POLICY, of: PatchSet = SET) -> str:
    [found] = [each for each in states.became(course, of, policy) if each.name == name]
    return found.state


def patched(**fields) -> Course:
    """A host on which the set was installed."""
    return Course("web-01", scan(), installed("openssl", "zlib1g", **fields), "succeeded")


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        (patched(), "installed"),
        (patched(reboot_required=True, reboot_packages=("openssl",)), "pending_reboot"),
        (patched(reboot_required=True), "pending_reboot"),
        (patched(reboot_required=True, reboot_packages=("linux-image",)), "installed"),
        (patched(stale_services=STALE), "pending_reboot"),
        (Course("web-01", scan(), scan(), "succeeded"), "missing"),
        (Course("web-01", scan(), scan(), "failed", "dpkg said no"), "failed"),
        (Course("web-01", scan(), None, "failed", "no answer"), "failed"),
        (Course("web-01", scan(), None, "succeeded"), "failed"),
        (Course("web-01", scan(), scan(), "rolled_back", "ill"), "rolled_back"),
        (Course("web-01", scan(), installed("openssl"), "rolled_back", "ill"), "installed"),
        (Course("web-01", scan(), scan("web-01", replace(OPENSSL, installed="3.0.0")), "rolled_back"), "failed"),
        (Course("web-01", scan(), None, "not_attempted", "cut-off"), "not_attempted"),
        (Course("web-01", installed("openssl"), None, "not_attempted"), "installed"),
        (Course("web-01", scan("web-01", BASH), scan("web-01", BASH), "succeeded"), "not_applicable"),
        (Course("web-01", scan("web-01", BASH), None, "not_attempted"), "not_applicable"),
    ],
)
def test_what_became_of_openssl(course, expected):
    assert state(course) == expected


def test_a_held_package_is_held_whatever_the_run_did():
    held = replace(OPENSSL, held=True)
    for outcome in ("succeeded", "failed", "rolled_back", "not_attempted"):
        after = None if outcome == "not_attempted" else scan("web-01", held, ZLIB)
        assert state(Course("web-01", scan("web-01", held, ZLIB), after, outcome)) == "held"


def test_a_package_that_this_host_rejects_is_rejected():
    policy = POLICY.model_copy(update={"rejected": ("openssl",)})
    assert state(Course("web-01", scan(), installed("zlib1g"), "succeeded"), policy=policy) == "rejected"


def test_a_host_with_something_newer_than_the_set_is_left_alone():
    newer = Package("openssl", "amd64", "3.1.0", security=True)
    assert state(Course("web-01", scan("web-01", newer), scan("web-01", newer), "succeeded")) == "not_applicable"


def test_a_new_dependency_that_did_not_come_is_a_failure_only_where_the_host_failed():
    with_new = PatchSet.of([*SET.changes, Change("libnew", "amd64", None, "1.0")])
    assert state(Course("web-01", scan(), scan(), "failed", "no"), "libnew", of=with_new) == "failed"
    assert state(patched(), "libnew", of=with_new) == "not_applicable"


def test_an_update_that_came_out_after_the_freeze_is_missing_and_an_unwanted_one_is_not():
    late = Package("curl", "amd64", "8.1", "8.2", security=True)
    after = replace(installed("openssl", "zlib1g"), packages=(*installed("openssl", "zlib1g").packages, late))
    rows = states.became(Course("web-01", scan(), after, "succeeded"), SET, POLICY)
    assert [(each.name, each.state) for each in rows] == [
        ("curl", "missing"), ("openssl", "installed"), ("zlib1g", "installed"),
    ]  # fmt: skip


VERSIONS = st.sampled_from(["3.0.0", "3.0.1", "3.0.2", "3.0.3"])


@st.composite
def courses(draw) -> Course:
    def some():
        if draw(st.booleans()):
            return (BASH,)
        return (replace(OPENSSL, installed=draw(VERSIONS), held=draw(st.booleans())), BASH)

    fields = {
        "reboot_required": draw(st.booleans()),
        "reboot_packages": draw(st.sampled_from([(), ("openssl",), ("linux",)])),
        "stale_services": draw(st.sampled_from([(), STALE])),
    }
    outcome = draw(st.sampled_from(["succeeded", "failed", "rolled_back", "not_attempted"]))
    after = draw(st.sampled_from([None, "seen"]))
    return Course("web-01", scan("web-01", *some()), after and scan("web-01", *some(), **fields), outcome, "why")


@settings(max_examples=300, deadline=None)
@given(courses())
def test_every_package_of_the_set_has_one_state_and_installed_is_never_a_guess(course):
    rows = [each for each in states.became(course, SET, POLICY) if (each.name, each.arch) == ("openssl", "amd64")]
    [row] = rows
    assert row.state in get_args(PackageState)
    if row.state == "installed":
        assert row.now == "3.0.2"
        if row.before != "3.0.2" and course.after:
            assert not course.after.stale_services
            assert not (course.after.reboot_required and course.after.reboot_packages in ((), ("openssl",)))
    if row.state == "rolled_back":
        assert row.now == row.before
