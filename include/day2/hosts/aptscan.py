"""Read what scan.sh printed on a host with apt. Pure: tested with recorded output."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from day2.hosts.model import Package

Sections = Mapping[str, Sequence[str]]

SECURITY = re.compile(r"security|\besm\b", re.IGNORECASE)
# What apt calls a warning although a repository could not be read, or not be trusted.
DISTRUST = re.compile(
    r"failed to fetch|some index files failed|gpg error|not signed|signature|expired|not valid|NO_PUBKEY"
)
VERSION = re.compile(r"^ (?P<installed>\*\*\*|   ) (?P<version>\S+) -?\d+(?: \(phased.*)?$")
ARCHIVE = re.compile(r"^ +-?\d+ (?P<line>\S.*)$")


@dataclass(frozen=True)
class Candidate:
    """What a package would be upgraded to. `security` if any version on the way there is a security update."""

    version: str
    origins: tuple[str, ...]
    security: bool


def packages(sections: Sections) -> tuple[Package, ...]:
    """Every package that is unpacked or installed, with its candidate."""
    native = next(iter(sections.get("native", ())), "")
    held = _keys(sections.get("held", ()), native)
    automatic = _keys(sections.get("automatic", ()), native)
    offered = candidates(sections.get("candidates", ()), archives(sections.get("archives", ())))
    advisories = _advisories(sections.get("advisories", ()))
    found = []
    for line in sections["packages"]:
        name, arch, version, status = line.split("\t")
        # The second letter is the state: c is what is left of a removed one, n nothing at all.
        if status[1:2] in ("n", "c"):
            continue
        key = name if arch in (native, "all") else f"{name}:{arch}"
        offer = offered.get(key)
        found.append(
            Package(
                name=name,
                arch=arch,
                installed=version,
                candidate=offer.version if offer else None,
                security=bool(offer and offer.security),
                origins=offer.origins if offer else (),
                held=key in held,
                advisories=advisories.get(name, ()) if offer else (),
                automatic=key in automatic,
            )
        )
    return tuple(found)


def archives(lines: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Which archive a line of `apt-cache policy` is: its `label/suite`, and whether it is one of security."""
    named: dict[str, tuple[str, bool]] = {}
    line = ""
    for each in lines:
        if each.lstrip().startswith("release ") and line:
            told = dict(part.split("=", 1) for part in each.split("release ", 1)[1].split(",") if "=" in part)
            label, suite = told.get("l", told.get("o", "")), told.get("a", told.get("n", ""))
            security = any(SECURITY.search(told.get(key, "")) for key in "lan")
            named[line] = (f"{label}/{suite}", security)
        elif archive := ARCHIVE.match(each):
            line = archive["line"]
    return named


def candidates(lines: Iterable[str], named: Mapping[str, tuple[str, bool]]) -> dict[str, Candidate]:
    """Candidate by package, from the version tables of `apt-cache policy <package>…`."""
    tables: dict[str, list[str]] = defaultdict(list)
    name = ""
    for line in lines:
        if line and not line.startswith(" "):
            name = line.rstrip(":")
        elif name:
            tables[name].append(line)
    return {name: found for name, table in tables.items() if (found := _candidate(table, named))}


def _candidate(table: Iterable[str], named: Mapping[str, tuple[str, bool]]) -> Candidate | None:
    """The table lists the newest first, so what stands above the installed version is the way to the candidate."""
    wanted, version, reached = "", "", False
    origins: dict[str, bool] = {}
    security = False
    for line in table:
        if line.startswith("  Candidate: "):
            wanted = line.split(": ", 1)[1]
        elif row := VERSION.match(line):
            version = row["version"]
            reached = reached or version == wanted
            if row["installed"] == "***":
                break
        elif reached and (archive := ARCHIVE.match(line)) and archive["line"] in named:
            origin, is_security = named[archive["line"]]
            security = security or is_security
            if version == wanted:
                origins[origin] = is_security
    return Candidate(wanted, tuple(origins), security) if wanted and reached and origins else None


def repository_errors(lines: Sequence[str]) -> tuple[str, ...]:
    """What kept `apt-get update` from knowing all there is. Empty: every repository answered and is trusted."""
    code = int(lines[-1].split()[-1]) if lines and lines[-1].startswith("exit ") else 1
    said = [line[3:].strip() for line in lines if line.startswith("E: ")]
    said += [line[3:].strip() for line in lines if line.startswith("W: ") and DISTRUST.search(line.casefold())]
    if code != 0 and not said:
        said = [f"apt-get update answered {code}: {' '.join(lines[-4:-1])}"]
    return tuple(dict.fromkeys(said))


def reboot(sections: Sections, kernel: str) -> tuple[bool, tuple[str, ...]]:
    """Whether a reboot is pending, and for which packages. A newer kernel in /boot counts without the flag."""
    lines = [line for line in sections.get("reboot", ()) if line]
    named = [line for line in lines if line != "required"]
    kernels = [line for line in sections.get("kernels", ()) if line]
    if kernel in kernels and kernels[-1] != kernel:
        named.append(f"linux-image-{kernels[-1]}")
    return bool(lines or named), tuple(dict.fromkeys(named))


def _keys(lines: Iterable[str], native: str) -> frozenset[str]:
    """apt-mark names foreign packages `name:arch`, native ones `name`."""
    return frozenset(line.strip().removesuffix(f":{native}") for line in lines if line.strip())


def _advisories(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """debsecan's simple format: an advisory and a package a line."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for line in lines:
        words = line.split()
        if len(words) >= 2:
            found[words[1]][words[0]] = None
    return {name: tuple(ids) for name, ids in found.items()}
