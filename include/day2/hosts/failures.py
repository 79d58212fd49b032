"""What apt's and dpkg's own words mean to whoever is on call. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why an installation failed, what to do, and which part of the runbook says more."""

    happened: str
    next_step: str
    runbook: str


# First match rules: what is nearer to the root of the trouble comes first.
KNOWN: tuple[tuple[re.Pattern[str], str, str, str], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), happened, next_step, runbook)
    for pattern, happened, next_step, runbook in (
        (
            r"No space left on device|You don't have enough free space",
            "the disk is full",
            "make space, then clear the task: what was interrupted is finished first",
            "The disk of a host is full",
        ),
        (
            r"^day2: lock held by (?P<who>.+)$|Could not get lock (?P<what>.+)$|lock was locked by (?P<other>.+)$",
            "the package manager's lock is held",
            "find out what it is; it often ends by itself (unattended-upgrades); then clear the task",
            "The package manager's lock is held",
        ),
        (
            r"Held packages were changed",
            "a held package would have to change",
            "`apt-mark unhold` it there, or reject it in the policy",
            "A held package stands in the way",
        ),
        (
            r"[Uu]nmet dependencies|held broken packages|dependency problems prevent|Packages need to be removed",
            "dependencies cannot be satisfied",
            "reject the package in the policy, or wait for a repaired release",
            "A broken dependency",
        ),
        (
            r"Version '(?P<what>[^']+)' for '(?P<who>[^']+)' was not found",
            "a version of the set is not there",
            "carry it from the canary, or plan anew",
            "A package version is gone from the repository",
        ),
        (
            r"error processing (?:package|archive) (?P<who>\S+)|Sub-process .*dpkg returned an error",
            "a package does not install",
            "the host is rolled back; read the package's words in this log",
            "A package does not install",
        ),
    )
)


def cause(log: str, code: int) -> Cause:
    """The cause of a failed installation, from its log."""
    for pattern, happened, next_step, runbook in KNOWN:
        if match := pattern.search(log):
            details = ", ".join(value for value in match.groupdict().values() if value)
            return Cause(f"{happened}{f': {details}' if details else ''}", next_step, runbook)
    last = [line.strip() for line in log.splitlines() if line.strip()][-3:]
    return Cause(
        f"the installation answered {code}: {'; '.join(last) or 'it said nothing'}",
        "read this task's log",
        "A package does not install",
    )
