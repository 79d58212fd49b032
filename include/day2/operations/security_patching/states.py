"""What became of each package on each host, from scans before and after and from what the steps said. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from day2.hosts.model import Change, Package, PackageState, PatchSet, Scan
from day2.inventory.patching import PatchPolicy

BEFORE = "was there before the run"
REJECTED = "the policy rejects it"
HELD = "it is on hold on the host"
BESIDES = "is not in the frozen set"

HostOutcome = Literal["succeeded", "failed", "rolled_back", "not_attempted"]


@dataclass(frozen=True)
class Course:
    """One host's part in a run. No `after`: nobody could look at it when it was over."""

    host: str
    before: Scan
    after: Scan | None
    outcome: HostOutcome
    why: str = ""


@dataclass(frozen=True)
class Became:
    """One package on one host: the version before, the one wanted, the one that is there, and its state."""

    host: str
    name: str
    arch: str
    before: str | None
    wanted: str | None
    now: str | None
    state: PackageState
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)


def became(course: Course, patch_set: PatchSet, policy: PatchPolicy) -> tuple[Became, ...]:
    """The state of every package of the set on this host, and of every wanted update that is not in it."""
    had = {each.key: each for each in course.before.packages}
    planned = {each.key for each in patch_set.changes}
    found = [_planned(course, each, had.get(each.key), policy) for each in patch_set.changes]
    for each in (course.after or course.before).upgradable():
        if each.key not in planned and (each.security or policy.wants(each.name, security=False)):
            found.append(_besides(course.host, each, policy))
    return tuple(sorted(found, key=lambda each: (each.name, each.arch)))


def of_run(courses: Iterable[Course], patch_set: PatchSet, policies: Mapping[str, PatchPolicy]) -> Iterator[Became]:
    """The same for every host of a run; `policies` by host."""
    for course in courses:
        yield from became(course, patch_set, policies[course.host])


def counted(rows: Iterable[Became]) -> dict[PackageState, int]:
    """How many are in each state."""
    return dict(Counter(each.state for each in rows))


def _planned(course: Course, change: Change, had: Package | None, policy: PatchPolicy) -> Became:
    before = had.installed if had else None
    if course.after:
        now = course.after.versions().get(change.key)
    else:  # nobody touched it, or nobody knows
        now = before if course.outcome == "not_attempted" else None
    row = Became(course.host, change.name, change.arch, before, change.after, now, "installed")
    passed_over: tuple[PackageState, str] | None = None
    if had is None and now is None and (change.before or course.outcome == "succeeded"):
        passed_over = "not_applicable", "the host does not have it"
    elif had and now != change.after:
        passed_over = _passed_over(had, change, policy)
    state, why = passed_over or _tried(course, row)
    return replace(row, state=state, why=why)


def _passed_over(had: Package, change: Change, policy: PatchPolicy) -> tuple[PackageState, str] | None:
    """Why the package of a host that does not have the wanted version was never to get it."""
    if had.installed != change.after and had.candidate is None:
        return "not_applicable", f"has {had.installed}, for which it is offered nothing newer"
    if policy.rejects(had.name):
        return "rejected", REJECTED
    return ("held", HELD) if had.held else None


def _tried(course: Course, row: Became) -> tuple[PackageState, str]:
    if row.now == row.wanted:
        return _running(course.after, row) if course.after else ("installed", BEFORE)
    if course.outcome == "not_attempted":
        return "not_attempted", course.why
    if course.after is None:
        return "failed", course.why or "nobody could look at the host afterwards"
    if course.outcome == "rolled_back" and row.now == row.before:
        return "rolled_back", course.why
    if course.outcome == "rolled_back":
        return "failed", f"the rollback left {row.now or 'nothing'} instead of {row.before or 'nothing'}"
    return ("failed", course.why) if course.outcome == "failed" else ("missing", f"has {row.now or 'nothing'}")


def _running(after: Scan, row: Became) -> tuple[PackageState, str]:
    """Installed says that the new code is what runs, not only that it is on the disk."""
    if after.reboot_required and row.name in after.reboot_packages:
        return "pending_reboot", "the host asks for a reboot"
    if row.before == row.wanted:
        return "installed", BEFORE
    if after.reboot_required and not after.reboot_packages:
        return "pending_reboot", "the host asks for a reboot, and does not say for which package"
    if after.stale_services:
        units = ", ".join(sorted({each.unit or f"process {each.pid}" for each in after.stale_services}))
        return "pending_reboot", f"old code still runs in {units}"
    return "installed", ""


def _besides(host: str, package: Package, policy: PatchPolicy) -> Became:
    """An update that is not in the set: rejected, held, or missing from it."""
    state: PackageState = "rejected" if policy.rejects(package.name) else "held" if package.held else "missing"
    why = {"rejected": REJECTED, "held": HELD, "missing": BESIDES}[state]
    versions = (package.installed, package.candidate, package.installed)
    return Became(host, package.name, package.arch, *versions, state, why)
