"""What a host looks like to patching, and what is to change on it. Plain values, frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Manager = Literal["apt", "dnf"]
PackageState = Literal[
    "installed",  # the version of the patch set is what is installed, and what runs
    "missing",  # an update that was wanted is not installed
    "pending_reboot",  # installed, but the old code runs until a reboot
    "held",  # somebody put the package on hold on the host
    "rejected",  # the policy does not want it
    "failed",  # its installation was tried and did not work
    "rolled_back",  # it was installed, and the earlier version is back
    "not_attempted",  # the run ended before this host
    "not_applicable",  # the host does not have the package
]


@dataclass(frozen=True)
class Package:
    """One installed package. `candidate` is the version the host would upgrade to; none where it is newest.

    `origins` are the archives that offer the candidate, as `label/suite`. `automatic` is whether it came as
    a dependency.
    """

    name: str
    arch: str
    installed: str
    candidate: str | None = None
    security: bool = False
    origins: tuple[str, ...] = ()
    held: bool = False
    advisories: tuple[str, ...] = ()
    automatic: bool = False

    @property
    def key(self) -> str:
        """`name:arch`, what tells it from the same package of another architecture."""
        return f"{self.name}:{self.arch}"


@dataclass(frozen=True)
class Service:
    """A running process whose code on disk is no longer what it runs. No unit: nothing we could restart."""

    unit: str
    pid: int
    stale: tuple[str, ...]


@dataclass(frozen=True)
class Scan:
    """A host at one moment. `disk_free` is bytes by folder; `clock_offset` is its clock minus ours, seconds.

    `lock_held_by` is empty where nobody holds the package manager's lock. With `repository_errors` the
    candidates are not to be trusted: what could not be fetched may hide updates.
    """

    host: str
    at: str
    manager: Manager
    os: str
    kernel: str
    boot_id: str
    packages: tuple[Package, ...]
    reboot_required: bool = False
    reboot_packages: tuple[str, ...] = ()
    stale_services: tuple[Service, ...] = ()
    audit: str = ""
    lock_held_by: str = ""
    disk_free: Mapping[str, int] = field(default_factory=dict)
    repository_errors: tuple[str, ...] = ()
    clock_offset: float = 0.0

    def versions(self) -> dict[str, str]:
        """Installed version by `name:arch`."""
        return {each.key: each.installed for each in self.packages}

    def upgradable(self, *, security_only: bool = False) -> tuple[Package, ...]:
        """Packages with a candidate, the held ones among them."""
        return tuple(each for each in self.packages if each.candidate and (each.security or not security_only))

    def as_dict(self) -> dict[str, Any]:
        """For a ledger entry or XCom."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Scan:
        """The scan that `as_dict` told, also after JSON made lists of its tuples."""
        packages = tuple(Package(**_tuples(each)) for each in told["packages"])
        services = tuple(Service(**_tuples(each)) for each in told["stale_services"])
        return cls(**{**_tuples(told), "packages": packages, "stale_services": services})


@dataclass(frozen=True, order=True)
class Change:
    """One package from one exact version to another. No `before`: it is new on the host."""

    name: str
    arch: str
    before: str | None
    after: str

    @property
    def key(self) -> str:
        """`name:arch`."""
        return f"{self.name}:{self.arch}"


@dataclass(frozen=True)
class PatchSet:
    """Exact versions, frozen: what the canary was tested with is what every later host gets.

    `digest` binds approvals to it. Make one with `of`, which also sorts.
    """

    changes: tuple[Change, ...]
    digest: str

    @classmethod
    def of(cls, changes: Iterable[Change]) -> PatchSet:
        """The set of these changes. The digest does not depend on their order, or on what a host had before."""
        ordered = tuple(sorted(changes, key=lambda each: (each.key, each.after)))
        after = [[each.name, each.arch, each.after] for each in ordered]
        return cls(ordered, hashlib.sha256(json.dumps(after, separators=(",", ":")).encode()).hexdigest())

    def as_dict(self) -> dict[str, Any]:
        """For a plan or XCom."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> PatchSet:
        """The set that `as_dict` told. Raises ValueError where the digest is not the changes' own."""
        made = cls.of(Change(**each) for each in told["changes"])
        if made.digest != told["digest"]:
            raise ValueError(f"the patch set's digest is {told['digest'][:12]}, its changes say {made.digest[:12]}")
        return made


def _tuples(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
