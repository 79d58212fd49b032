"""WAL that only the old primary has: kept before a rewind discards it, with what it holds.

What was committed after the fork exists nowhere else. The segments are copied aside with their sha256,
and the commits in them are counted: a second opinion on what the failover lost.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from day2.hosts.shell import require
from day2.operations.dr_drill import aside, control
from day2.operations.dr_drill.control import position, written
from day2.operations.dr_drill.controldata import ENGLISH, Control
from day2.operations.dr_drill.lineage import Lineage
from day2.operations.dr_drill.pair import Node

log = logging.getLogger("day2")
FOLDER = "evidence"
MANIFEST = "manifest.json"
SEGMENT = re.compile(r"[0-9A-F]{24}(\.partial)?")
# "…: invalid record length at 0/30001C8: expected at least 24, got 0": the end, where the next would be.
ENDED_AT = re.compile(r" at ([0-9A-F]+/[0-9A-F]+)(?!.* at [0-9A-F]+/[0-9A-F]+)")
COMMITS = re.compile(r"^Transaction/COMMIT\s+(\d+)", re.MULTILINE)
WAIT = 600.0


def keep(node: Node, control_file: Control, source: Lineage) -> dict[str, Any]:
    """Copy what is from after the fork. Returns the manifest; empty when nothing is."""
    if kept := read(node):
        return kept
    fork = source.fork(control_file.timeline)
    begin = control_file.checkpoint if fork is None else fork
    end, commits = _look(node, control_file, begin)
    if end is not None and end <= begin:
        return {}
    data, folder = control.data(node), f"{aside.make(node)}/{FOLDER}"
    names = segments(require(node.shell, "ls", f"{data}/pg_wal").split(), control_file, begin)
    manifest = {
        "host": node.shell.label,
        "folder": folder,
        "timeline": control_file.timeline,
        "from": written(begin),
        "to": written(end) if end is not None else None,
        "diverged_bytes": end - begin if end is not None else None,
        "commits": commits,
        "files": _copy(node, names, folder),
    }
    _write(node, manifest, folder)
    log.warning(
        "%s: %s bytes of WAL, with %s commits, are on this server only; kept in %s",
        node.name, manifest["diverged_bytes"], commits, folder,
    )  # fmt: skip
    return manifest


def read(node: Node) -> dict[str, Any]:
    """What an earlier attempt kept: complete if it has a manifest. Empty if there is none."""
    done = node.shell.run("cat", f"{aside.folder(node)}/{FOLDER}/{MANIFEST}")
    if done.code:
        return {}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def segments(names: list[str], control_file: Control, begin: int) -> list[str]:
    """The WAL files of a timeline from a position on, in order. Pure."""
    per_id = (1 << 32) // control_file.segment_bytes
    number = begin // control_file.segment_bytes
    first = f"{control_file.timeline:08X}{number // per_id:08X}{number % per_id:08X}"
    found = [each for each in names if SEGMENT.fullmatch(each) and each[:8] == first[:8] and each[:24] >= first]
    return sorted(found)


def _look(node: Node, control_file: Control, begin: int) -> tuple[int | None, int]:
    """Where its WAL ends, and how many commits are after the fork. pg_waldump ends with an error at the end."""
    where = ("--path", f"{control.data(node)}/pg_wal", "--timeline", str(control_file.timeline))
    dump = (*ENGLISH, "pg_waldump", "--stats=record", *where)
    whole = node.shell.run(*dump, "--start", written(control_file.redo), seconds=WAIT)
    found = ENDED_AT.search(whole.stderr)
    end = position(found[1]) if found else None
    if end is not None and end <= begin:
        return end, 0
    after = node.shell.run(*dump, "--start", written(begin), seconds=WAIT)
    return end, sum(int(each) for each in COMMITS.findall(after.stdout))


def _copy(node: Node, names: list[str], folder: str) -> list[dict[str, str]]:
    """A folder without a manifest is one that a killed attempt left, and is begun again."""
    require(node.shell, "rm", "--recursive", "--force", folder)
    require(node.shell, "mkdir", folder)
    sources = [f"{control.data(node)}/pg_wal/{name}" for name in names]
    if not sources:
        return []
    require(node.shell, "cp", "--preserve=timestamps", f"--target-directory={folder}", *sources, seconds=WAIT)
    sums = require(node.shell, "sha256sum", *(f"{folder}/{name}" for name in names), seconds=WAIT)
    return [{"name": line.split("/")[-1], "sha256": line.split()[0]} for line in sums.splitlines()]


def _write(node: Node, manifest: dict[str, Any], folder: str) -> None:
    """The manifest last: a folder that has one is complete."""
    content = json.dumps(manifest, indent=2).encode()
    require(node.shell, "dd", "status=none", f"of={folder}/{MANIFEST}.part", stdin=content)
    require(node.shell, "mv", f"{folder}/{MANIFEST}.part", f"{folder}/{MANIFEST}")
