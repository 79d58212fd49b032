"""Is a PostgreSQL server after its patch what it was before, in its new version? Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from day2.errors import StepFailed

SHOWN = ("name", "address", "state", "lag_bytes")
STREAMING = "streaming"
# An epoch, then major and minor: 17.10-1.pgdg120+1, 15.18-0+deb12u1, 13.20-1.el9_5. Never 17~rc1-1 or 15+248.
PACKAGE = re.compile(r"(?:\d+:)?(\d{2,})\.(\d+)(?![\d.~])")
# Debian and PGDG's apt, PGDG's dnf, RHEL's own.
SERVER_PACKAGES = ("postgresql-{major}", "postgresql{major}-server", "postgresql-server")


@dataclass(frozen=True)
class Wrong:
    """One thing that is not as it should be, what to do about it, and where that is explained."""

    happened: str
    next_step: str
    runbook: str


def minor_of(package_version: str) -> int | None:
    """A package's version as `server_version_num` tells it: 17.10-1.pgdg120+1 is 170010. None: it names no minor."""
    found = PACKAGE.match(package_version)
    return int(found[1]) * 10_000 + int(found[2]) if found else None


def installed_minor(versions: Mapping[str, str], major: int) -> int | None:
    """The minor version of the server's package among a host's versions by `name:arch`. None: it has no such."""
    for pattern in SERVER_PACKAGES:
        name = pattern.format(major=major)
        for key, version in versions.items():
            minor = minor_of(version)
            if key.partition(":")[0] == name and minor and minor // 10_000 == major:
                return minor
    return None


def compared(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The differences that count, as measures."""
    expected, here = _followers(earlier), _followers(now)
    missing = expected - here
    was_streaming = earlier["receiving"] == STREAMING
    return {
        "version_before": earlier["version"],
        "version_num_before": earlier["version_num"],
        "restarted": now["started"] != earlier["started"],
        "same_role": now["standby"] == earlier["standby"],
        "same_cluster": now["system_identifier"] == earlier["system_identifier"],
        "standbys_expected": expected.total(),
        "standbys_back": (expected & here).total(),
        "standbys_missing": [_named(each) for each in sorted(missing.elements(), key=str)],
        "receives_again": not was_streaming or now["receiving"] == STREAMING,
        "checksum_failures_new": _new_failures(earlier["checksum_failures"], now["checksum_failures"]),
    }


def streams(measured: Mapping[str, Any]) -> bool:
    """Whether replication is as before, in both directions."""
    return not measured["standbys_missing"] and bool(measured["receives_again"])


def wrong(earlier: Mapping[str, Any], measured: Mapping[str, Any], *, installed: int | None = None) -> list[Wrong]:
    """Everything that is not as it should be, the worst first."""
    return [*_wrong_version(earlier, measured, installed), *_wrong_data(measured), *_wrong_replication(measured)]


def failure(name: str, problems: Sequence[Wrong]) -> StepFailed:
    """One error that tells all of them, and the way on for the worst."""
    worst = problems[0]
    return StepFailed(
        f"{name}: " + "; ".join(each.happened for each in problems),
        left="the server answers, with the new package installed",
        next_step=worst.next_step,
        runbook=worst.runbook,
    )


def _wrong_version(earlier: Mapping[str, Any], measured: Mapping[str, Any], installed: int | None) -> Iterator[Wrong]:
    was, runs, version = earlier["version_num"], measured["version_num"], measured["version"]
    if not measured["same_cluster"]:
        yield Wrong(
            f"another cluster answers: system identifier {measured['system_identifier']}",
            "find out what listens there; Debian may have made a new, empty cluster",
            runbook="PostgreSQL does not come back after its patch",
        )
    if was // 10_000 != runs // 10_000:
        yield Wrong(
            f"PostgreSQL {version} answers, {earlier['version']} did before: a patch never changes the major version",
            "start the cluster of the earlier major version; reject the packages of the other one in the policy",
            runbook="PostgreSQL runs another version than it should",
        )
    elif runs < was:
        yield Wrong(
            f"PostgreSQL {version} runs, older than {earlier['version']} before",
            "look which package is installed, and which binary the server was started from",
            runbook="PostgreSQL runs another version than it should",
        )
    elif installed is not None and installed != runs:
        yield Wrong(
            f"PostgreSQL {version} runs, and the package installed is {installed // 10_000}.{installed % 10_000}",
            "restart the server: until then the old code runs, holes and all",
            runbook="PostgreSQL runs another version than it should",
        )


def _wrong_data(measured: Mapping[str, Any]) -> Iterator[Wrong]:
    if measured["checksum_failures_new"]:
        yield Wrong(
            f"{measured['checksum_failures_new']} pages failed their checksum since the patch began",
            "stop writing to it, look into the server's log for the pages, and restore them from a recovery point",
            runbook="Pages fail their checksum after a patch",
        )


def _wrong_replication(measured: Mapping[str, Any]) -> Iterator[Wrong]:
    if not measured["same_role"]:
        now = "a standby" if measured["standby"] else "a primary"
        yield Wrong(
            f"it is {now} now, which it was not before",
            "find out who promoted or replaced it during the restart, and who takes writes; never let two do",
            runbook="PostgreSQL's replication is not as before",
        )
    if measured["standbys_missing"]:
        yield Wrong(
            f"no longer followed by {', '.join(measured['standbys_missing'])}",
            "read that standby's log: its connection, its slot, or WAL that is gone",
            runbook="PostgreSQL's replication is not as before",
        )
    if measured["same_role"] and not measured["receives_again"]:
        yield Wrong(
            "it does not receive from its primary any more",
            "read its log: the primary's address, its login, its slot, or WAL that is gone",
            runbook="PostgreSQL's replication is not as before",
        )


def _followers(state: Mapping[str, Any]) -> Counter[tuple[str | None, str | None]]:
    """Who receives, by name and address: two may share a name. One that only connects does not count."""
    return Counter((each["name"], each["address"]) for each in state["standbys"] if each["state"] != "startup")


def _named(follower: tuple[str | None, str | None]) -> str:
    return " at ".join(each or "unknown" for each in follower)


def _new_failures(earlier: int | None, now: int | None) -> int | None:
    """None where pages have no checksums. A crash sets the counter back to nothing: then all of them are new."""
    if now is None:
        return None
    return now - earlier if earlier is not None and now >= earlier else now
