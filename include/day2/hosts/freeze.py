"""Freeze a patch set: exact versions, resolved once on the canary and promoted unchanged to every later host."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from day2.errors import StepFailed
from day2.hosts import script
from day2.hosts.model import Change, Package, PatchSet, Scan
from day2.hosts.script import Host

log = logging.getLogger("day2")

SIMULATED = re.compile(r"^Inst (?P<name>\S+) (?:\[(?P<before>[^\]]+)\] )?\((?P<after>\S+) .*\[(?P<arch>[^\]]+)\]\)")


@dataclass(frozen=True)
class Wanted:
    """Which updates the policy wants: patterns of package names. No `approved`: all but the rejected ones."""

    security_only: bool = True
    approved: tuple[str, ...] = ()
    rejected: tuple[str, ...] = ()

    def takes(self, package: Package) -> bool:
        """Whether this update belongs in the set. Held packages are the host's own no."""
        return (
            package.candidate is not None
            and not package.held
            and (package.security or not self.security_only)
            and (not self.approved or _matches(package.name, self.approved))
            and not _matches(package.name, self.rejected)
        )


def label(host: Host, package: Package | Change) -> str:
    """As the package manager wants to hear it: with the architecture; apt's `all` is none."""
    if host.manager == "dnf":
        return f"{package.name}.{package.arch}"
    return package.name if package.arch == "all" else package.key


def freeze(host: Host, seen: Scan, wanted: Wanted) -> PatchSet:
    """The updates this host would get now, with what they bring along, as exact versions.

    Raises StepFailed where the repositories cannot be trusted or the updates cannot be installed.
    """
    if seen.repository_errors:
        raise StepFailed(
            f"its repositories cannot be trusted: {'; '.join(seen.repository_errors)}",
            target=seen.host,
            left="nothing was touched",
            next_step="mend the repository, then start again: what it hides may be the update that is needed",
            runbook="A repository is unreachable or not trusted",
        )
    chosen = [each for each in seen.packages if wanted.takes(each)]
    if not chosen:
        return PatchSet.of(())
    frozen = PatchSet.of(resolve(host, tuple(f"{label(host, each)}={each.candidate}" for each in chosen)))
    log.info("%s: froze %d changes, set %s", host.name, len(frozen.changes), frozen.digest[:16])
    return frozen


def proven(host: Host, seen: Scan, wanted: Wanted, on_canary: Mapping[str, str]) -> PatchSet:
    """The updates this host waits for at exactly the versions that a canary has already, with what they bring along.

    `on_canary` is installed version by `name:arch`. What an earlier run left undone on later hosts is proven, and
    would be in no set: the canary has nothing to update there.
    """
    chosen = [each for each in seen.packages if wanted.takes(each) and on_canary.get(each.key) == each.candidate]
    if not chosen:
        return PatchSet.of(())
    changes = resolve(host, tuple(f"{label(host, each)}={each.candidate}" for each in chosen))
    return PatchSet.of(each for each in changes if on_canary.get(each.key) == each.after)


def resolve(host: Host, wanted: Collection[str]) -> tuple[Change, ...]:
    """What apt would do to install exactly these `package=version`. Changes nothing."""
    done = script.run(host, "simulate.sh", *sorted(wanted))
    if done.code == 0:
        return simulated(done.stdout.splitlines())
    culprits = done.stdout.splitlines()
    raise StepFailed(
        f"cannot be installed: {', '.join(culprits) or 'these packages together'}: {done.words}",
        target=host.name,
        left="nothing was touched",
        next_step="reject the package in the policy, or wait for a repaired release",
        runbook="A broken dependency",
    )


def simulated(lines: Iterable[str]) -> tuple[Change, ...]:
    """Changes from the lines of `apt-get --simulate install`."""
    found = [match for line in lines if (match := SIMULATED.match(line))]
    return tuple(Change(each["name"].split(":")[0], each["arch"], each["before"], each["after"]) for each in found)


def merge(sets: Iterable[PatchSet]) -> PatchSet:
    """One set from those of several hosts. Where two name different versions, the earlier one in the list rules."""
    changes: dict[str, Change] = {}
    for each in sets:
        for change in each.changes:
            changes.setdefault(change.key, change)
    return PatchSet.of(changes.values())


def fit(host: Host, frozen: PatchSet) -> PatchSet:
    """The part of a set that this host needs: older versions only, and new packages only as dependencies.

    A version newer than the set's stays: nothing is downgraded by a patch. The digest is the part's own.
    """
    if not frozen.changes:
        return frozen
    asked = [f"{label(host, each)}={each.after}" for each in frozen.changes]
    told = {}
    for line in script.lines(host, "fit.sh", *asked):
        name, have, relation = line.split("\t")
        told[name] = (have, relation)
    fitting = []
    for change in frozen.changes:
        have, relation = told[label(host, change)]
        if relation == "older":
            fitting.append(Change(change.name, change.arch, have, change.after))
        elif relation == "absent" and change.before is None:
            fitting.append(Change(change.name, change.arch, None, change.after))
    return PatchSet.of(fitting) if any(each.before for each in fitting) else PatchSet.of(())


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
