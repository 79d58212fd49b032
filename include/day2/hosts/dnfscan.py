"""Read what scan.sh printed on a host with dnf. Pure: tested with output recorded from a real dnf."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from day2.hosts.model import Package

Sections = Mapping[str, Sequence[str]]

NEVRA = re.compile(r"^(?P<name>.+)-(?:\d+:)?(?P<version>[^-]+)-(?P<release>[^-]+)\.(?P<arch>[^.]+)$")


def packages(sections: Sections) -> tuple[Package, ...]:
    """Every installed package, with its candidate. A kernel installed twice is listed twice, as rpm does."""
    held = {_locked(line) for line in sections.get("held", ()) if line.strip()}
    chosen = {line.strip() for line in sections.get("user_installed", ()) if line.strip()}
    offered = candidates(sections.get("candidates", ()))
    security, advisories = _advisories(sections)
    found = []
    for line in sections["packages"]:
        name, arch, version = line.split("\t")
        candidate, origin = offered.get((name, arch), (None, ""))
        found.append(
            Package(
                name=name,
                arch=arch,
                installed=version,
                candidate=candidate,
                security=candidate is not None and name in security,
                origins=(origin,) if origin else (),
                held=name in held,
                advisories=advisories.get(name, ()) if candidate else (),
                automatic=bool(chosen) and name not in chosen,
            )
        )
    return tuple(found)


def candidates(lines: Iterable[str]) -> dict[tuple[str, str], tuple[str, str]]:
    """Candidate and repository by name and architecture, from `dnf repoquery --upgrades`."""
    rows = [line.split("\t") for line in lines if line.strip()]
    return {(name, arch): (version, repository) for name, arch, version, repository in rows}


def repository_errors(lines: Sequence[str]) -> tuple[str, ...]:
    """What kept `dnf makecache` from knowing all there is. Empty: every repository answered."""
    code = int(lines[-1].split()[-1]) if lines and lines[-1].startswith("exit ") else 1
    said = [line.removeprefix("Error: ").strip() for line in lines[:-1] if line.startswith(("Error", "Failed", "  - "))]
    if code != 0 and not said:
        said = [f"dnf makecache answered {code}: {' '.join(lines[-4:-1])}"]
    return tuple(dict.fromkeys(said))


def reboot(sections: Sections) -> tuple[bool, tuple[str, ...]]:
    """Whether `dnf needs-restarting -r` asks for a reboot, and for which packages."""
    lines = [line.strip() for line in sections.get("reboot", ()) if line.strip()]
    return "required" in lines, tuple(line.removeprefix("* ") for line in lines if line.startswith("* "))


def _advisories(sections: Sections) -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """Names with a security advisory, and the advisories and CVE ids by name: id, severity, package a line."""
    security, found = set(), defaultdict[str, dict[str, None]](dict)
    for line in (*sections.get("advisories", ()), *sections.get("cves", ())):
        words = line.split()
        nevra = NEVRA.match(words[-1]) if len(words) == 3 else None
        if nevra is None:
            continue
        found[nevra["name"]][words[0]] = None
        if words[1].lower().endswith("sec.") or words[1].lower() == "security":
            security.add(nevra["name"])
    return frozenset(security), {name: tuple(ids) for name, ids in found.items()}


def _locked(line: str) -> str:
    """`dnf versionlock list` prints `name-epoch:version-release.*`."""
    nevra = NEVRA.match(line.strip())
    return nevra["name"] if nevra else line.strip()
