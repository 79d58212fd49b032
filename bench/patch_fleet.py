"""A recorded fleet: an environment file of many hosts, and a scan of each, as they would be kept. Not real hosts."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from day2.hosts.model import Change, Package, PatchSet, Scan
from day2.inventory.model import Environment
from day2.operations.security_patching.sla import Sighting
from day2.units import utc

NOW = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)  # a Sunday, inside the window
ROLES = ("web", "app", "cache", "queue", "batch", "db")
OWNERS = ("shop-team", "platform-team", "finance-team", "data-team")
# name, installed, wanted, advisory, for security, days since it was first seen
UPDATES = (
    ("openssl", "3.0.17-1~deb12u2", "3.0.17-1~deb12u3", "CVE-2026-4417", True, 34),
    ("libssl3", "3.0.17-1~deb12u2", "3.0.17-1~deb12u3", "CVE-2026-4417", True, 34),
    ("openssh-server", "1:9.2p1-2+deb12u6", "1:9.2p1-2+deb12u7", "CVE-2026-3812", True, 19),
    ("linux-image-amd64", "6.1.147-1", "6.1.153-1", "CVE-2026-5120", True, 12),
    ("libc6", "2.36-9+deb12u10", "2.36-9+deb12u13", "CVE-2026-2290", True, 55),
    ("curl", "7.88.1-10+deb12u12", "7.88.1-10+deb12u14", "CVE-2026-1876", True, 26),
    ("sudo", "1.9.13p3-1+deb12u1", "1.9.13p3-1+deb12u2", "CVE-2026-3246", True, 9),
    ("nginx", "1.22.1-9+deb12u2", "1.22.1-9+deb12u3", "CVE-2026-2301", True, 41),
    ("postgresql-15", "15.13-0+deb12u1", "15.14-0+deb12u1", "CVE-2026-8714", True, 5),
    ("python3.11", "3.11.2-6+deb12u5", "3.11.2-6+deb12u6", "CVE-2026-9287", True, 3),
    ("vim-common", "2:9.0.1378-2", "2:9.0.1378-2+deb12u2", "CVE-2026-2603", True, 71),
    ("tzdata", "2026b-0+deb12u1", "2026c-0+deb12u1", "", False, 15),
)
SEVERITIES = {"CVE-2026-1876": "medium", "CVE-2026-2603": "low", "CVE-2026-2290": "high", "CVE-2026-5120": "high"}
QUIET = tuple(
    f"lib{name}{number}" for name in ("foo", "bar", "glib", "xml", "png", "ldap", "gcc") for number in range(58)
)


def environment(hosts: int) -> dict[str, Any]:
    """An environment file as a mapping: waves of about 2, 8 and 90 in a hundred."""
    named = [_host(number, hosts) for number in range(hosts)]
    databases = [
        {"name": f"orders-{n}", "connection": f"pg_{n}", "region": "eu-west-1", "host": named[n * 6 + 5]["name"]}
        for n in range(min(20, hosts // 6))
    ]
    services = [
        {"name": "shop", "owner": "shop-team", "depends_on": [f"host/{each['name']}" for each in named[:12]]},
        {"name": "reporting", "owner": "data-team", "depends_on": [f"host/{named[4]['name']}", "database/orders-0"]},
    ]
    return {
        "name": "production",
        "tier": "production",
        "owner": "platform-team",
        "regions": {"primary": "eu-west-1", "recovery": "eu-central-1"},
        "repositories": [{"name": "primary", "url": "s3://backups/production", "region": "eu-west-1"}],
        "hosts": named,
        "databases": databases,
        "services": services,
        "windows": [
            {"name": "sunday-night", "start": "0 1 * * 0", "duration": "PT6H", "cutoff": "PT1H",
             "operations": ["security_patching"]}
        ],
        "patch_exceptions": [
            {"name": "batch-runner", "package": "*", "hosts": [each["name"] for each in named[4::60]],
             "owner": "data-team", "reason": "the vendor's job runner is certified for this build only",
             "compensating_control": "no inbound traffic; egress by proxy", "expires": "2026-12-31"},
            {"name": "nginx-edge", "package": "nginx", "hosts": [named[0]["name"]], "owner": "shop-team",
             "reason": "the module for the old shop does not load with the new one",
             "compensating_control": "a filter in front drops the request", "expires": "2026-11-02"},
        ],
        "policies": {
            "database_backup": {"encryption": "none", "required_score": "2-2-0-0-0"},
            "security_patching": {"schedule": "0 1 * * 0", "offset": "PT0S", "max_targets": hosts,
                                  "severities": SEVERITIES, "rejected": ["vim-*"]},
        },
    }  # fmt: skip


def environment_yaml(hosts: int) -> str:
    """The same as the text of a file."""
    return yaml.safe_dump(environment(hosts), sort_keys=False)


def scans(made: Environment, *, seed: int = 4, missed: float = 0.04) -> dict[str, Scan]:
    """A scan of each host but a few that did not answer; a share of hosts was missed for long."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable fleet, nothing secret
    return {each.name: _scan(each.name, chance, missed) for each in made.hosts if chance.random() > 0.01}


def sightings() -> tuple[Sighting, ...]:
    """When each update was first seen, by any host."""
    return tuple(
        Sighting(f"{name}:amd64", before, security, utc(NOW - timedelta(days=days)))
        for name, before, _, _, security, days in UPDATES
    )


def patch_set() -> PatchSet:
    """Every wanted update, as the canary would have frozen it."""
    return PatchSet.of(
        Change(name, "amd64", before, after)
        for name, before, after, _, security, _ in UPDATES
        if security and not name.startswith("vim")
    )


def _host(number: int, hosts: int) -> dict[str, Any]:
    wave = "canary" if number < max(2, hosts // 50) else "early" if number < hosts // 10 else "broad"
    name = f"{ROLES[number % len(ROLES)]}-{number // len(ROLES) + 1:03}"
    address = f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}"
    return {
        "name": name, "address": address, "connection": f"ssh_{ROLES[number % len(ROLES)]}",
        "region": "eu-west-1", "wave": wave, "owner": OWNERS[number % len(OWNERS)],
    }  # fmt: skip


def _scan(host: str, chance: random.Random, missed: float) -> Scan:
    role = host.split("-")[0]
    # Most hosts were patched last time; a few were missed for long, and those are what a report is for.
    forgotten = chance.random() < missed or (role == "batch" and int(host[-3:]) % 10 == 1)
    oldest = 200 if forgotten else chance.choice((0, 0, 4, 10, 14, 28))
    packages = [Package(name, "amd64", "1.0-1") for name in QUIET]
    for name, before, after, advisory, security, days in UPDATES:
        waits = days <= oldest and (role in ("web", "app") or name != "nginx") and (role == "db" or name[:4] != "post")
        told = (advisory,) if advisory else ()
        held = name == "nginx" and chance.random() < 0.05
        fresh = Package(name, "amd64", after, None, security)
        packages.append(Package(name, "amd64", before, after, security, (), held, told) if waits else fresh)
    return Scan(
        host=host, at=utc(NOW - timedelta(minutes=chance.randrange(5, 90))), manager="apt", os="debian-12",
        kernel="6.1.0-37-amd64", boot_id=f"boot-{host}", packages=tuple(packages),
        disk_free={"/var": 20_000_000_000, "/boot": 400_000_000},
    )  # fmt: skip
