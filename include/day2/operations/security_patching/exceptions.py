"""The register of exceptions, applied: which late update is excused, by whom, until when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from day2.hosts.model import Package
from day2.inventory.patching import PatchException


@dataclass(frozen=True)
class Excuse:
    """What the register says of one update on one host. `until` is the last day that all of it is excused."""

    names: tuple[str, ...] = ()
    until: date | None = None
    expired: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the update is excused now."""
        return bool(self.names)


NONE = Excuse()


def excuse(register: Sequence[PatchException], host: str, package: Package, *, today: date) -> Excuse:
    """What excuses this update on this host today, and which exceptions for it have expired.

    An exception for an advisory excuses no other advisory: an update that mends two problems, one of them
    excused, is still due.
    """
    meant = [each for each in register if _is_for(each, host, package)]
    if not meant:
        return NONE
    expired = tuple(each.name for each in meant if each.expires < today)
    valid = [each for each in meant if each.expires >= today]
    if whole := [each for each in valid if each.advisory is None]:
        best = max(whole, key=lambda each: each.expires)
        return Excuse((best.name,), best.expires, expired)
    chosen = {each.advisory: each for each in sorted(valid, key=lambda each: each.expires)}
    if package.advisories and set(package.advisories) <= chosen.keys():
        used = [chosen[each] for each in package.advisories]
        return Excuse(tuple(dict.fromkeys(each.name for each in used)), min(each.expires for each in used), expired)
    return Excuse(expired=expired)


def _is_for(each: PatchException, host: str, package: Package) -> bool:
    if each.hosts and host not in each.hosts:
        return False
    if each.package is not None and not fnmatchcase(package.name, each.package):
        return False
    return each.advisory is None or each.advisory in package.advisories
