"""Small real values for the decisions about patching: scans, an environment, a plan's request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from day2.control.plan import Trigger
from day2.hosts.model import Change, Package, PatchSet, Scan
from day2.inventory.model import Environment
from day2.operations.security_patching.gates import Proof
from day2.operations.security_patching.planning import Request, Seen

NOW = datetime(2027, 3, 14, 1, 30, tzinfo=UTC)  # a Sunday, inside the window below
OPENSSL = Package("openssl", "amd64", "3.0.1", "3.0.2", security=True, advisories=("CVE-2027-1",))
ZLIB = Package("zlib1g", "amd64", "1.2.1", "1.2.2", security=True, advisories=("CVE-2027-2",))
TZDATA = Package("tzdata", "all", "2027a", "2027b")
BASH = Package("bash", "amd64", "5.2")
SET = PatchSet.of(
    [Change("openssl", "amd64", "3.0.1", "3.0.2"), Change("zlib1g", "amd64", "1.2.1", "1.2.2")],
)


def scan(host: str = "web-01", *packages: Package, **fields) -> Scan:
    """A scan of a healthy Debian host; by default everything in SET is still to come."""
    values = {"at": "2027-03-14T01:00:00Z", "manager": "apt", "os": "debian-13", "kernel": "6.12", "boot_id": "b1"}
    values |= {"disk_free": {"/var": 9_000_000_000}}
    return Scan(host=host, packages=packages or (OPENSSL, ZLIB, TZDATA, BASH), **(values | fields))


def installed(*names: str, host: str = "web-01", **fields) -> Scan:
    """The same host with these packages of SET at their new versions."""
    changed = (
        Package(each.name, each.arch, each.candidate or "") if each.name in names else each
        for each in (OPENSSL, ZLIB, TZDATA, BASH)
    )
    return scan(host, *changed, **fields)


def environment(**changes) -> Environment:
    """Two canaries, two early, six broad hosts; one database with a host, one service in front of it."""
    waves = ["canary"] * 2 + ["early"] * 2 + ["broad"] * 6
    hosts = [
        {"name": f"web-{n:02}", "address": f"10.0.0.{n}", "connection": "ssh", "region": "eu", "wave": wave}
        for n, wave in enumerate(waves, 1)
    ]
    data = {
        "name": "production",
        "tier": "production",
        "owner": "platform",
        "regions": {"primary": "eu", "recovery": "us"},
        "hosts": hosts,
        "databases": [
            {"name": "orders", "connection": "pg_orders", "region": "eu", "host": "web-02"},
            {"name": "billing", "connection": "pg_billing", "region": "eu"},
            {"name": "archive", "connection": "pg_archive", "region": "eu"},
        ],
        "services": [{"name": "shop", "depends_on": ["host/web-01", "database/billing"]}],
        "windows": [
            {"name": "sunday", "start": "0 1 * * 0", "duration": "PT4H", "cutoff": "PT1H",
             "operations": ["security_patching"]}
        ],
        "policies": {
            "database_backup": {"encryption": "none"},
            "security_patching": {"schedule": "0 1 * * 0", "offset": "PT0S", "disruption_budget": 3},
        },
    }  # fmt: skip
    return Environment.model_validate(data | changes)


def request(made: Environment | None = None, **changes) -> Request:
    """A scheduled run over every host of the environment."""
    made = made or environment()
    values = {
        "environment": made,
        "hosts": made.hosts,
        "trigger": Trigger("scheduled", "", "", ""),
        "dry_run": False,
        "policy_hash": "p" * 64,
    }
    return Request(**(values | changes))


def seen(made: Environment | None = None, **changes) -> Seen:
    """Every host scanned and fit, every database proven an hour ago."""
    made = made or environment()
    values = {
        "scans": {each.name: scan(each.name) for each in made.hosts},
        "proofs": {each.name: Proof(f"{each.name}-1", NOW - timedelta(hours=1)) for each in made.databases},
    }
    return Seen(**(values | changes))
