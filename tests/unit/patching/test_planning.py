"""The plan says everything before anything is touched, or refuses and says why."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from day2.control.freezes import Freeze
from day2.control.plan import Trigger
from day2.errors import PlanRefused
from day2.hosts.model import PatchSet
from day2.operations.security_patching import briefing, planning, sla, waves
from day2.operations.security_patching.gates import Proof
from tests.unit.patching.making import NOW, OPENSSL, SET, environment, request, scan, seen

BY_HAND = Trigger("manual", "anna", "advisory of tonight", "INC-7")


def make(asked=None, found=None, now=NOW, of: PatchSet = SET):
    return planning.make(asked or request(), found or seen(), of, now=now)


def refused(*arguments, **fields) -> str:
    with pytest.raises(PlanRefused) as caught:
        make(*arguments, **fields)
    assert caught.value.left == "nothing was touched"
    return caught.value.happened


def without(host: str, **changes):
    found = seen(**changes)
    return replace(found, scans={name: each for name, each in found.scans.items() if name != host})


def test_a_plan_freezes_the_set_and_arranges_the_waves():
    planned = make()
    assert PatchSet.from_dict(planned["patch_set"]) == SET
    assert [(each["name"], len(each["hosts"])) for each in planned["waves"]] == [
        ("canary", 2), ("early", 2), ("broad", 6),
    ]  # fmt: skip
    assert planned["deadline"] == {"at": "2027-03-14T04:00:00Z", "why": "the cut-off of window 'sunday'"}
    assert planned["change"] == "normal"
    assert json.loads(json.dumps(planned)) == planned


def test_the_digest_is_of_the_versions_hosts_and_order_not_of_the_hour():
    assert make()["digest"] == make(now=NOW + timedelta(minutes=5))["digest"]
    other = PatchSet.of([replace(SET.changes[0], after="9.9"), SET.changes[1]])
    assert make()["digest"] != make(of=other)["digest"]
    assert make()["digest"] != make(request(hosts=environment().hosts[:9]))["digest"]


def test_the_approver_reads_what_where_in_which_order_and_what_stands_on_it():
    known = sla.remember((), [scan("web-03", OPENSSL, at="2027-02-01T00:00:00Z")])
    text = "\n".join(briefing.lines(make(found=without("web-09", first=sla.lookup(known)))))
    for part in (
        "install 2 packages on 9 of 10 hosts of production",
        "openssl 3.0.1 → 3.0.2: critical, CVE-2027-1; 9 hosts, waiting 41 days",
        "wave canary: 2 hosts (web-01, web-02); at most 1 out of service at once, stops after more than 0 failed",
        "no host starts after 2027-03-14T04:00:00Z, the cut-off of window 'sunday'",
        "web-09: NOT TOUCHED: it was not scanned",
        "service/shop stands on web-01",
        "database/orders: verified recovery point: orders-1, 1 h 00 min old (not older than 26 h 00 min)",
        "9 late on 9 hosts",
    ):
        assert part in text


def test_a_host_that_does_not_answer_stays_in_the_plan_and_uses_up_budget():
    planned = make(found=without("web-09", unreachable={"web-09": "no route to host"}))
    assert {each["name"]: each["blocked"] for each in planned["targets"]}["web-09"] == "no route to host"
    arranged = tuple(waves.Wave.from_dict(each) for each in planned["waves"])
    states = {each["name"]: "blocked" for each in planned["targets"] if each["blocked"]}
    rollout = waves.Rollout(arranged, 1, states)
    assert waves.startable(rollout, NOW) == ()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"audit": "The following packages are half installed:\n curl"}, "an earlier installation is half done"),
        ({"repository_errors": ("Release file expired",)}, "repositories cannot be trusted: Release file expired"),
        ({"disk_free": {"/var": 1_000_000}}, "1 MB are free, 500 MB are needed"),
    ],
)
def test_a_host_that_is_not_fit_is_left_out_and_says_why(fields, says):
    found = seen()
    found = replace(found, scans={**found.scans, "web-10": scan("web-10", **fields)})
    told = {each["name"]: each["blocked"] for each in make(found=found)["targets"]}
    assert says in told.pop("web-10")
    assert set(told.values()) == {None}


def test_without_a_canary_that_can_be_patched_there_is_no_plan():
    hosts = environment().hosts
    assert refused(request(hosts=hosts[2:])) == "there is no canary among the hosts"
    found = without("web-01")
    found = replace(found, scans={name: each for name, each in found.scans.items() if name != "web-02"})
    assert "no canary can be patched: web-01: it was not scanned; web-02:" in refused(found=found)


def test_a_rerun_of_a_proven_set_needs_no_canary():
    planned = make(request(hosts=environment().hosts[4:], proven=True))
    assert [each["name"] for each in planned["waves"]] == ["broad"]


def test_hosts_that_are_out_already_must_leave_room():
    made = environment(policies=environment().policies.model_dump() | {
        "security_patching": {"schedule": "0 1 * * 0", "offset": "PT0S", "disruption_budget": 1}
    })  # fmt: skip
    assert "disruption budget of 1 is used up by 1 hosts" in refused(request(made), without("web-09"))


def test_a_missing_or_old_recovery_point_blocks():
    assert "database/orders: verified recovery point: there is none" in refused(found=seen(proofs={}))
    old = {"orders": Proof("o-1", NOW - timedelta(days=9)), "billing": Proof("b-1", NOW)}
    assert refused(found=seen(proofs=old)).startswith("database/orders: verified recovery point: o-1, 216 h")


def test_only_inside_a_window_except_for_a_dry_run_and_an_emergency():
    night = NOW + timedelta(days=1)
    fresh = seen(proofs={each.name: Proof("p", night) for each in environment().databases})
    assert refused(found=fresh, now=night) == "no window for security_patching is open (sunday)"
    assert make(request(dry_run=True), fresh, now=night)["deadline"] is None
    emergency = make(request(emergency=True, trigger=BY_HAND), fresh, now=night)
    assert "EMERGENCY: outside of any maintenance window" in briefing.lines(emergency)
    assert emergency["change"] == "normal", "a person approves an emergency too"


def test_an_emergency_needs_a_person_and_a_ticket():
    for trigger in (Trigger("scheduled", "", "", ""), replace(BY_HAND, ticket=" ")):
        assert "an emergency is asked for by hand" in refused(request(emergency=True, trigger=trigger))


def test_a_freeze_that_begins_before_the_cut_off_ends_the_run_earlier():
    freeze = Freeze("year's end", NOW + timedelta(minutes=40), NOW + timedelta(days=3))
    planned = make(found=seen(freezes=[freeze]))
    assert planned["deadline"] == {"at": "2027-03-14T02:10:00Z", "why": "the freeze 'year's end'"}


def test_a_freeze_refuses_the_plan_but_not_an_emergency_or_a_dry_run():
    found = seen(freezes=[Freeze("year's end", NOW - timedelta(hours=1), NOW + timedelta(days=3))])
    assert refused(found=found) == "the freeze 'year's end' lasts until 2027-03-17T01:30:00Z"
    assert make(request(emergency=True, trigger=BY_HAND), found)["deadline"] is None
    assert make(request(dry_run=True), found)["dry_run"] is True


def test_from_the_cut_off_on_nothing_is_planned_that_could_not_start():
    cutoff = NOW.replace(hour=4, minute=0)
    fresh = seen(proofs={each.name: Proof("p", cutoff) for each in environment().databases})
    assert make(found=fresh, now=cutoff - timedelta(seconds=1))["deadline"]["at"] == "2027-03-14T04:00:00Z"
    told = "the cut-off of window 'sunday' was at 2027-03-14T04:00:00Z: nothing may begin any more"
    assert refused(found=fresh, now=cutoff) == told
    assert make(request(dry_run=True), fresh, now=cutoff)["dry_run"] is True


def test_a_freeze_that_begins_now_refuses_the_plan_and_one_that_ends_now_does_not():
    day = timedelta(days=1)
    assert "the freeze 'sale' lasts until" in refused(found=seen(freezes=[Freeze("sale", NOW, NOW + day)]))
    assert make(found=seen(freezes=[Freeze("sale", NOW - day, NOW)]))["deadline"]["why"].startswith("the cut-off")


def test_more_hosts_than_the_blast_radius_are_refused():
    policies = environment().policies.model_dump()
    policies["security_patching"]["max_targets"] = 3
    assert refused(request(environment(policies=policies))) == "10 targets exceed the blast radius of 3"


def test_a_plan_needs_only_what_is_brief_of_a_scan():
    found = seen()
    short = replace(found, scans={name: planning.brief(each) for name, each in found.scans.items()})
    assert make(found=short) == make(found=found)


def test_held_packages_are_named_and_not_counted():
    found = seen()
    held = scan("web-05", replace(OPENSSL, held=True))
    planned = make(found=replace(found, scans={**found.scans, "web-05": held}))
    target = next(each for each in planned["targets"] if each["name"] == "web-05")
    assert (target["changes"], target["held"]) == (0, ["openssl"])
    assert "openssl is on hold on 1 host and stays as it is there" in briefing.lines(planned)
