"""Install exactly a frozen set on one host: saved first, detached, and never twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Literal

from day2.errors import StepFailed
from day2.hosts import freeze, job, saved, script
from day2.hosts.failures import cause
from day2.hosts.freeze import label
from day2.hosts.model import PatchSet
from day2.hosts.saved import Saved
from day2.hosts.script import Host

log = logging.getLogger("day2")


@dataclass(frozen=True)
class Limits:
    """How long things may take. `lock` is the wait for the package manager's lock."""

    lock: timedelta = timedelta(minutes=5)
    install: timedelta = timedelta(minutes=30)
    patience: timedelta = timedelta(minutes=2)


DEFAULT = Limits()


@dataclass(frozen=True)
class Installed:
    """What an installation did. `part` is the set's part for this host, `files` what can bring it back."""

    outcome: Literal["changed", "unchanged"]
    part: PatchSet
    files: tuple[Saved, ...]
    log: str = ""
    repaired: bool = False


@dataclass(frozen=True)
class Prepared:
    """A host's part of the frozen set, with the files of both sides saved on it."""

    frozen: PatchSet
    part: PatchSet
    files: tuple[Saved, ...]

    def as_dict(self) -> dict[str, Any]:
        """For a ledger entry or XCom."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Prepared:
        """What `as_dict` told. Raises ValueError where a digest is not the changes' own."""
        files = tuple(Saved(**each) for each in told["files"])
        return cls(PatchSet.from_dict(told["frozen"]), PatchSet.from_dict(told["part"]), files)


def prepare(host: Host, frozen: PatchSet, *, run_id: str, carried: Collection[Saved] = ()) -> Prepared:
    """Find a host's part of the set and save both sides. Installs nothing.

    Once the run's installation has begun this tells what was prepared then: a host that is half patched would
    call the new versions its earlier ones, and lose its way back.
    """
    name = job_name(run_id)
    if job.look(host, f"{name}-install").state != "none" and (earlier := _recall(host, name, frozen)):
        return earlier
    part = freeze.fit(host, frozen)
    if not part.changes:
        return Prepared(frozen, part, ())
    folder = saved.folder_of(frozen)
    files = saved.save(host, part, folder, carried=carried)
    indexed = script.run(host, "index.sh", folder)
    if indexed.code != 0:
        raise _failed(host, indexed.stdout + indexed.stderr, indexed.code, "nothing was installed")
    made = Prepared(frozen, part, files)
    kept = script.run(host, "remember.sh", "keep", name, values={"content": json.dumps(made.as_dict())})
    if kept.code != 0:
        raise _failed(host, kept.stdout + kept.stderr, kept.code, "nothing was installed")
    return made


def _recall(host: Host, name: str, frozen: PatchSet) -> Prepared | None:
    told = "\n".join(script.lines(host, "remember.sh", "recall", name))
    earlier = Prepared.from_dict(json.loads(told)) if told.strip() else None
    return earlier if earlier and earlier.frozen.digest == frozen.digest else None


def act(host: Host, prepared: Prepared, *, run_id: str, limits: Limits = DEFAULT) -> Installed:
    """Install what was prepared, and see that exactly that is there. Idempotent: a second call follows or finds it.

    Raises StepFailed with the cause and the state that is left, Unavailable where the host is out of sight.
    """
    work = _job(host, prepared, run_id, limits)
    now = job.look(host, work.id)
    if now.state != "running" and not wrong(host, prepared.part):
        return Installed("changed" if now.state == "ended" else "unchanged", prepared.part, prepared.files, now.said)
    if now.state == "interrupted":
        log.warning("%s: the earlier attempt was killed; what it left is repaired first", host.name)
    if now.state != "running":
        saved.verify(host, [each for each in prepared.files if each.side == "after"])
    seen = job.run(
        host, work, seconds=limits.install.total_seconds(), patience=limits.patience.total_seconds()
    )  # fmt: skip
    left = wrong(host, prepared.part)
    if seen.state != "ended" or seen.code != 0 or left:
        raise _failed(host, seen.said, seen.code, _left(left))
    return Installed("changed", prepared.part, prepared.files, seen.said, "day2: an earlier dpkg was" in seen.said)


def wrong(host: Host, part: PatchSet) -> dict[str, str]:
    """What is not as the set wants it: package and what is there instead. Half-installed is wrong too."""
    if not part.changes:
        return {}
    wanted = {label(host, each): each.after for each in part.changes}
    # Not all that is new is needed: what was offered as a dependency may rightly be absent.
    optional = {label(host, each) for each in part.changes if each.before is None}
    present = versions(host, tuple(wanted))
    found = {name: present.get(name, "absent") for name in wanted}
    return {
        name: have
        for name, have in found.items()
        if have != wanted[name] and not (have == "absent" and name in optional)
    }


def versions(host: Host, names: Collection[str]) -> dict[str, str]:
    """Installed version by package; `unpacked 1.1` and the like where it is not fully installed."""
    told = script.lines(host, "versions.sh", *names)
    return {name: version for name, _, version in (line.partition("\t") for line in told)}


def _job(host: Host, prepared: Prepared, run_id: str, limits: Limits) -> job.Job:
    # apt takes the new packages it needs from the frozen repository; dnf, which gets files, must be told.
    changes = [each for each in prepared.part.changes if each.before or host.manager == "dnf"]
    wanted = sorted(f"{label(host, each)}={each.after}" for each in changes)
    folder = saved.folder_of(prepared.frozen)
    waits = str(int(limits.lock.total_seconds()))
    return job.Job(f"{job_name(run_id)}-install", "install.sh", (folder, waits, *wanted))


def job_name(run_id: str) -> str:
    """A run's id as a folder's name."""
    return "".join(each if each.isalnum() or each in "._-" else "_" for each in run_id)


def _left(left: dict[str, str]) -> str:
    if not left:
        return "every package of the set is at its version, but the installation did not end well"
    return "not at the version of the set: " + ", ".join(f"{name} is {have}" for name, have in sorted(left.items()))


def _failed(host: Host, said: str, code: int, left: str) -> StepFailed:
    why = cause(said, code)
    return StepFailed(why.happened, target=host.name, left=left, next_step=why.next_step, runbook=why.runbook)
