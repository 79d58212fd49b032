"""WAL that only the old primary has: kept before a rewind discards it, with what it holds.

What was committed after the fork exists nowhere else. The segments are copied aside with their sha256,
and the commits in them are counted: a second opinion on what the failover lost.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from day2.hosts.shell import Done, require
from day2.operations.dr_drill import aside, control
from day2.operations.dr_drill.control import position, written
from day2.operations.dr_drill.controldata import ENGLISH, Control
from day2.operations.dr_drill.lineage import Lineage
from day2.operations.dr_drill.pair import Node

log = logging.getLogger("day2")
FOLDER = "evidence"
MANIFEST = "manifest.json"
SEGMENT = re.compile(r"[0-9A-F]{24}(\.partial)?")
PLACE = re.compile(r"(?: at| LSN) ([0-9A-F]+/[0-9A-F]+)")
NO_RECORD = "could not find a valid record"
COMMITS = re.compile(r"^Transaction/COMMIT\s+(\d+)", re.MULTILINE)
WAIT = 600.0
# One command each: a way to the host and back costs more than what is done there.
COPY = """set -e
source=$1 folder=$2
shift 2
rm -rf "$folder"
mkdir "$folder"
test $# -gt 0 || exit 0
(cd "$source" && cp -p "$@" "$folder")
cd "$folder"
sha256sum "$@"
"""
# With the address in the first page's header (xlp_pageaddr): a file that waits to be written anew has an old one.
LIST = """set -e
cd "$1"
for name in [0-9A-F]*; do
    printf '%s %s\\n' "$name" "$(od -A n -t u8 -j 8 -N 8 "$name")"
done
"""
WRITE = """set -e
cat > "$1.part"
mv "$1.part" "$1"
"""


def keep(node: Node, control_file: Control, source: Lineage) -> dict[str, Any]:
    """Copy what is from after the fork. Returns the manifest; empty when nothing is.

    What an earlier attempt kept is never copied again: the caller reads it first.
    """
    fork = source.fork(control_file.timeline)
    begin = control_file.checkpoint if fork is None else fork
    wanted = segment(control_file, begin)
    listed = require(node.shell, "sh", "-c", LIST, "list", f"{control.data(node)}/pg_wal").splitlines()
    names = segments(control_file, listed, wanted)
    if not names:
        return {}
    said = _dump(node, control_file, max(begin, first_byte(control_file, names[0])))
    end = begin if NO_RECORD in said.stderr else ended_at(said.stderr)
    if end is None:
        log.warning("%s: pg_waldump does not say where its WAL ends: %s", node.name, said.words)
    last = segment(control_file, begin if end is None else end)
    if end is not None and end <= begin and names[-1][:24] <= last:
        return {}
    folder = f"{aside.make(node)}/{FOLDER}"
    complete = names[0][:24] == wanted and end is not None and names[-1][:24] <= last
    manifest = {
        "host": node.shell.label,
        "folder": folder,
        "timeline": control_file.timeline,
        "from": written(begin),
        "to": written(end) if end is not None else None,
        "diverged_bytes": end - begin if end is not None else None,
        # Where the first of it has left pg_wal, or it is damaged in the middle, it is more than what was counted.
        "complete": complete,
        "commits": sum(int(each) for each in COMMITS.findall(said.stdout)),
        "files": _copy(node, names, folder),
    }
    _write(node, manifest, folder)
    log.warning(
        "%s: %s bytes of WAL, with %s%s commits, are on this server only; kept in %s",
        node.name, manifest["diverged_bytes"], "" if complete else "at least ", manifest["commits"], folder,
    )  # fmt: skip
    return manifest


def read(node: Node) -> dict[str, Any]:
    """What an earlier attempt kept: complete if it has a manifest. Empty if there is none."""
    done = node.shell.run("cat", f"{aside.folder(node)}/{FOLDER}/{MANIFEST}")
    if done.code:
        return {}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def segment(control_file: Control, position: int) -> str:
    """The name of the WAL file that holds a position. Pure."""
    per_id = (1 << 32) // control_file.segment_bytes
    number = position // control_file.segment_bytes
    return f"{control_file.timeline:08X}{number // per_id:08X}{number % per_id:08X}"


def segments(control_file: Control, listed: list[str], first: str) -> list[str]:
    """The WAL files of a timeline from one on that were really written, in order. Pure.

    `listed` are lines of a name and the address in its first page. Files that wait to be written anew are
    often as much as max_wal_size.
    """
    found = sorted(line.split() for line in listed if SEGMENT.fullmatch(line.split()[0]) and len(line.split()) == 2)
    return [
        name
        for name, address in found
        if name[:8] == first[:8] and name[:24] >= first and int(address) == first_byte(control_file, name)
    ]


def first_byte(control_file: Control, name: str) -> int:
    """Where a WAL file begins. Pure."""
    return (int(name[8:16], 16) << 32) + int(name[16:24], 16) * control_file.segment_bytes


def ended_at(said: str) -> int | None:
    """Where pg_waldump found no more records: the last place it names. Pure.

    `error in WAL record at 0/30001C8: invalid record length at 0/3000200: expected at least 24, got 0`
    """
    found = [PLACE.findall(line) for line in said.splitlines() if "error in WAL record" in line]
    return position(found[-1][-1]) if found else None


def _dump(node: Node, control_file: Control, begin: int) -> Done:
    """What kinds of records there are from a position on. The exit code says nothing: the end is an error."""
    where = ("--path", f"{control.data(node)}/pg_wal", "--timeline", str(control_file.timeline))
    return node.shell.run(*ENGLISH, "pg_waldump", "--stats=record", *where, "--start", written(begin), seconds=WAIT)


def _copy(node: Node, names: list[str], folder: str) -> list[dict[str, str]]:
    """A folder without a manifest is one that a killed attempt left, and is begun again."""
    source = f"{control.data(node)}/pg_wal"
    sums = require(node.shell, "sh", "-c", COPY, "copy", source, folder, *names, seconds=WAIT)
    return [{"name": line.split()[1], "sha256": line.split()[0]} for line in sums.splitlines()]


def _write(node: Node, manifest: dict[str, Any], folder: str) -> None:
    """The manifest last: a folder that has one is complete."""
    content = json.dumps(manifest, indent=2).encode()
    require(node.shell, "sh", "-c", WRITE, "write", f"{folder}/{MANIFEST}", stdin=content)
