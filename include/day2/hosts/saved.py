"""Keep the .debs of both sides of a change on the host, before anything is installed.

The old ones are the way back: a repository often has only the newest version. The new ones are the way
forward: it may drop the frozen version between two waves, so they can be carried from host to host.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from day2.errors import Corrupt, StepFailed
from day2.hosts import script
from day2.hosts.freeze import label
from day2.hosts.model import PatchSet
from day2.hosts.script import Host

log = logging.getLogger("day2")

GONE = "A package version is gone from the repository"  # the runbook's heading
CACHE = "/var/cache/day2"
SPARE_KILOBYTES = 50 * 1024
CHUNK = 4 << 20
Side = Literal["before", "after"]


@dataclass(frozen=True)
class Saved:
    """One .deb on a host. `repacked`: made again from what was installed, as no repository had it any more."""

    side: Side
    package: str
    version: str
    path: str
    size: int
    sha256: str
    repacked: bool = False


def folder_of(frozen: PatchSet) -> str:
    """Where a set's files are on every host."""
    return f"{CACHE}/{frozen.digest[:16]}"


def save(
    host: Host, part: PatchSet, folder: str, *, carried: Collection[Saved] = (), seconds: float = 900.0
) -> tuple[Saved, ...]:
    """Save both sides of every change of a host's part of the set; what is there already stays.

    `carried` are the canary's files: what this host has must be the same bytes. Raises StepFailed where the
    disk is too small or a version is nowhere to be had, and Corrupt where bytes differ.
    """
    asked = [word for change in part.changes for word in _asked(change.after, change.before, label(host, change))]
    done = script.run(host, "save.sh", folder, str(SPARE_KILOBYTES), *asked, seconds=seconds)
    if done.code == 28:
        raise _no_space(host, done.stdout)
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 6]
    if done.code != 0 or len(rows) != len(asked) // 2:
        raise _lost(host, (), done.words or "it said nothing")
    if missing := tuple(f"{row[1]} {row[2]} ({row[0]})" for row in rows if row[6] == "missing"):
        raise _lost(host, missing, done.stderr.strip()[-300:])
    found = tuple(_row(row) for row in rows)
    compare(host.name, found, carried)
    log.info("%s: saved %d files, %d bytes, in %s", host.name, len(found), sum(each.size for each in found), folder)
    return found


def compare(target: str, found: Iterable[Saved], carried: Iterable[Saved]) -> None:
    """Raises Corrupt where a file of the new side is not the one the canary got."""
    known = {(each.package, each.version): each.sha256 for each in carried if each.side == "after"}
    for each in found:
        if each.side == "after" and known.get((each.package, each.version), each.sha256) != each.sha256:
            raise Corrupt(
                f"{each.package} {each.version} is not the file that the canary was patched with",
                target=target,
                left="nothing was installed; the file is in the host's cache",
                next_step=f"find out who published {each.package} {each.version} twice; remove {each.path}",
                runbook="A saved package is not what was saved",
            )


def fetch(host: Host, file: Saved, into: Path) -> Path:
    """Copy a saved .deb to this machine, in pieces, and check its hash."""
    path = into / Path(file.path).name
    seen = hashlib.sha256()
    with path.open("wb") as out:
        for offset in range(0, file.size, CHUNK):
            piece = f'tail -c +{offset + 1} -- "$1" | head -c {CHUNK} | base64'
            told = script.as_root(host, "sh", "-c", piece, "sh", file.path)
            data = base64.b64decode(told.stdout)
            seen.update(data)
            out.write(data)
    if seen.hexdigest() != file.sha256:
        raise _not_the_same(host, file)
    return path


def send(host: Host, file: Saved, path: Path) -> None:
    """Put a .deb that was fetched from another host where `save` finds it, and check its hash there."""
    if script.as_root(host, "sh", "-c", CHECK, "sh", file.path, file.sha256).code == 0:
        return
    script.as_root(host, "sh", "-c", 'mkdir -p "${1%/*}" && rm -f "$1.part"', "sh", file.path)
    with path.open("rb") as data:
        while piece := data.read(CHUNK):
            script.as_root(host, "sh", "-c", 'cat >>"$1.part"', "sh", file.path, stdin=piece)
    moved = script.as_root(host, "sh", "-c", f'set -- "$1" "$2" "$1.part"; {CHECK_PART}', "sh", file.path, file.sha256)
    if moved.code != 0:
        raise _not_the_same(host, file)


CHECK = '[ "$(sha256sum 2>/dev/null <"$1" | cut -c 1-64)" = "$2" ]'
CHECK_PART = '[ "$(sha256sum <"$3" | cut -c 1-64)" = "$2" ] && mv "$3" "$1"'


def verify(host: Host, files: Collection[Saved]) -> None:
    """Raises Corrupt where a saved file is gone or its bytes changed since it was saved."""
    known = {each.path: each for each in files}
    words = [word for each in files for word in (each.path, each.sha256)]
    for path in script.lines(host, "verify.sh", *words) if words else ():
        raise _not_the_same(host, known[path])


def expire(host: Host, *, days: int, keep: Collection[PatchSet] = ()) -> tuple[str, ...]:
    """Remove sets and job logs that nobody touched for so many days, except those to `keep`. Returns their folders."""
    names = (folder_of(each).rsplit("/", 1)[-1] for each in keep)
    gone = tuple(script.lines(host, "expire.sh", str(days), *names))
    log.info("%s: removed %d folders older than %d days", host.name, len(gone), days)
    return gone


def _asked(after: str, before: str | None, name: str) -> Iterable[str]:
    yield from ("after", f"{name}={after}")
    if before is not None:
        yield from ("before", f"{name}={before}")


def _row(row: list[str]) -> Saved:
    side: Side = "before" if row[0] == "before" else "after"
    return Saved(side, row[1], row[2], row[3], int(row[4]), row[5], row[6] == "repacked")


def _no_space(host: Host, said: str) -> StepFailed:
    words = next((line for line in said.splitlines() if "no space" in line), "no space").removeprefix("day2: ")
    return StepFailed(
        words,
        target=host.name,
        left="nothing was installed",
        next_step=f"make space on {host.name} (`apt-get clean`, old files in {CACHE}), then clear the task",
        runbook="The disk of a host is full",
    )


def _lost(host: Host, missing: Collection[str], said: str) -> StepFailed:
    what = f"nowhere to be had: {', '.join(missing)}" if missing else "saving the packages failed"
    return StepFailed(
        f"{what}{f': {said}' if said else ''}",
        target=host.name,
        left="nothing was installed",
        next_step="a new version: carry it from the canary, or plan anew; an old one: read the log for what kept it",
        runbook=GONE,
    )


def _not_the_same(host: Host, file: Saved) -> Corrupt:
    return Corrupt(
        f"{file.path} is not the {file.package} {file.version} that was saved",
        target=host.name,
        left="nothing was installed from it",
        next_step=f"remove {file.path} on {host.name}, then clear the task: it is saved again",
        runbook="A saved package is not what was saved",
    )
