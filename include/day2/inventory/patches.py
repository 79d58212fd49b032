"""Checks of patch policies and of the register of exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from urllib.parse import urlsplit

from pydantic import ValidationError

from day2.inventory import explain
from day2.inventory.fields import nearest
from day2.inventory.model import Environment, Host
from day2.inventory.patching import PATCH_RUN_FIELDS, HostCheck, PatchPolicy
from day2.inventory.problems import Finding, Location
from day2.inventory.windows import never_inside

OPERATION = "security_patching"
SOON = timedelta(days=14)
LONG = timedelta(days=366)


def findings(environment: Environment) -> Iterator[Finding]:
    """What cannot work as written: exceptions, overrides of hosts, health checks, and the schedule."""
    yield from _exceptions(environment)
    for index, host in enumerate(environment.hosts):
        yield from _overrides(environment, host, at=("hosts", index, "policies"))
    policy = environment.policies.security_patching
    if policy is None:
        return
    at: Location = ("policies", OPERATION)
    yield from _checks(policy, at)
    if environment.patched and not any(each.wave == "canary" for each in environment.patched):
        text = "no host has wave: canary; say which one is patched first"
        yield Finding((*at, "waves"), text, value=False)
    if wrong := never_inside(environment, OPERATION, schedule=policy.schedule, offset=policy.offset):
        yield Finding((*at, "schedule"), wrong)


def second_look(environment: Environment, today: date) -> Iterator[Finding]:
    """Exceptions that are over, nearly over, or very long."""
    for index, each in enumerate(environment.patch_exceptions):
        place = ("patch_exceptions", index, "expires")
        if each.expires < today:
            yield Finding(place, f"{each.expires} is over: what it excused is a breach again")
        elif each.expires - today <= SOON:
            yield Finding(place, f"{each.expires} is near; install the update, or let '{each.owner}' decide again")
        elif each.expires - today > LONG:
            yield Finding(place, f"{each.expires} is more than a year away; look again sooner")


def _exceptions(environment: Environment) -> Iterator[Finding]:
    known = [each.name for each in environment.hosts]
    for index, each in enumerate(environment.patch_exceptions):
        at: Location = ("patch_exceptions", index)
        if each.package is None and each.advisory is None:
            yield Finding((*at, "name"), f"'{each.name}' excuses nothing; give it a package, an advisory, or both")
        for number, host in enumerate(each.hosts):
            if host not in known:
                yield Finding((*at, "hosts", number), f"'{host}' is not one of the hosts{nearest(host, known)}")


def _overrides(environment: Environment, host: Host, *, at: Location) -> Iterator[Finding]:
    for operation, override in host.policies.items():
        where: Location = (*at, operation)
        if operation != OPERATION:
            yield Finding(where, f"unknown operation '{operation}'{nearest(operation, [OPERATION])}", value=False)
            continue
        for name in sorted(PATCH_RUN_FIELDS & override.keys()):
            text = f"belongs to the run, not to one host; set it in policies.{operation} of the environment"
            yield Finding((*where, name), text)
        if not host.patching:
            yield Finding(where, "the host says `patching: false`; remove one of the two", value=False)
            continue
        if environment.policies.security_patching is None:
            yield Finding(where, "the environment has no policy of that name to differ from", value=False)
            continue
        try:
            policy = environment.patch_policy(host)
        except ValidationError as error:
            yield from explain.findings(error, PatchPolicy, where)
            continue
        if "health_checks" in override:
            yield from _checks(policy, where)


def _checks(policy: PatchPolicy, at: Location) -> Iterator[Finding]:
    for number, check in enumerate(policy.health_checks):
        if wrong := _wrong_check(check):
            yield Finding((*at, "health_checks", number, "kind"), wrong, value=False)


def _wrong_check(check: HostCheck) -> str | None:
    if check.kind == "command":
        return None if check.command else "a check of kind command needs `command`, a list"
    if not check.address:
        return f"a check of kind {check.kind} needs `address`"
    if check.kind == "tcp":
        host, _, port = check.address.rpartition(":")
        return None if host and port.isdigit() and int(port) < 65536 else "address must be host:port when kind is tcp"
    url = urlsplit(check.address)
    if url.scheme not in ("http", "https") or not url.netloc:
        return "address must start with http:// or https:// when kind is http"
    return "address must not hold credentials; inventories are not secret" if "@" in url.netloc else None
