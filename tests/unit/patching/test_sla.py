"""Ages: the clock starts with the first offer, and nothing but the update stops it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from day2.hosts.model import Package
from day2.inventory.patching import PatchException, PatchPolicy
from day2.operations.security_patching import exceptions, sla
from tests.unit.patching.making import NOW, OPENSSL, ZLIB, scan

POLICY = PatchPolicy()


def at(days: float) -> str:
    return (NOW - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def due(*scans, policy: PatchPolicy = POLICY, register=(), now: datetime = NOW) -> list[sla.Due]:
    """How the last scan stands, when all of these were seen one after the other."""
    known: tuple[sla.Sighting, ...] = ()
    for each in scans:
        known = sla.remember(known, [each])
    return list(sla.judge(scans[-1], policy, register=register, first=sla.lookup(known), now=now))


def exception(**fields) -> PatchException:
    values = {
        "name": "exc-1", "package": "openssl", "owner": "shop", "reason": "breaks the module",
        "compensating_control": "a filter in front", "expires": "2027-12-31",
    }  # fmt: skip
    return PatchException.model_validate(values | fields)


def test_an_update_is_as_old_as_its_first_offer():
    [found] = due(scan("web-01", OPENSSL, at=at(12)), scan("web-01", OPENSSL))
    assert (found.age.days, found.standing, found.severity) == (12, "in_time", "critical")


def test_a_newer_release_does_not_start_the_clock_again():
    newer = replace(OPENSSL, candidate="3.0.3")
    newest = replace(OPENSSL, candidate="3.0.4")
    scans = [scan("web-01", OPENSSL, at=at(40)), scan("web-01", newer, at=at(20)), scan("web-01", newest)]
    assert [(each.age.days, each.standing) for each in due(*scans)] == [(40, "late")]


def test_a_rollback_does_not_start_the_clock_again():
    patched = Package("openssl", "amd64", "3.0.2", security=True)
    scans = [scan("web-01", OPENSSL, at=at(40)), scan("web-01", patched, at=at(3)), scan("web-01", OPENSSL)]
    assert due(*scans)[0].age.days == 40


def test_a_host_that_was_out_of_reach_is_as_late_as_the_others():
    assert due(scan("web-02", OPENSSL, at=at(40)), scan("web-01", OPENSSL))[0].standing == "late"


def test_a_security_fix_for_a_version_with_an_ordinary_update_counts_from_the_fix():
    ordinary = replace(OPENSSL, security=False, advisories=())
    assert due(scan("web-01", ordinary, at=at(90)), scan("web-01", OPENSSL, at=at(4)), scan())[0].age.days == 4


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["a", "b"])), min_size=1), st.randoms())
def test_what_was_seen_first_does_not_depend_on_the_order_of_records(seen, chance):
    scans = [scan(host, OPENSSL, ZLIB, at=at(days)) for days, host in seen]
    shuffled = list(scans)
    chance.shuffle(shuffled)
    one_by_one: tuple[sla.Sighting, ...] = ()
    for each in shuffled:
        one_by_one = sla.remember(one_by_one, [each])
    assert one_by_one == sla.remember((), scans) == sla.remember(sla.remember((), scans), scans)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.integers(0, 60))
def test_an_age_only_grows(days, later):
    known = sla.lookup(sla.remember((), [scan("web-01", OPENSSL, at=at(days))]))
    now, then = (
        next(sla.judge(scan("web-01", OPENSSL), POLICY, register=(), first=known, now=moment))
        for moment in (NOW, NOW + timedelta(days=later))
    )
    assert then.age - now.age == timedelta(days=later)
    assert not (now.standing == "late" and then.standing == "in_time")


def test_an_update_that_nobody_rated_counts_as_critical():
    assert sla.severity(OPENSSL, {}) == "critical"
    assert sla.severity(OPENSSL, {"CVE-2027-1": "low"}) == "low"
    both = replace(OPENSSL, advisories=("CVE-2027-1", "CVE-2027-9"))
    assert sla.severity(both, {"CVE-2027-1": "low"}) == "critical"
    assert sla.severity(replace(OPENSSL, advisories=()), {}) == "critical"


@pytest.mark.parametrize("package", [replace(OPENSSL, held=True), OPENSSL])
def test_a_held_or_rejected_update_is_late_all_the_same(package):
    policy = POLICY.model_copy(update={"rejected": ("openssl",)})
    [found] = due(scan("web-01", package, at=at(40)), scan("web-01", package), policy=policy)
    assert (found.standing, found.rejected) == ("late", True)


def test_an_ordinary_update_counts_only_where_the_policy_wants_it():
    ordinary = Package("tzdata", "all", "2027a", "2027b")
    assert due(scan("web-01", ordinary)) == []
    [found] = due(scan("web-01", ordinary), policy=POLICY.model_copy(update={"approved": ("tzdata",)}))
    assert (found.severity, found.limit, found.standing) == ("other", None, "in_time")


def test_a_pending_reboot_is_late_after_its_deadline_and_a_boot_ends_it():
    waiting = {"reboot_required": True, "boot_id": "b1"}
    empty = Package("bash", "amd64", "5.2")
    [found] = due(scan("web-01", empty, at=at(9), **waiting), scan("web-01", empty, **waiting))
    assert (found.package.name, found.standing) == ("(reboot)", "late")
    rebooted = scan("web-01", empty, reboot_required=True, boot_id="b2")
    assert due(scan("web-01", empty, at=at(9), **waiting), rebooted)[0].standing == "in_time"


OLD = scan("web-01", OPENSSL, at=at(40))


def test_an_exception_excuses_until_its_last_day_and_not_after():
    register = [exception(expires="2027-03-14")]
    assert due(OLD, scan("web-01", OPENSSL), register=register)[0].standing == "excused"
    tomorrow = due(OLD, scan("web-01", OPENSSL), register=register, now=NOW + timedelta(days=1))[0]
    assert (tomorrow.standing, tomorrow.excuse.expired) == ("late", ("exc-1",))


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({}, True),
        ({"package": "open*"}, True),
        ({"package": "zlib*"}, False),
        ({"hosts": ["web-01"]}, True),
        ({"hosts": ["web-02"]}, False),
        ({"package": None, "advisory": "CVE-2027-1"}, True),
        ({"package": "openssl", "advisory": "CVE-2027-9"}, False),
    ],
)
def test_an_exception_is_for_what_it_names(fields, holds):
    assert exceptions.excuse([exception(**fields)], "web-01", OPENSSL, today=NOW.date()).holds is holds


def test_an_exception_for_one_advisory_does_not_excuse_another_in_the_same_update():
    both = replace(OPENSSL, advisories=("CVE-2027-1", "CVE-2027-2"))
    one = exception(name="one", package=None, advisory="CVE-2027-1", expires="2027-06-30")
    two = exception(name="two", package=None, advisory="CVE-2027-2", expires="2027-04-30")
    assert not exceptions.excuse([one], "web-01", both, today=NOW.date()).holds
    found = exceptions.excuse([one, two], "web-01", both, today=NOW.date())
    assert (set(found.names), found.until) == ({"one", "two"}, date(2027, 4, 30))
    assert not exceptions.excuse([one, two], "web-01", both, today=date(2027, 5, 1)).holds


@settings(max_examples=60, deadline=None)
@given(st.dates(date(2027, 1, 1), date(2028, 1, 1)), st.dates(date(2027, 1, 1), date(2028, 1, 1)))
def test_no_exception_holds_after_it_expired(expires, today):
    found = exceptions.excuse([exception(expires=expires)], "web-01", OPENSSL, today=today)
    assert found.holds == (today <= expires)
    assert bool(found.expired) == (today > expires)


def test_limits_are_counted_to_the_moment():
    first = datetime(2027, 1, 1, tzinfo=UTC)
    known = {("openssl:amd64", "3.0.1", True): first.isoformat()}
    for seconds, standing in ((0, "in_time"), (1, "late")):
        moment = first + timedelta(days=30, seconds=seconds)
        [found] = sla.judge(scan("web-01", OPENSSL), POLICY, register=(), first=known, now=moment)
        assert (found.standing, found.by) == (standing, first + timedelta(days=30))


def test_advisories_learned_from_changelogs_rate_and_excuse_like_those_of_the_scan():
    bare = scan("web-01", replace(OPENSSL, advisories=()))
    told = sla.enriched(bare, {("openssl", "3.0.2"): ("CVE-2027-1",), ("openssl", "3.0.1"): ("CVE-2020-1",)})
    assert told.packages[0].advisories == ("CVE-2027-1",)
    assert sla.enriched(told, {("openssl", "3.0.2"): ("CVE-2027-1",)}) == told
    [found] = due(told, policy=POLICY.model_copy(update={"severities": {"CVE-2027-1": "low"}}))
    assert (found.severity, found.limit) == ("low", timedelta(days=90))
