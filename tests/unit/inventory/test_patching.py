"""Patch policies and exceptions: refused where they could not work, warned of where they deserve a look."""

from __future__ import annotations

import json
from datetime import date, datetime

import jsonschema
import pytest
import yaml

from day2 import inventory
from day2.errors import PlanRefused
from day2.inventory import reading, schema
from day2.inventory.patching import PatchPolicy
from day2.inventory.starts import starts
from tests.unit.inventory.homes import GOOD, Home

POLICY = "  security_patching:\n    schedule: 0 1 * * 0\n    offset: PT0S\n"
WITH = GOOD + POLICY
EXCEPTION = (
    "patch_exceptions:\n"
    "  - name: exc-1\n    package: nginx\n    hosts: [web-01]\n    owner: shop\n    reason: breaks\n"
    "    compensating_control: a filter\n    expires: 2027-06-30\n"
)


def problems(home: Home, text: str) -> list[str]:
    home.write(text)
    return [each.partition(": ")[2] for each in home.problems()]


def with_canary(text: str = WITH) -> str:
    return (
        text
        if "wave: canary" in text
        else text.replace("connection: ssh_web\n", "connection: ssh_web\n    wave: canary\n")
    )


def test_a_good_policy_loads(home):
    home.write(with_canary() + EXCEPTION)
    assert home.problems() == []
    [environment] = inventory.environments(home.folder)
    assert environment.patch_exceptions[0].expires == date(2027, 6, 30)
    assert environment.patch_policy(environment.host("web-01")).waves.canary.disruption_budget == "1"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("    disruption_budget: 0\n", "policies/security_patching: disruption_budget 0 is no budget"),
        ("    disruption_budget: 150%\n", "disruption_budget '150%' is no budget; write a number of hosts"),
        ("    disruption_budget: true\n", "disruption_budget True is no budget"),
        ("    rejected: ['a b']\n", "rejected[0] 'a b' is not a package name or pattern"),
        ("    severities: {CVE-1: urgent}\n", "'urgent' is not"),
        ("    sla: {critical: 30}\n", "sla.critical 30 is not an ISO 8601 duration"),
        ("    waves: {canry: {bake: PT1H}}\n", "waves: unknown field 'canry'; did you mean 'canary'?"),
        ("    health_checks: [{kind: http}]\n", "health_checks[0]: a check of kind http needs `address`"),
        ("    health_checks: [{kind: command}]\n", "a check of kind command needs `command`, a list"),
        ("    health_checks: [{kind: tcp, address: x}]\n", "address must be host:port when kind is tcp"),
        ("    health_checks: [{kind: http, address: 'http://u:p@{address}/'}]\n", "address must not hold credentials"),
        ("    health_checks: [{kind: tcp, address: 'x:1', expect: '('}]\n", "expect '(' is not a pattern"),
        ("    drain: {drain: {command: [x]}}\n", "drain: field 'undrain' is missing"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(home, line, says):
    found = problems(home, with_canary() + line)
    assert any(says in each for each in found), found


def test_a_fleet_without_a_canary_is_refused(home):
    found = problems(home, with_canary().replace("wave: canary", "wave: broad"))
    assert found == ["policies/security_patching: no host has wave: canary; say which one is patched first"]


def test_a_canary_that_somebody_else_patches_is_none(home):
    found = problems(home, with_canary().replace("wave: canary", "wave: canary\n    patching: false"))
    assert found == []  # it was the only host: nothing is left that would need a canary
    other = "\nhosts:\n  - {name: web-02, address: 10.0.0.2, connection: ssh_web_02, region: eu-west-1}\n"
    two = with_canary().replace("wave: canary", "wave: canary\n    patching: false").replace("\nhosts:\n", other)
    assert problems(home, two) == [
        "policies/security_patching: no host has wave: canary; say which one is patched first"
    ]


def test_a_policy_for_a_host_that_somebody_else_patches_is_refused(home):
    text = with_canary().replace(
        "    wave: canary\n", "    patching: false\n    policies: {security_patching: {rejected: [vim]}}\n"
    )
    assert "the host says `patching: false`; remove one of the two" in problems(home, text)[0]


def test_a_host_that_somebody_else_patches_cannot_be_chosen(home):
    home.write(with_canary().replace("    wave: canary\n", "    patching: false\n"))
    [environment] = inventory.environments(home.folder)
    assert environment.patched == ()
    with pytest.raises(PlanRefused, match="security_patching does not manage web-01: the inventory says"):
        inventory.select_hosts(environment, ["web-01"])


def test_a_schedule_that_never_meets_its_window_is_refused(home):
    text = with_canary().replace("schedule: 0 1 * * 0\n    offset: PT0S", "schedule: 0 3 * * 2#2\n    offset: P2D")
    [found] = problems(home, text)
    assert "schedule '0 3 * * 2#2' with its offset starts on Thursday 03:00, never inside 'sunday' (0 1 * * 0)" in found
    # Five days after the second Tuesday is a Sunday.
    assert problems(home, text.replace("0 3 * * 2#2", "0 2 * * 2#2").replace("P2D", "P5D")) == []


def test_two_days_after_the_second_tuesday_is_not_always_the_second_thursday():
    found = starts("0 3 * * 2#2", PatchPolicy().offset, "Europe/Berlin")
    assert [f"{each:%Y-%m-%d %H:%M %A}" for each in found[:3]] == [
        "2027-01-14 03:00 Thursday", "2027-02-11 03:00 Thursday", "2027-03-11 03:00 Thursday",
    ]  # fmt: skip
    # October 2027 begins on a Friday, July on a Thursday: there the second Thursday comes first.
    july = next(each for each in found if each.month == 7)
    assert july.date() == date(2027, 7, 15)
    assert all(datetime(each.year, each.month, each.day).hour == 0 and each.hour == 3 for each in found)  # noqa: DTZ001


def test_a_host_changes_the_fields_it_names_and_no_others(home):
    text = with_canary().replace(
        "    wave: canary\n", "    wave: canary\n    policies: {security_patching: {reboot: {when: never}}}\n"
    )
    home.write(text)
    [environment] = inventory.environments(home.folder)
    policy = environment.patch_policy(environment.host("web-01"))
    assert (policy.reboot.when, policy.reboot.deadline.days) == ("never", 7)
    assert environment.policies.security_patching.reboot.when == "if_required"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("{security_patching: {schedule: '0 1 * * 0'}}", "schedule belongs to the run, not to one host"),
        ("{security_patching: {rebot: {}}}", "unknown field 'rebot'; did you mean 'reboot'?"),
        ("{patching: {}}", "unknown operation 'patching'; did you mean 'security_patching'?"),
        ("{security_patching: {health_checks: [{kind: http}]}}", "a check of kind http needs `address`"),
    ],
)
def test_an_override_that_cannot_work_is_refused(home, override, says):
    text = with_canary().replace("    wave: canary\n", f"    wave: canary\n    policies: {override}\n")
    found = problems(home, text)
    assert any(says in each for each in found), found


def test_an_override_of_a_policy_that_is_not_there_is_refused(home):
    text = with_canary(GOOD).replace("    wave: canary\n", "    wave: canary\n    policies: {security_patching: {}}\n")
    assert "the environment has no policy of that name to differ from" in problems(home, text)[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    package: nginx\n", "", "patch_exceptions/exc-1: name 'exc-1' excuses nothing"),
        ("[web-01]", "[web-1]", "hosts[0] 'web-1' is not one of the hosts; did you mean 'web-01'?"),
        ("    compensating_control: a filter\n", "", "field 'compensating_control' is missing"),
        ("2027-06-30", "soon", "expires is not a date; write it as 2027-06-30"),
    ],
)
def test_an_exception_that_says_too_little_is_refused(home, old, new, says):
    found = problems(home, with_canary() + EXCEPTION.replace(old, new))
    assert any(says in each for each in found), found


def test_two_exceptions_of_one_name_are_refused(home):
    twice = EXCEPTION + EXCEPTION.partition("\n")[2]
    assert any("'exc-1' is already the name of another one" in each for each in problems(home, with_canary() + twice))


@pytest.mark.parametrize(
    ("today", "says"),
    [
        (date(2027, 7, 1), ["2027-06-30 is over: what it excused is a breach again"]),
        (date(2027, 6, 30), ["2027-06-30 is near; install the update, or let 'shop' decide again"]),
        (date(2027, 1, 1), []),
        (date(2026, 6, 1), ["2027-06-30 is more than a year away; look again sooner"]),
    ],
)
def test_an_exception_is_looked_at_again_before_it_ends(home, today, says):
    home.write(with_canary() + EXCEPTION)
    found = [str(each) for each in reading.report(today, home.folder).warnings if "exc-1" in str(each)]
    assert [each.partition("expires ")[2] for each in found] == says


@pytest.mark.parametrize(
    ("package", "security", "wanted"),
    [
        ("openssl", True, True),
        ("openssl", False, False),
        ("tzdata", False, True),
        ("linux-image-amd64", True, False),
        ("linux-image-amd64", False, False),
    ],
)
def test_rejected_goes_before_approved_and_approved_before_security_only(package, security, wanted):
    policy = PatchPolicy(approved=("tzdata", "linux-*"), rejected=("linux-image-*",))
    assert policy.wants(package, security=security) is wanted


def test_the_policy_hash_changes_with_a_hosts_override(home):
    home.write(with_canary())
    [before] = inventory.environments(home.folder)
    home.write(
        with_canary().replace(
            "    wave: canary\n", "    wave: canary\n    policies: {security_patching: {rejected: [vim]}}\n"
        )
    )
    [after] = inventory.environments(home.folder)
    assert inventory.policy_hash(before) != inventory.policy_hash(after)


def test_hosts_are_chosen_by_name(home):
    home.write(with_canary())
    [environment] = inventory.environments(home.folder)
    assert [each.name for each in inventory.select_hosts(environment, ["web-01"])] == ["web-01"]
    with pytest.raises(PlanRefused, match="'web-1' is no host; did you mean 'web-01'?"):
        inventory.select_hosts(environment, ["web-1"])


def test_the_schema_takes_a_budget_as_number_or_share_and_knows_what_a_host_may_override():
    def errors(text: str) -> list[str]:
        data = json.loads(json.dumps(yaml.safe_load(text), default=str))
        return [each.message for each in jsonschema.Draft202012Validator(json.loads(schema.text())).iter_errors(data)]

    assert errors(with_canary() + "    disruption_budget: 3\n" + EXCEPTION) == []
    assert errors(with_canary() + "    disruption_budget: 10%\n") == []
    wrong = with_canary().replace(
        "    wave: canary\n", "    wave: canary\n    policies: {security_patching: {rebot: {}}}\n"
    )
    assert ["rebot" in each for each in errors(wrong)] == [True]
