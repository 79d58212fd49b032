"""A server's own settings, kept while the other one's files are copied over it.

pg_rewind and pg_basebackup copy every file of the data directory, also postgresql.conf, pg_hba.conf and
keys where these live in it: the server would come back with the other one's port and certificates.
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections.abc import Iterable

from day2.hosts.shell import require
from day2.operations.dr_drill import aside, control
from day2.operations.dr_drill.pair import Node

log = logging.getLogger("day2")
KEPT = "settings.tar"
# Under its name only when it is whole.
KEEP = """set -e
data=$1 kept=$2
shift 2
tar --create --file="$kept.part" --directory="$data" -- "$@"
mv "$kept.part" "$kept"
"""
# What PostgreSQL itself makes at the top of a data directory. postmaster.opts is kept: it says where the
# configuration is, if elsewhere.
NOT_SETTINGS = re.compile(
    r"PG_VERSION|postmaster\.pid|(backup_label|tablespace_map)(\.old)?|backup_manifest|(standby|recovery)\.signal"
    r"|current_logfiles|.*\.log"
)
INCLUDE = re.compile(r"^\s*include(?:_dir|_if_exists)?\s*=?\s*'([^']+)'", re.MULTILINE)


def keep(node: Node) -> list[str]:
    """Keep the settings aside, once: after an attempt that died, the files there may be the other server's."""
    if aside.has(node, KEPT):
        log.info("%s: its settings were kept by an earlier attempt", node.name)
        return []
    data, folder = control.data(node), aside.make(node)
    options = ("-maxdepth", "1", "(", "-type", "f", "-o", "-type", "l", ")", "-printf", r"%f\n")
    names = settings(require(node.shell, "find", data, *options).splitlines())
    named = [each for each in names if each.endswith(".conf")]
    text = require(node.shell, "cat", *(f"{data}/{name}" for name in named)) if named else ""
    more = (each for each in included(text, data) if each not in names)
    there = [each for each in more if node.shell.run("test", "-e", f"{data}/{each}").code == 0]
    chosen = sorted({*names, *there})
    require(node.shell, "sh", "-c", KEEP, "keep", data, f"{folder}/{KEPT}", *chosen)
    return chosen


def put_back(node: Node, *, into: str) -> None:
    """Put the kept settings over those that were copied; a folder of settings is emptied of the other's first."""
    archive = f"{aside.folder(node)}/{KEPT}"
    require(node.shell, "tar", "--extract", "--recursive-unlink", f"--file={archive}", f"--directory={into}")
    log.info("%s: its own settings are back", node.name)


def settings(names: Iterable[str]) -> list[str]:
    """The files at the top of a data directory that are somebody's settings. Pure."""
    return sorted(each for each in names if each != "pg_wal" and not NOT_SETTINGS.fullmatch(each))


def included(text: str, data: str) -> list[str]:
    """The files and folders below the data directory that a configuration includes, relative to it. Pure."""
    found = (posixpath.relpath(posixpath.normpath(posixpath.join(data, each)), data) for each in INCLUDE.findall(text))
    return sorted({each for each in found if not each.startswith("..") and each != "."})
