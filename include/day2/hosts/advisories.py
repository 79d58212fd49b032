"""Which advisories a frozen set answers, from the changelogs inside the saved packages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from day2.hosts import saved, script
from day2.hosts.install import Prepared
from day2.hosts.script import Host

HEADING = re.compile(r"^\S+ \((?P<version>[^)]+)\).*urgency=(?P<urgency>[a-z]+)")
URGENCIES = ("low", "medium", "high", "emergency", "critical")
BINARY_REBUILD = re.compile(r"\+b\d+$")


@dataclass(frozen=True)
class Answered:
    """What the entries since the installed version name. `urgency` is the highest of them, as the maintainer saw it."""

    ids: tuple[str, ...] = ()
    urgency: str = ""


def answered(host: Host, prepared: Prepared) -> dict[str, Answered]:
    """Advisory ids by package name, for every change of a prepared host. Touches nothing, asks no network."""
    before = {each.name: each.before for each in prepared.part.changes}
    if not before:
        return {}
    return parse(script.lines(host, "advisories.sh", saved.folder_of(prepared.frozen)), before)


def parse(lines: Iterable[str], before: dict[str, str | None]) -> dict[str, Answered]:
    """Read advisories.sh's lines. An entry counts until the one of the version that was installed."""
    blocks: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("@"):
            blocks[line[1:].split()[0]] = []
        elif blocks:
            blocks[next(reversed(blocks))].append(line)
    return {name: _since(block, before[name]) for name, block in blocks.items() if name in before}


def _since(block: list[str], before: str | None) -> Answered:
    headings = [match["version"] for line in block if (match := HEADING.match(line))]
    known = BINARY_REBUILD.sub("", before or "")
    # A changelog that does not know the installed version (another source, a cut one) is trusted for its top entry.
    stop = known if known in headings else (headings[1] if len(headings) > 1 else "")
    ids: dict[str, None] = {}
    urgency = ""
    for line in block:
        if match := HEADING.match(line):
            if match["version"] == stop:
                break
            urgency = max(urgency, match["urgency"], key=_rank)
        else:
            ids[line] = None
    return Answered(tuple(ids), urgency)


def _rank(urgency: str) -> int:
    return URGENCIES.index(urgency) if urgency in URGENCIES else -1
