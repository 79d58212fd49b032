"""A host passes only when everything was measured and is as it was meant to be."""

from __future__ import annotations

import pytest

from day2.hosts.model import Package, Service
from day2.inventory.patching import PatchPolicy
from day2.operations.security_patching import facts, states
from day2.operations.security_patching.facts import Measured
from day2.operations.security_patching.states import Course
from day2.validation import runner
from tests.unit.patching.making import SET, installed, scan

GOOD = {
    "installed_digest": SET.digest, "stale_services": 0, "reboot_expected": False, "rebooted": False,
    "healthy": True, "in_service": True, "late_updates": 0, "postgres_servers": 1, "postgres_as_before": 1,
    "postgres_databases_unseen": 0, "postgres_collations_changed": 0, "postgres_extensions_failed": 0,
    "postgres_extensions_left": 0,
}  # fmt: skip
STALE = (Service("nginx.service", 41, ("/usr/lib/libssl.so.3",)),)


def row(course: Course | None = None, **measured):
    course = course or Course("web-01", scan(), installed("openssl", "zlib1g"), "succeeded")
    became = states.became(course, SET, PatchPolicy())
    return facts.row(course, Measured(**(GOOD | measured)), became=became, frozen_digest=SET.digest)


LATER = Package("curl", "amd64", "8.1", "8.2", security=True)
# One host for each way to be wrong: Great Expectations is slow to start, so that all are judged at once.
CASES = {
    "good": (row(), set()),
    "rebooted": (row(reboot_expected=True, rebooted=True), set()),
    "another set": (row(installed_digest="0" * 64), {"same_set"}),
    "old code": (
        row(Course("h", scan(), installed("openssl", "zlib1g", stale_services=STALE), "succeeded"), stale_services=1),
        {"running", "no_old_code", "no_pending_reboot"},
    ),
    "half of it": (row(Course("h", scan(), installed("openssl"), "failed", "no space")), {"running"}),
    "rolled back": (row(Course("h", scan(), scan(), "rolled_back", "ill")), {"running", "not_rolled_back"}),
    "no reboot": (row(reboot_expected=True), {"rebooted"}),
    "ill": (row(healthy=False), {"healthy"}),
    "left drained": (row(in_service=False), {"in_service"}),
    "half installed": (
        row(Course("h", scan(), installed("openssl", "zlib1g", audit="curl"), "succeeded")), {"audit_clean"},
    ),
    "late": (row(late_updates=2), set()),
    "no standby follows": (row(postgres_as_before=0), {"postgres_as_before"}),
    "text out of order": (row(postgres_collations_changed=1), {"postgres_collations"}),
    "an extension failed": (row(postgres_extensions_failed=1), {"postgres_extensions"}),
    "an extension left": (row(postgres_extensions_left=1), set()),
    "newer published": (
        row(Course("h", scan(), scan("h", *installed("openssl", "zlib1g").packages, LATER), "succeeded")), set(),
    ),
    "nobody looked": (
        row(Course("h", scan(), None, "failed", "no answer")),
        {"scanned_after", "running", "audit_clean", "measured.audit_clean"},
    ),
    "not measured": (row(healthy=None), {"healthy", "measured.healthy"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def judged():
    return runner.run([facts_of | {"target": name} for name, (facts_of, _) in CASES.items()], facts.SUITE)


@pytest.mark.parametrize("name", CASES)
def test_each_wrong_thing_fails_its_own_check_and_no_other(judged, name):
    assert {each.id for each in judged.failures(name)} == CASES[name][1]


def test_what_is_late_or_newer_is_told_and_does_not_fail_the_host(judged):
    told = {(each.target, each.id, each.severity) for each in judged.checks if not each.passed}
    assert ("late", "nothing_late", "warning") in told
    assert ("newer published", "nothing_newer", "info") in told


def test_a_host_that_was_not_attempted_has_no_row():
    course = Course("web-02", scan("web-02"), None, "not_attempted", "the cut-off")
    assert facts.rows([course], measured={}, became={"web-02": ()}, frozen_digest=SET.digest) == []
